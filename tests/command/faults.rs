//! A world that is not clean: no room, no rights, slow registries, servers that are too old, and what doctor says of it.

use super::bare::{Down, bare, json};
use super::checkouts::old_layout;
use super::docker::{docker, leftovers, with};
use crate::harness::program::{HARMONY, Program, harmony, run, text};
use crate::harness::services::{Part, RabbitMq, has, registry};
use crate::harness::{Folder, free_port, unique, wait_for};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

/// The error that a command ends with, and its exit code.
fn error(command: &mut Command) -> (Option<i32>, Value) {
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

/// A way to a server, on which something happens to all that the server says; its port.
fn way_to(server: String, happens: impl Fn(&mut [u8]) + Copy + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else {
                return;
            };
            let (mut up, mut to) = (
                client.try_clone().expect("a socket"),
                server.try_clone().expect("a socket"),
            );
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || {
                let (mut server, mut client, mut buffer) = (server, client, vec![0; 64 << 10]);
                while let Ok(read @ 1..) = server.read(&mut buffer) {
                    happens(&mut buffer[..read]);
                    if client.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
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
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = Down(&folder, vec!["--instance".into(), instance.clone()]);
    let image = new_image(&folder, MEGABYTES);
    // The fault itself: 4 MB a second.
    let port = way_to(registry().expect("a registry"), |bytes| {
        std::thread::sleep(Duration::from_secs_f64(bytes.len() as f64 / 4e6))
    });
    let slow = image.replacen(
        &registry().expect("a registry"),
        &format!("127.0.0.1:{port}"),
        1,
    );
    let url = format!("http://localhost:{}", free_port());
    let up = || {
        let mut command = with(
            &folder,
            &instance,
            &[
                "up",
                "--yes",
                "--json",
                "--hub-url",
                &url,
                "--redis",
                "container",
                "--rabbitmq",
                "embedded",
                "--redis-image",
                &slow,
            ],
        );
        command.args(["--redis-port", &free_port().to_string()]);
        command
    };
    // Left in the middle: nothing stays, and nobody waits for the rest.
    let mut left = Program::start(&mut up());
    left.wait_for_line("\"unit\":\"bytes\"");
    left.signal(rustix::process::Signal::INT);
    assert_eq!(left.wait(), Some(130));
    assert_eq!(leftovers(&instance), "");
    assert!(
        !folder
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
    assert_eq!(leftovers(&instance), "");
    docker(&["rmi", "-f", &slow]);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_engine_without_room_is_told_so() {
    if !has("an_engine_without_room_is_told_so", &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let image = new_image(&folder, 48);
    let socket = folder.path().join("docker.sock");
    let port = registry()
        .expect("a registry")
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    // An engine of its own in a network of its own, whose disk is 40 MB; the registry reaches into it by a socket file.
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
    let way = std::os::unix::net::UnixListener::bind(folder.path().join("registry.sock"))
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
    let mut engine = Program::start(Command::new("unshare").current_dir(folder.path()).args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "bash",
        "-ec",
        &script,
    ]));
    wait_for("the engine", || {
        assert!(!engine.has_ended(), "{}", engine.lines().join("\n"));
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    engine.wait_for_line("API listen on");
    let mut up = with(
        &folder,
        &instance,
        &[
            "up",
            "--yes",
            "--redis",
            "container",
            "--rabbitmq",
            "embedded",
            "--redis-image",
            &image,
        ],
    );
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
        !folder
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
        .args(["--mount", "bash", "-c", &script]));
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
        &[Part::Docker],
    ) {
        return;
    }
    const NOBODY: &str = "65534";
    let folder = Folder::new();
    // Where that user may be: the program too, since the checkout may be closed to others.
    let program = folder.path().join("harmony-program");
    std::fs::copy(HARMONY, &program).expect("a program");
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

/// A Redis that answers every command with the same.
fn fake_redis(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = client.read(&mut buffer) {
                    let commands = text(&buffer[..read])
                        .lines()
                        .filter(|line| line.starts_with('*'))
                        .count();
                    if client.write_all(&answer.repeat(commands)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_server_that_is_too_old_is_not_used() {
    let folder = Folder::new();
    // What Redis 5 says to HELLO. No package of it is to be had any more, so it is played.
    let redis = fake_redis(b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n");
    let mut command = harmony(folder.path());
    command.args([
        "up",
        "--yes",
        "--rabbitmq",
        "embedded",
        "--redis",
        &format!("127.0.0.1:{redis}"),
    ]);
    let (code, failure) = error(&mut command);
    assert_eq!(
        (code, &failure["code"]),
        (Some(5), &"serviceTooOld".into()),
        "{failure}"
    );
    assert!(
        failure["why"]
            .as_str()
            .expect("a reason")
            .contains("Redis 6.0"),
        "{failure}"
    );

    if has("a_server_that_is_too_old_is_not_used", &[Part::RabbitMq]) {
        let rabbitmq = RabbitMq::start();
        // The real one, which gives itself another version of the same length on the way.
        let old = way_to(format!("127.0.0.1:{}", rabbitmq.port), |bytes| {
            const KEY: &[u8] = b"\x07versionS\x00\x00\x00\x06";
            if let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) {
                bytes[at + KEY.len()..][..6].copy_from_slice(b"3.7.28");
            }
        });
        let mut command = harmony(folder.path());
        command.args([
            "up",
            "--yes",
            "--redis",
            "none",
            "--rabbitmq",
            &format!("127.0.0.1:{old}"),
            "--rabbitmq-vhost",
            &rabbitmq.virtual_host,
        ]);
        let (code, failure) = error(&mut command);
        assert_eq!(
            (code, &failure["code"]),
            (Some(5), &"serviceTooOld".into()),
            "{failure}"
        );
        assert!(
            failure["why"]
                .as_str()
                .expect("a reason")
                .contains("RabbitMQ 3.7.28; at least RabbitMQ 3.8"),
            "{failure}"
        );
    }
    assert!(!folder.path().join("harmony").exists());
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn doctor_names_what_is_broken_and_its_cure() {
    const TEST: &str = "doctor_names_what_is_broken_and_its_cure";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let failures = |folder: &Folder, variables: &[(&str, &str)]| {
        let output = run(harmony(folder.path())
            .args(["doctor", "--json"])
            .envs(variables.iter().copied()));
        let expected = if variables.is_empty() { 1 } else { 6 };
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{}",
            text(&output.stdout)
        );
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let failed: Vec<_> = answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter(|check| check["status"] == "failed")
            .cloned()
            .collect();
        for check in &failed {
            eprintln!(
                "{}: {} -> {}",
                check["name"], check["message"], check["fix"]
            );
            assert!(
                !check["fix"].as_str().unwrap_or_default().is_empty(),
                "{check}"
            );
        }
        failed
            .iter()
            .map(|check| {
                (
                    check["name"].as_str().expect("a name").to_owned(),
                    check["message"].as_str().expect("words").to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let has_failure = |found: &[(String, String)], name: &str, words: &str| {
        assert!(
            found
                .iter()
                .any(|(known, message)| known == name && message.contains(words)),
            "{name} ({words}) is not in {found:?}"
        );
    };
    let checkout = || {
        let folder = Folder::new();
        old_layout(&folder);
        folder
    };

    eprintln!("-- no Docker where DOCKER_HOST says");
    let folder = checkout();
    has_failure(
        &failures(&folder, &[("DOCKER_HOST", "unix:///nowhere/docker.sock")]),
        "engine",
        "/nowhere/docker.sock",
    );

    eprintln!("-- settings that can't be read");
    let folder = checkout();
    folder.write(
        "src/Web/Harmony.SignalR/appsettings.json",
        "{\n  \"RedisConnectionString\": \n}",
    );
    has_failure(&failures(&folder, &[]), "settings", "appsettings.json:3:1");

    eprintln!("-- a certificate that is not there");
    let folder = checkout();
    let path = "src/Web/Harmony.SignalR/appsettings.json";
    let text = folder.read(path);
    folder.write(path, &text.replacen('{', "{ \"Kestrel\": { \"Certificates\": { \"Default\": { \"Path\": \"gone.pfx\", \"Password\": \"x\" } } },", 1));
    has_failure(&failures(&folder, &[]), "certificate", "gone.pfx");

    eprintln!("-- the hub's port is held by another");
    let folder = checkout();
    let thief = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = thief.local_addr().expect("an address").port();
    for name in ["appsettings.json", "appsettings.Production.json"] {
        folder.write(
            &format!("src/Web/Harmony.Client/wwwroot/{name}"),
            &format!("{{ \"signalrHostUrl\": \"http://localhost:{port}\" }}"),
        );
    }
    has_failure(
        &failures(&folder, &[]),
        "hub",
        &format!("uses its port {port}"),
    );

    eprintln!("-- the hub froze");
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let up = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let pid = rustix::process::Pid::from_raw(
        i32::try_from(up["hub"]["pid"].as_i64().expect("a pid")).expect("a pid"),
    )
    .expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("a signal");
    let found = failures(&folder, &[]);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("a signal");
    has_failure(&found, "hub", "does not respond");
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn instances_with_like_names_do_not_touch_each_other() {
    if !has(
        "instances_with_like_names_do_not_touch_each_other",
        &[Part::Docker],
    ) {
        return;
    }
    // One's name is the beginning of the other's, and of its containers'.
    let (folder, one) = (Folder::new(), unique("t"));
    let other = format!("{one}-redis");
    let _downs = [&one, &other].map(|name| Down(&folder, vec!["--instance".into(), name.clone()]));
    let up = |instance: &str| {
        let image = format!("{}/redis:7-alpine", registry().expect("a registry"));
        let (url, port) = (
            format!("http://localhost:{}", free_port()),
            free_port().to_string(),
        );
        let checkout = folder.path().join(instance).display().to_string();
        std::fs::create_dir_all(&checkout).expect("a folder");
        json(
            with(
                &folder,
                instance,
                &[
                    "up",
                    "--yes",
                    "--checkout",
                    &checkout,
                    "--redis",
                    "container",
                    "--rabbitmq",
                    "embedded",
                ],
            )
            .args([
                "--redis-image",
                &image,
                "--hub-url",
                &url,
                "--redis-port",
                &port,
            ]),
        )
    };
    let (first, second) = (up(&one), up(&other));
    assert_ne!(first["redis"]["container"], second["redis"]["container"]);
    assert_eq!(
        json(&mut with(&folder, &one, &["down", "--volumes", "--yes"]))["changes"],
        2
    );
    assert_eq!(leftovers(&one), "");
    let status = json(&mut with(&folder, &other, &["status"]));
    assert_eq!(
        [&status["redis"]["state"], &status["hub"]["state"]],
        ["running", "running"],
        "{status}"
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn while_one_works_the_other_is_told_and_what_never_answers_is_given_up_in_time() {
    if !has(
        "while_one_works_the_other_is_told_and_what_never_answers_is_given_up_in_time",
        &[Part::Docker],
    ) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = Down(&folder, vec!["--instance".into(), instance.clone()]);
    // A Redis that starts and says nothing.
    let image = format!("{}/redis:7-alpine", registry().expect("a registry"));
    assert!(
        run(Command::new("docker").args(["pull", "-q", &image]))
            .status
            .success()
    );
    let silent = format!("{instance}:silent");
    let container = docker(&["create", &image, "true"]);
    // What it is told to run stands behind the shell's program, and is passed over.
    docker(&[
        "commit",
        "--change",
        "ENTRYPOINT [\"/bin/sh\",\"-c\",\"sleep 1000\"]",
        container.trim(),
        &silent,
    ]);
    docker(&["rm", "-v", container.trim()]);
    let url = format!("http://localhost:{}", free_port());
    let port = free_port().to_string();
    let up = |timeout: &str| {
        let mut command = with(
            &folder,
            &instance,
            &[
                "up",
                "--yes",
                "--timeout",
                timeout,
                "--hub-url",
                &url,
                "--redis",
                "container",
                "--rabbitmq",
                "embedded",
            ],
        );
        command.args([
            "--redis-image",
            &silent,
            "--redis-port",
            &port,
            "--bind",
            "0.0.0.0",
        ]);
        command
    };
    let mut first = Program::start(&mut up("60s"));
    let said = first.wait_for_line("published on 0.0.0.0: ");
    assert!(
        said.contains("who reaches that address reaches them"),
        "{said}"
    );
    let (code, second) = error(&mut up("60s"));
    assert_eq!(
        (code, &second["code"]),
        (Some(1), &"instanceBusy".into()),
        "{second}"
    );
    assert!(
        second["message"]
            .as_str()
            .expect("words")
            .contains("harmony up --yes (pid "),
        "{second}"
    );
    first.signal(rustix::process::Signal::INT);
    first.wait();
    let (code, late) = error(&mut up("1500ms"));
    assert_eq!(
        (code, &late["code"]),
        (Some(5), &"serviceNotReady".into()),
        "{late}"
    );
    docker(&["rmi", "-f", &silent]);
    assert_eq!(leftovers(&instance), "");
}
