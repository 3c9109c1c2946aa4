//! A world that is not clean: no room, no rights, slow registries, a user who may not use Docker.

use crate::harness::installation::{Installation, docker};
use crate::harness::parts::{Part, has, is_root, registry};
use crate::harness::program::{HARMONY, Program, run, text};
use crate::harness::system::install;
use crate::harness::ways::way_to;
use crate::harness::{Folder, free_port, unique, wait_for};
use serde_json::Value;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// The error that a command ends with, and its exit code.
pub(super) fn error(command: &mut Command) -> (Option<i32>, Value) {
    let output = run(command.arg("--json"));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr))
    });
    let error = answer["error"].clone();
    eprintln!(
        "{}: {} | {} | {}",
        error["code"], error["message"], error["why"], error["fix"]
    );
    (output.status.code(), error)
}

/// An image with so many megabytes that nobody has yet, in the registry; its name there.
fn new_image(folder: &Folder, megabytes: usize) -> String {
    let name = format!("{}/{}:1", registry().expect("a registry"), unique("image"));
    let script = format!(
        "head -c {megabytes}M /dev/urandom >data && tar -c data | docker import - {name} && docker push -q {name} && docker rmi {name}"
    );
    let made = run(Command::new("bash")
        .current_dir(folder.path())
        .args(["-ec", &script]));
    assert!(made.status.success(), "{}", text(&made.stderr));
    name
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_slow_pull_tells_its_bytes_and_can_be_left() {
    if !has(
        "a_slow_pull_tells_its_bytes_and_can_be_left",
        &[Part::Docker],
    ) {
        return;
    }
    const MEGABYTES: usize = 12;
    let here = Installation::new();
    let image = new_image(&here.folder, MEGABYTES);
    // The fault itself: 4 MB a second.
    let port = way_to(registry().expect("a registry"), |bytes| {
        std::thread::sleep(Duration::from_secs_f64(bytes.len() as f64 / 4e6))
    });
    let slow = image.replacen(
        &registry().expect("a registry"),
        &format!("127.0.0.1:{port}"),
        1,
    );
    let up = || here.up_with_redis(&slow, &["--json", "--redis-port", &free_port().to_string()]);
    // Left in the middle: nothing stays, and nobody waits for the rest.
    let mut left = Program::start(&mut up());
    left.wait_for_line("\"unit\":\"bytes\"");
    left.signal(rustix::process::Signal::INT);
    assert_eq!(left.wait(), Some(130));
    assert_eq!(here.leftovers(), "");
    assert!(
        !here
            .folder
            .path()
            .join("harmony/Harmony.SignalR/appsettings.json")
            .exists(),
        "the settings are as they were"
    );

    let output = run(&mut up());
    // There is no program in it: pulled, and then refused.
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let progress: Vec<Value> = text(&output.stderr)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|line: &Value| line["unit"] == "bytes")
        .collect();
    let currents: Vec<_> = progress
        .iter()
        .map(|line| line["current"].as_u64().expect("bytes"))
        .collect();
    assert!(currents.len() >= 3 && currents.is_sorted(), "{currents:?}");
    assert!(
        progress.last().expect("progress")["total"]
            .as_u64()
            .expect("bytes")
            >= (MEGABYTES as u64) << 20
    );
    assert_eq!(here.leftovers(), "");
    docker(&["rmi", "-f", &slow]);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_engine_without_room_is_told_so() {
    const TEST: &str = "an_engine_without_room_is_told_so";
    if !has(TEST, &[Part::Docker, Part::Root]) {
        return;
    }
    let here = Installation::new();
    let image = new_image(&here.folder, 48);
    let socket = here.folder.path().join("docker.sock");
    let port = registry()
        .expect("a registry")
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    // An engine of its own in a network of its own, whose disk is 40 MB; the registry reaches into
    // it by a socket file.
    let script = format!(
        "mkdir root && mount -t tmpfs -o size=40m none root && ip link set lo up
         python3 -c '
import socket, threading
def pump(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    finally: b.close()
door = socket.create_server((\"127.0.0.1\", {port}))
while True:
    one = door.accept()[0]; other = socket.socket(socket.AF_UNIX); other.connect(\"registry.sock\")
    threading.Thread(target=pump, args=(one, other), daemon=True).start(); threading.Thread(target=pump, args=(other, one), daemon=True).start()' &
         exec dockerd --data-root $PWD/root --exec-root $PWD/exec --pidfile $PWD/pid --host unix://$PWD/docker.sock --iptables=false --storage-driver vfs"
    );
    let way = std::os::unix::net::UnixListener::bind(here.folder.path().join("registry.sock"))
        .expect("a socket file");
    let address = registry().expect("a registry");
    std::thread::spawn(move || {
        for one in way.incoming().map_while(Result::ok) {
            let Ok(other) = TcpStream::connect(&address) else {
                return;
            };
            let (mut from, mut to) = (
                one.try_clone().expect("a socket"),
                other.try_clone().expect("a socket"),
            );
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut { other }, &mut { one }));
        }
    });
    // It has its own process numbers too, so that nothing of it outlives the test.
    let mut engine = Program::start(
        Command::new("unshare")
            .current_dir(here.folder.path())
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "bash",
                "-ec",
                &script,
            ]),
    );
    wait_for("the engine", || {
        assert!(!engine.has_ended(), "{}", engine.lines().join("\n"));
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    engine.wait_for_line("API listen on");
    let mut up = here.up_with_redis(&image, &[]);
    let (code, error) = error(up.env("DOCKER_HOST", format!("unix://{}", socket.display())));
    assert_eq!(
        (code, &error["code"]),
        (Some(1), &"imageUnavailable".into()),
        "{error}"
    );
    assert!(
        error["why"]
            .as_str()
            .expect("a reason")
            .contains("disk is full")
            && error["fix"]
                .as_str()
                .expect("a fix")
                .contains("docker system df"),
        "{error}"
    );
    assert!(
        !here
            .folder
            .path()
            .join("harmony/Harmony.SignalR/appsettings.json")
            .exists()
    );
    drop(engine);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn settings_on_a_full_disk_stay_as_they_are() {
    if !has("settings_on_a_full_disk_stay_as_they_are", &[Part::Docker]) {
        return;
    }
    let folder = Folder::new();
    // Mounted in a namespace of its own, which ends with its last process.
    let script = format!(
        "mkdir small && mount -t tmpfs -o size=32k none small
         mkdir -p small/src/Services/Harmony.SignalR small/src/Web/Harmony.Client/wwwroot && touch small/Harmony.sln
         printf '{{ \"RedisConnectionString\": \"\" }}' >small/src/Services/Harmony.SignalR/appsettings.json
         printf '{{ \"signalrHostUrl\": \"http://localhost:1\" }}' >small/src/Web/Harmony.Client/wwwroot/appsettings.json
         before=$(find small -name '*.json' | xargs cat)
         head -c 1M /dev/zero >small/filler 2>/dev/null || true
         '{HARMONY}' up --yes --json --checkout small --redis none --rabbitmq embedded --hub-url http://localhost:{} && exit 9
         [ \"$before\" = \"$(find small -name '*.json' | xargs cat)\" ] && find small -type f | sort",
        free_port()
    );
    let output = run(Command::new("unshare")
        .current_dir(folder.path())
        .env("HOME", folder.path().join("home"))
        .args(if is_root() {
            &["--mount"][..]
        } else {
            &["--mount", "--map-root-user"]
        })
        .args(["bash", "-c", &script]));
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert!(
        out.contains("No space left") && out.contains("settingsNotWritable"),
        "{out}"
    );
    assert_eq!(
        out.lines()
            .filter(|line| line.starts_with("small/"))
            .count(),
        4,
        "no half-written file stays: {out}"
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_user_without_the_docker_group_is_told_which_to_join() {
    if !has(
        "a_user_without_the_docker_group_is_told_which_to_join",
        &[Part::Docker, Part::Root],
    ) {
        return;
    }
    const NOBODY: &str = "65534";
    let folder = Folder::new();
    // Where that user may be: the program too, since the checkout may be closed to others.
    let program = folder.path().join("harmony-program");
    install(HARMONY.as_ref(), &program);
    let opened = run(Command::new("chown")
        .args(["-R", NOBODY])
        .arg(folder.path()));
    assert!(opened.status.success());
    let mut command = Command::new("setpriv");
    command
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(&program);
    let (code, error) = error(command.args([
        "up",
        "--yes",
        "--redis",
        "container",
        "--rabbitmq",
        "embedded",
    ]));
    assert_eq!(
        (code, &error["code"]),
        (Some(6), &"dockerNotPermitted".into()),
        "{error}"
    );
    assert!(
        error["fix"]
            .as_str()
            .expect("a fix")
            .contains("docker group"),
        "{error}"
    );
}
