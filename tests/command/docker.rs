//! With Docker: containers started, used, found again, and gone without a trace.

use super::bare::{Down, javascript};
use super::checkouts::{new_layout, old_layout};
use crate::harness::Folder;
use crate::harness::installation::{Installation, json};
pub(crate) use crate::harness::installation::{docker, leftovers};
use crate::harness::parts::{Part, has};
use crate::harness::program::{Program, dotnet, harmony, peer, run, text};
use serde_json::Value;
use std::process::Command;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

/// `harmony` with arguments, for an instance.
pub(crate) fn with(folder: &Folder, instance: &str, arguments: &[&str]) -> Command {
    let mut command = harmony(folder.path());
    command.args(arguments).args(["--instance", instance]);
    command
}

/// Brings an instance down when the test ends.
pub(crate) fn down<'f>(folder: &'f Folder, instance: &str) -> Down<'f> {
    Down(folder, vec!["--instance".into(), instance.into()])
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn from_a_checkout_to_the_official_clients_and_back_to_nothing() {
    const TEST: &str = "from_a_checkout_to_the_official_clients_and_back_to_nothing";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let here = Installation::in_checkout(new_layout);
    let instance = &here.instance;
    let url = &here.url;
    let first = json(&mut here.up(&["--hub-url", url]));
    for service in ["redis", "rabbitmq"] {
        assert_eq!(first[service]["state"], "running", "{first}");
        assert_eq!(
            first[service]["container"],
            format!("harmony-{instance}-{service}")
        );
    }
    assert!(
        !first["redis"]["connectionString"]
            .as_str()
            .expect("a text")
            .contains(&password(&here.folder)),
        "secrets are masked: {first}"
    );

    // Published on loopback alone, labelled, and no secret in arguments.
    let inspected: Value =
        serde_json::from_str(&docker(&["inspect", &here.container("redis")])).expect("JSON");
    let bindings = &inspected[0]["HostConfig"]["PortBindings"]["6379/tcp"][0];
    assert_eq!(bindings["HostIp"], "127.0.0.1");
    let labels = &inspected[0]["Config"]["Labels"];
    assert_eq!(labels["harmony.instance"], *instance);
    assert_eq!(labels["harmony.version"], env!("CARGO_PKG_VERSION"));
    assert!(
        labels["harmony.config-hash"]
            .as_str()
            .is_some_and(|hash| hash.len() == 32)
    );
    assert!(
        !inspected[0]["Args"]
            .to_string()
            .contains(&password(&here.folder))
    );
    assert!(
        !docker(&["logs", &here.container("rabbitmq")]).contains(&broker_password(&here.folder))
    );

    let second = json(&mut here.up_again(&[]));
    assert_eq!(second["changes"], 0, "{second}");
    here.assert_verified();
    let status = here.json(&["status"]);
    assert_eq!(
        [
            &status["hub"]["state"],
            &status["redis"]["state"],
            &status["rabbitmq"]["state"]
        ],
        ["running", "running", "running"]
    );

    // A card is created, and both official clients hear it.
    let mut clients: Vec<(&str, Program)> = Vec::new();
    if has(TEST, &[Part::Node]) {
        clients.push(("JavaScript", javascript(url, BOARD, "OnCardCreated")));
    }
    if has(TEST, &[Part::Peer]) {
        let mut command = dotnet(&peer().expect("the peer"), "refclient");
        command.args([&format!("{url}/signalRHub"), BOARD, "60"]);
        let mut program = Program::start(&mut command);
        program.wait_for_line("joined");
        clients.push((".NET", program));
    }
    let card = [
        "publish",
        "CardCreated",
        "--board",
        BOARD,
        "--field",
        "Card.Title=Made by harmony",
        "--field",
        "UserId=u",
    ];
    let published = run(&mut here.command(&card));
    assert!(published.status.success(), "{}", text(&published.stderr));
    for (name, client) in &mut clients {
        let line = client.wait_for_line("OnCardCreated");
        eprintln!("{name}: OnCardCreated{line}");
        assert!(line.contains("Made by harmony"), "{name}: {line}");
    }
    drop(clients);

    let down = here.remove();
    assert_eq!(down["changes"], 4, "{down}");
    assert_eq!(here.leftovers(), "");
    assert_eq!(here.json(&["status"])["hub"]["state"], "absent");
}

