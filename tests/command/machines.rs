//! What `doctor` says of engines, of Windows around a Linux, of who may reach the hub, and what it
//! fixes.

use super::bare::{Down, bare, json};
use super::doctor::{SIGNALR, check, checkout, doctor};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{Program, harmony, run, text};
use crate::harness::services::{RabbitMq, Redis};
use crate::harness::terminal::{ENTER, Shape, Terminal};
use crate::harness::{Folder, free_port, unique, wait_for};
use bollard::models::{SystemInfo, SystemVersion};
use harmony::containers::docker::{EngineFacts, EngineProduct};
use serde_json::{Value, json as document};
use std::process::Command;

/// What Windows's own tool says of the ports that it keeps and lends.
const NETSH: &str = r#"#!/bin/sh
case "$*" in
*excludedportrange*) printf '\r
Protocol tcp Port Exclusion Ranges\r
\r
Start Port    End Port\r
----------    --------\r
      5357        5357\r
      5613        5712\r
     50000       50059     *\r
\r
* - Administered port exclusions.\r
' ;;
*) printf '\r
Protokoll tcp Dynamischer Portbereich\r
---------------------------------\r
Startport       : 1024\r
Anzahl Ports    : 64511\r
' ;;
esac
"#;

#[test]
fn ports_that_windows_keeps_are_named_inside_wsl() {
    let folder = Folder::new();
    folder.script("bin/netsh.exe", NETSH);
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", folder.path().join("bin").display());
    let found = |name| {
        let mut doctor = doctor(&folder);
        doctor.env("WSL_DISTRO_NAME", "Debian").env("PATH", &path);
        check(&mut doctor, name).unwrap_or_else(|| panic!("no check {name}"))
    };
    assert_eq!(found("WSL")["status"], "ok");
    let kept = found("reserved ports");
    assert_eq!(kept["status"], "warning", "{kept}");
    let message = kept["message"].as_str().expect("a message");
    assert!(message.contains("5672 (in 5613 to 5712)"), "{message}");
    assert!(!message.contains("6379"), "{message}");
    let lent = found("Windows ports");
    assert_eq!(lent["status"], "warning", "{lent}");
    assert!(
        lent["message"]
            .as_str()
            .is_some_and(|text| text.contains("1024 to 65534"))
    );
    assert_eq!(check(&mut doctor(&folder), "WSL"), None);
}

#[test]
fn origins_that_no_browser_sends_are_pointed_out() {
    let folder = Folder::new();
    checkout(&folder);
    folder.write(
        "src/Web/Harmony.Client/Properties/launchSettings.json",
        "\u{feff}{ \"profiles\": { \"https\": { \"applicationUrl\": \"https://localhost:7014\" } } }",
    );
    let page = "https://localhost:7014";
    for (origins, status, says) in [
        (document!(""), "ok", "every web page"),
        (document!("*"), "ok", "every web page"),
        (
            document!([page, "https://kanban.example.com/"]),
            "ok",
            "only",
        ),
        (
            document!(format!("{page};kanban.example.com")),
            "warning",
            "'kanban.example.com'",
        ),
        (
            document!([page, "https://kanban.example.com:443"]),
            "warning",
            ":443'",
        ),
        (
            document!([page, "https://example.com/board"]),
            "warning",
            "/board'",
        ),
        (document!("https://kanban.example.com"), "warning", page),
    ] {
        let settings = document!({ "Cors": { "Origins": origins } });
        folder.write(
            &format!("{SIGNALR}/appsettings.json"),
            &settings.to_string(),
        );
        let found = check(&mut doctor(&folder), "CORS").expect("a check");
        assert_eq!(found["status"], status, "{settings}: {found}");
        assert!(
            found["message"]
                .as_str()
                .is_some_and(|text| text.contains(says)),
            "{found}"
        );
    }
}

