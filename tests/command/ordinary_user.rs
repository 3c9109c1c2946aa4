//! A user who is not root, in Docker's group: everything, from nothing to nothing.

use super::docker::leftovers;
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{HARMONY, run, text};
use crate::harness::system::install;
use crate::harness::{Folder, free_port, unique};
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

/// Removes the containers of an instance, however the test ends.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        let remove = format!(
            "docker ps -aq --filter label=harmony.instance={} | xargs -r docker rm -f",
            self.0
        );
        run(Command::new("sh").args(["-c", &remove]));
    }
}

/// Nobody's number.
const USER: u32 = 65534;

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_ordinary_user_in_dockers_group_can_do_everything() {
    const TEST: &str = "an_ordinary_user_in_dockers_group_can_do_everything";
    if !has(TEST, &[Part::Docker, Part::Root]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _removed = Removed(instance.clone());
    let program = folder.path().join("harmony");
    install(HARMONY.as_ref(), &program);
    let home = folder.path().join("own");
    std::fs::create_dir(&home).expect("a folder");
    for path in [folder.path(), &home] {
        chown(path, Some(USER), Some(USER)).expect("another owner");
    }
    let socket = std::fs::metadata("/var/run/docker.sock").expect("a socket");
    let group = socket.gid().to_string();
    let url = format!("http://localhost:{}", free_port());
    let harmony = |arguments: &[&str]| {
        let user = USER.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &user, "--regid", &user, "--groups", &group]);
        command
            .arg(&program)
            .args(arguments)
            .args(["--instance", &instance]);
        let clean = [
            "HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
            "SUDO_UID",
            "DOCKER_HOST",
        ];
        for name in clean {
            command.env_remove(name);
        }
        let output = run(command.current_dir(&home).env("HOME", &home));
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        text(&output.stdout)
    };
    let registry = registry().expect("a registry");
    let first = [
        "up",
        "--yes",
        "--hub-url",
        &url,
        "--image-registry",
        &registry,
    ];
    harmony(
        &[
            &first[..],
            &["--redis", "container", "--rabbitmq", "embedded"],
        ]
        .concat(),
    );
    harmony(&["verify"]);
    harmony(&["up", "--yes", "--hub", "container"]);
    harmony(&["verify"]);
    let container = format!("harmony-{instance}-signalr");
    // What is private to the hub in its container only its own user reads.
    let list = format!("docker cp {container}:/app/appsettings.json - | tar -tv");
    let listed = text(&run(Command::new("sh").args(["-c", &list])).stdout);
    assert!(listed.starts_with("-r-------- 65532/65532"), "{listed}");
    harmony(&["down", "--volumes", "--yes"]);
    assert_eq!(leftovers(&instance), "");
}