fn password(folder: &Folder) -> String {
    let text = folder.read("src/Services/Harmony.SignalR/appsettings.json");
    text.split("password=")
        .nth(1)
        .expect("a password")
        .split('"')
        .next()
        .expect("its end")
        .to_owned()
}

fn broker_password(folder: &Folder) -> String {
    let text = folder.read("src/Services/Harmony.SignalR/appsettings.json");
    text.split("\"Password\": \"")
        .nth(1)
        .expect("a password")
        .split('"')
        .next()
        .expect("its end")
        .to_owned()
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_volume_with_another_password_is_given_the_one_of_the_settings() {
    if !has(
        "a_volume_with_another_password_is_given_the_one_of_the_settings",
        &[Part::Docker],
    ) {
        return;
    }
    let here = Installation::in_checkout(old_layout);
    let instance = &here.instance;
    let url = &here.url;
    json(&mut here.up(&["--hub-url", url]));
    here.json(&["down"]);
    let volume = docker(&[
        "volume",
        "ls",
        "-q",
        "--filter",
        &format!("label=harmony.instance={instance}"),
    ]);
    let settings = here.folder.read("src/Web/Harmony.SignalR/appsettings.json");
    let known = settings
        .split("\"Password\": \"")
        .nth(1)
        .expect("a password")
        .split('"')
        .next()
        .expect("its end")
        .to_owned();
    let another = settings
        .replace(&known, "another-Password")
        .replace("\"Username\": \"harmony\"", "\"Username\": \"somebody\"");
    here.folder
        .write("src/Web/Harmony.SignalR/appsettings.json", &another);
    let output = run(here.up_again(&[]).arg("--json"));
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(
        text(&output.stderr).contains("its data stays")
            && !text(&output.stderr).contains("another-Password")
    );
    assert_eq!(
        docker(&[
            "volume",
            "ls",
            "-q",
            "--filter",
            &format!("label=harmony.instance={instance}")
        ]),
        volume,
        "the volume is the same"
    );
    here.assert_verified();
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn logs_come_from_all_three_and_doctor_finds_all_well() {
    if !has(
        "logs_come_from_all_three_and_doctor_finds_all_well",
        &[Part::Docker],
    ) {
        return;
    }
    let here = Installation::in_checkout(old_layout);
    let url = &here.url;
    let redis_port = &here.redis_port;
    json(&mut here.up(&["--hub-url", url]));
    // RabbitMQ answers a little before it says that it has started.
    for (source, line) in [
        ("redis", "Ready to accept connections"),
        ("rabbitmq", "Server startup complete"),
        ("hub", "Application started"),
    ] {
        crate::harness::wait_for(line, || {
            let logs = text(&run(&mut here.command(&["logs"])).stdout);
            logs.lines()
                .any(|found| found.starts_with(source) && found.contains(line))
                .then_some(())
        });
    }
    // Followed over a restart.
    let mut following = Program::start(
        here.command(&["logs", "redis", "-f", "--tail", "0"])
            .arg("-q"),
    );
    let redis = here.container("redis");
    for _ in 0..2 {
        docker(&["restart", "-t", "2", &redis]);
        following.wait_for_line("Ready to accept connections");
    }
    let ready = || {
        following
            .lines()
            .iter()
            .filter(|line| line.contains("Ready to accept connections"))
            .count()
    };
    crate::harness::wait_for("both restarts", || (ready() >= 2).then_some(()));
    drop(following);

    let diagnosis = here.json(&["doctor"]);
    assert_eq!(diagnosis["summary"]["failed"], 0, "{diagnosis}");
    let of = |name: &str| {
        diagnosis["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert!(
        of("Redis")["message"]
            .as_str()
            .expect("a message")
            .contains(redis_port),
        "{diagnosis}"
    );
    let variables = text(&run(&mut here.command(&["status", "--format", "dotnet-env"])).stdout);
    assert!(
        variables.contains(&format!(
            "BrokerConfiguration__Port={}\n",
            here.rabbitmq_port
        )),
        "{variables}"
    );
    assert!(
        variables.contains(&format!(
            "RedisConnectionString='127.0.0.1:{redis_port},password="
        )) || variables.contains(&format!("RedisConnectionString=127.0.0.1:{redis_port}")),
        "{variables}"
    );

    docker(&["stop", "-t", "1", &redis]);
    let ill = run(here.command(&["doctor"]).arg("--json"));
    assert_eq!(ill.status.code(), Some(1));
    assert!(
        text(&ill.stdout).contains("does not respond"),
        "{}",
        text(&ill.stdout)
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_taken_port_is_named_with_its_holder() {
    if !has("a_taken_port_is_named_with_its_holder", &[Part::Docker]) {
        return;
    }
    let here = Installation::new();
    let thief = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = thief.local_addr().expect("an address").port().to_string();
    let output = run(here.up(&["--redis-port", &port]).arg("--json"));
    let error: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(error["error"]["code"], "portInUse", "{error}");
    assert!(
        error["error"]["why"]
            .as_str()
            .expect("a reason")
            .contains(&format!("pid {}", std::process::id())),
        "{error}"
    );
    assert_eq!(here.leftovers(), "");
    assert!(!here.folder.path().join("harmony").exists());
}

#[cfg(unix)]
#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_interrupted_up_ends_with_130_and_the_next_one_repairs() {
    if !has(
        "an_interrupted_up_ends_with_130_and_the_next_one_repairs",
        &[Part::Docker],
    ) {
        return;
    }
    let here = Installation::new();
    let url = &here.url;
    let mut interrupted = Program::start(&mut here.up(&["--hub-url", url]));
    interrupted.wait_for_line("waiting for rabbitmq");
    interrupted.signal(rustix::process::Signal::INT);
    assert_eq!(interrupted.wait(), Some(130));
    assert_eq!(here.leftovers(), "", "what was made is unmade");
    json(&mut here.up_again(&[]));
    here.assert_verified();
    // Killed, it leaves no more behind than the next one can use.
    here.remove();
    let mut killed = Program::start(&mut here.up(&["--hub-url", url]));
    killed.wait_for_line("waiting for rabbitmq");
    killed.signal(rustix::process::Signal::KILL);
    assert_eq!(killed.wait(), None);
    json(&mut here.up_again(&[]));
    here.assert_verified();
}

#[test]
#[ignore = "needs Docker, Redis and RabbitMQ: run tests/run"]
fn a_server_that_answers_at_the_configured_address_is_used_and_never_stopped() {
    use crate::harness::services::{RabbitMq, Redis};
    const TEST: &str = "a_server_that_answers_at_the_configured_address_is_used_and_never_stopped";
    if !has(TEST, &[Part::Docker, Part::Redis, Part::RabbitMq]) {
        return;
    }
    let here = Installation::in_checkout(old_layout);
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let url = &here.url;
    for (name, from, to) in [
        (
            "appsettings.Production.json",
            "127.0.0.1:6379".to_owned(),
            redis.connection_string(),
        ),
        (
            "appsettings.json",
            "5672".to_owned(),
            rabbitmq.port.to_string(),
        ),
        (
            "appsettings.json",
            "\"VirtualHost\": \"\"".to_owned(),
            format!("\"VirtualHost\": \"{}\"", rabbitmq.virtual_host),
        ),
    ] {
        let path = format!("src/Web/Harmony.SignalR/{name}");
        here.folder
            .write(&path, &here.folder.read(&path).replace(&from, &to));
    }
    let before = here.folder.read("src/Web/Harmony.SignalR/appsettings.json");
    let report = json(
        here.command(&["up", "--yes", "--hub-url", url])
            .env_remove("ASPNETCORE_ENVIRONMENT"),
    );
    assert_eq!(
        [&report["redis"]["state"], &report["rabbitmq"]["state"]],
        ["external", "external"],
        "{report}"
    );
    assert_eq!(
        here.folder.read("src/Web/Harmony.SignalR/appsettings.json"),
        before
    );
    here.assert_verified();
    here.remove();
    drop(redis.listen());
}
