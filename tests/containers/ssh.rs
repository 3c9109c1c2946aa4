//! An engine behind ssh: a real sshd on loopback, with keys of the test's own.

use crate::command::bare::json;
use crate::command::docker::{down, with};
use crate::harness::parts::{Part, has, is_root, registry};
use crate::harness::program::{Program, run, text};
use crate::harness::{Folder, free_port, unique, wait_for};
use std::process::Command;

/// sshd, and a program `ssh` that knows its key and this test's.
fn sshd(folder: &Folder) -> (Program, u16) {
    let port = free_port();
    let keys = folder.path().join("keys");
    std::fs::create_dir_all(&keys).expect("a folder");
    for name in ["server", "client"] {
        let made = run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(keys.join(name)));
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let public = |name: &str| folder.read(&format!("keys/{name}.pub"));
    folder.write("keys/authorized", &public("client"));
    folder.write(
        "keys/known",
        &format!("[127.0.0.1]:{port} {}", public("server")),
    );
    let keys = keys.display();
    let configuration = folder.write("keys/sshd_config", &format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {keys}/server\nAuthorizedKeysFile {keys}/authorized\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n"
    ));
    if is_root() {
        std::fs::create_dir_all("/run/sshd").expect("the folder that sshd asks for");
    }
    let program = Program::start(
        Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(configuration),
    );
    wait_for("sshd", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    folder.script("bin/ssh", &format!(
        "#!/bin/sh\nexec /usr/bin/ssh -F none -i {keys}/client -o UserKnownHostsFile={keys}/known \"$@\"\n"
    ));
    (program, port)
}

#[test]
#[ignore = "needs Docker and sshd: run tests/run"]
fn an_engine_behind_ssh_is_used_like_a_near_one() {
    if !has(
        "an_engine_behind_ssh_is_used_like_a_near_one",
        &[Part::Docker, Part::Ssh],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let (_sshd, port) = sshd(&folder);
    let user = text(&run(Command::new("id").arg("-un")).stdout);
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", folder.path().join("bin").display());
    let by_ssh = |mut command: Command| {
        command
            .env(
                "DOCKER_HOST",
                format!("ssh://{}@127.0.0.1:{port}", user.trim()),
            )
            .env("PATH", &path);
        command
    };
    let _down = down(&folder, &instance);
    let url = format!("http://localhost:{}", free_port());
    let registry = registry().expect("a registry");
    let redis_port = free_port().to_string();
    let up = || {
        let mut up = by_ssh(with(
            &folder,
            &instance,
            &["up", "--yes", "--hub-url", &url],
        ));
        up.args(["--redis", "container", "--rabbitmq", "embedded"]);
        up.args(["--image-registry", &registry, "--redis-port", &redis_port]);
        up
    };
    let first = json(&mut up());
    assert_eq!(first["redis"]["state"], "running", "{first}");
    let again = json(&mut up());
    assert_eq!(again["changes"], 0, "{again}");
    let logs = run(&mut by_ssh(with(&folder, &instance, &["logs", "redis"])));
    assert!(
        text(&logs.stdout).contains("Ready to accept"),
        "{}",
        text(&logs.stdout)
    );
    let gone = json(&mut by_ssh(with(&folder, &instance, &["down", "--yes"])));
    assert!(gone["changes"].as_i64() > Some(0), "{gone}");

    // A key that is not known: ssh's own words, and no question.
    folder.write("keys/authorized", "");
    let refused = run(&mut up());
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused.stdout));
    assert!(
        text(&refused.stderr).contains("Permission denied"),
        "{}",
        text(&refused.stderr)
    );
}