#[test]
fn the_switch_that_trusts_every_proxy_is_found_wherever_it_is() {
    let folder = Folder::new();
    checkout(&folder);
    let found = |doctor: &mut Command| check(doctor, "forwarded headers");
    for variable in [
        "ASPNETCORE_FORWARDEDHEADERS_ENABLED",
        "DOTNET_FORWARDEDHEADERS_ENABLED",
    ] {
        let check = found(doctor(&folder).env(variable, "true")).expect("a check");
        let message = check["message"].as_str().expect("a message");
        assert!(message.contains(variable), "{message}");
    }
    folder.write(
        &format!("{SIGNALR}/appsettings.json"),
        "{\n  \"ForwardedHeaders_Enabled\": true\n}",
    );
    let check = found(&mut doctor(&folder)).expect("a check");
    let message = check["message"].as_str().expect("a message");
    assert!(message.contains("appsettings.json:2"), "{message}");
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn servers_that_nobody_maintains_are_pointed_out() {
    const TEST: &str = "servers_that_nobody_maintains_are_pointed_out";
    if !has(TEST, &[Part::Redis, Part::RabbitMq]) {
        return;
    }
    let (folder, redis, rabbitmq) = (Folder::new(), Redis::start(), RabbitMq::start());
    let settings = document!({
        "RedisConnectionString": format!("127.0.0.1:{}", redis.port),
        "BrokerConfiguration": {
            "Host": "127.0.0.1", "Port": rabbitmq.port, "VirtualHost": rabbitmq.virtual_host
        }
    });
    folder.write("Harmony.SignalR/appsettings.json", &settings.to_string());
    let version = |command: &str| text(&run(Command::new("sh").args(["-c", command])).stdout);
    for (name, of, maintained) in [
        (
            "Redis version",
            version("redis-server --version"),
            ["v=6.2", "v=7.2", "v=7.4", "v=8.2"],
        ),
        (
            "RabbitMQ version",
            version("rabbitmqctl version"),
            ["4.2", "4.3", "4.4", "5."],
        ),
    ] {
        let found = check(&mut doctor(&folder), name).expect("a check");
        let is_maintained = maintained.iter().any(|series| of.contains(series));
        let expected = if is_maintained { "ok" } else { "warning" };
        assert_eq!(found["status"], expected, "{of}: {found}");
    }
}

/// Kills a background hub with what would start it again.
fn kill_hub(pid: u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, rest) = stat.rsplit_once(')').expect("its name");
    let parent = rest.split_whitespace().nth(1).expect("its parent");
    for process in [parent, &pid.to_string()] {
        let killed = run(Command::new("kill").args(["-9", process]));
        assert!(killed.status.success(), "{}", text(&killed.stderr));
    }
    wait_for("the hub's end", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

#[test]
fn fix_starts_a_hub_that_died_once_somebody_agrees() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let up = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    kill_hub(up["hub"]["pid"].as_u64().expect("a pid"));
    let found = check(&mut doctor(&folder), "hub").expect("a check");
    assert_eq!(found["status"], "failed", "{found}");

    let mut fix = harmony(folder.path());
    fix.args(["doctor", "--fix"]);
    let mut terminal = Terminal::start(&fix, Shape::columns(100));
    terminal.answer("Start what does not respond", ENTER);
    terminal.sees("? Go ahead?");
    terminal.press(ENTER);
    terminal.sees("running");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    let status = json(&mut bare(&folder, &["status"]));
    assert_eq!(status["hub"]["state"], "running", "{status}");
    assert_eq!(
        check(&mut doctor(&folder), "hub").expect("a check")["status"],
        "ok"
    );
    json(&mut bare(&folder, &["down"]));
    let found = check(&mut doctor(&folder), "hub").expect("a check");
    assert_eq!(
        found["status"], "ok",
        "one that was stopped is not missing: {found}"
    );
}

#[test]
#[ignore = "needs certutil: run tests/run"]
fn fix_lets_browsers_trust_the_certificate_again() {
    if !has(
        "fix_lets_browsers_trust_the_certificate_again",
        &[Part::Certutil],
    ) {
        return;
    }
    let folder = Folder::new();
    folder.write("Harmony.SignalR/appsettings.json", "{}");
    let client = "Harmony.Client/wwwroot/appsettings.json";
    folder.write(client, "{ \"signalrHostUrl\": \"https://localhost:7262\" }");
    let trust = || check(&mut doctor(&folder), "certificate trust").expect("a check");
    json(&mut bare(&folder, &["certs", "trust"]));
    let database = format!("sql:{}", folder.path().join("home/.pki/nssdb").display());
    let names_browsers = |check: &Value| check["message"].to_string().contains(".pki/nssdb");
    assert!(!names_browsers(&trust()), "{}", trust());
    let forget = ["-D", "-n", "harmony-localhost", "-d", &database];
    assert!(run(Command::new("certutil").args(forget)).status.success());
    assert!(names_browsers(&trust()), "{}", trust());
    run(&mut bare(&folder, &["doctor", "--fix", "--yes"]));
    assert!(!names_browsers(&trust()), "{}", trust());
}

/// Podman with a store of its own; its socket.
fn podman(folder: &Folder) -> (Program, String) {
    let registry = registry().expect("a registry");
    let registries = format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n");
    let configuration = folder.write("registries.conf", &registries);
    // Podman's usual limits may be above this session's own.
    let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n";
    let containers = folder.write("containers.conf", limits);
    let below = |name: &str| folder.path().join(name).display().to_string();
    let socket = format!("unix://{}", below("podman.sock"));
    let mut command = Command::new("podman");
    command.args(["--root", &below("store"), "--runroot", &below("run")]);
    command.args(["--network-config-dir", &below("networks")]);
    command.args([
        "--storage-driver",
        "vfs",
        "system",
        "service",
        "--time",
        "0",
        &socket,
    ]);
    command.env("CONTAINERS_REGISTRIES_CONF", configuration);
    command.env("CONTAINERS_CONF", containers);
    let program = Program::start(&mut command);
    wait_for("Podman's socket", || {
        std::os::unix::net::UnixStream::connect(folder.path().join("podman.sock")).ok()
    });
    (program, socket)
}

#[test]
#[ignore = "needs Podman and a registry: run tests/run"]
fn podman_brings_everything_up_and_doctor_knows_it() {
    const TEST: &str = "podman_brings_everything_up_and_doctor_knows_it";
    if !has(TEST, &[Part::Podman, Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let (_podman, socket) = podman(&folder);
    let with = |arguments: &[&str]| {
        let mut command = harmony(folder.path());
        command.args(arguments).args(["--instance", &instance]);
        command.env("DOCKER_HOST", &socket);
        command
    };
    let url = format!("http://localhost:{}", free_port());
    let registry = registry().expect("a registry");
    let up = [
        "up",
        "--yes",
        "--redis",
        "container",
        "--rabbitmq",
        "container",
    ];
    let [redis, rabbitmq] = [free_port().to_string(), free_port().to_string()];
    let ports = ["--redis-port", &redis, "--rabbitmq-port", &rabbitmq];
    let images = ["--image-registry", &registry, "--hub-url", &url];
    let first = json(with(&up).args(images).args(ports));
    assert_eq!(first["rabbitmq"]["state"], "running", "{first}");
    let found = check(&mut with(&["doctor"]), "engine").expect("a check");
    assert_eq!(found["status"], "ok", "{found}");
    assert!(
        found["message"]
            .as_str()
            .is_some_and(|text| text.contains("Podman")),
        "{found}"
    );
    assert_eq!(
        check(&mut with(&["doctor"]), "logs").expect("a check")["status"],
        "ok"
    );
    assert_eq!(json(&mut with(&["verify"]))["ok"], true);
    assert_eq!(json(with(&up).args(images).args(ports))["changes"], 0);
    json(&mut with(&["down", "--volumes", "--yes"]));
    assert_eq!(json(&mut with(&["down"]))["changes"], 0);
}

fn facts(version: Value, info: Value) -> EngineFacts {
    let version: SystemVersion = serde_json::from_value(version).expect("a version");
    EngineFacts::of(
        &version,
        serde_json::from_value::<SystemInfo>(info).expect("facts"),
    )
}

#[test]
fn engines_are_told_apart_by_their_own_words() {
    let podman = facts(
        document!({ "Version": "4.3.1", "Components": [
            { "Name": "Podman Engine", "Version": "4.3.1" }, { "Name": "Conmon", "Version": "2" }
        ]}),
        document!({
            "OperatingSystem": "debian", "SecurityOptions": ["name=seccomp", "name=rootless"],
            "LoggingDriver": "", "MemoryLimit": false,
            "Plugins": { "Log": ["k8s-file", "none", "passthrough", "journald"] }
        }),
    );
    assert_eq!(
        (podman.product, podman.is_rootless),
        (EngineProduct::Podman, true)
    );
    assert!(!podman.enforces_limits);
    let docker = facts(
        document!({ "Version": "20.10.24", "Components": [{ "Name": "Engine", "Version": "1" }] }),
        document!({ "OperatingSystem": "Debian GNU/Linux 12", "LoggingDriver": "journald" }),
    );
    assert_eq!(
        (docker.product, docker.is_rootless),
        (EngineProduct::Docker, false)
    );
    assert!(docker.enforces_limits);
    let desktop = facts(
        document!({}),
        document!({ "OperatingSystem": "Docker Desktop" }),
    );
    assert_eq!(desktop.product, EngineProduct::DockerDesktop);
}
