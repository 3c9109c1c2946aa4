//! The hub as a container: made, joined to its servers, repaired, and a process again.

use super::drift::{steps, up};
use crate::harness::installation::{Installation, docker, json};
use crate::harness::parts::{Part, has, registry};
use crate::harness::services::Redis;
use crate::harness::wait_for;
use serde_json::Value;
use std::process::{Command, Stdio};

#[test]
#[ignore = "needs Docker: run tests/run"]
fn the_hub_as_a_container_and_back() {
    if !has("the_hub_as_a_container_and_back", &[Part::Docker]) {
        return;
    }
    let up = up();
    let (redis, hub) = (up.container("redis"), up.container("signalr"));
    let network = format!("harmony-{}", up.instance);
    const JOIN: &str = "joins the network NAME, where the hub finds it";
    up.repaired(
        "hub to be a container",
        &["--hub", "container"],
        &[
            (
                "create",
                "network NAME",
                "the hub's container finds Redis and RabbitMQ in it",
            ),
            ("edit", "container NAME-redis", JOIN),
            ("edit", "container NAME-rabbitmq", JOIN),
            ("stop", "hub", "it becomes a container"),
            (
                "create",
                &image(&hub, &up),
                "the hub's container runs this program",
            ),
            ("create", "container NAME-signalr", "new"),
        ],
    );
    let report = up.json(&["status"]);
    assert_eq!(
        [
            &report["hub"]["state"],
            &report["hub"]["container"],
            &report["hub"]["url"]
        ],
        ["running", &hub, &up.url],
        "{report}"
    );
    let inspected: Value = serde_json::from_str(&docker(&["inspect", &hub])).expect("JSON");
    assert_eq!(inspected[0]["Config"]["User"], "65532:65532", "nobody");
    assert_eq!(inspected[0]["HostConfig"]["CapDrop"][0], "ALL");
    let addresses = inspected[0]["HostConfig"]["PortBindings"]["80/tcp"]
        .as_array()
        .expect("bindings")
        .clone();
    assert!(
        addresses.iter().all(|binding| ["127.0.0.1", "::1"]
            .contains(&binding["HostIp"].as_str().expect("an address"))),
        "{addresses:?}"
    );
    let told = inspected[0]["Config"].to_string() + &inspected[0]["Args"].to_string();
    let password = up
        .folder
        .read("src/Web/Harmony.SignalR/appsettings.json")
        .split("password=")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a password")
        .to_owned();
    assert!(
        !told.contains(&password),
        "no secret in arguments or the environment"
    );
    let logs = String::from_utf8(
        Command::new("docker")
            .args(["logs", &hub])
            .stderr(Stdio::null())
            .output()
            .expect("logs")
            .stdout,
    )
    .expect("text");
    assert!(logs.contains("Application started"), "{logs}");
    assert!(json_lines(&up, &["logs", "hub"]).contains("Application started"));

    // It is started again when it dies.
    let pid = docker(&["inspect", "-f", "{{.State.Pid}}", &hub]);
    let kill = format!("kill -9 {}", pid.trim());
    let any = format!("{}/redis:8-alpine", registry().expect("a registry"));
    // Not by Docker's own kill, behind which it starts nothing again.
    let beside = ["run", "--rm", "--pid", "host"];
    docker(&[&beside[..], &["--entrypoint", "sh", &any, "-c", &kill]].concat());
    wait_for("the hub's return", || {
        (docker(&["inspect", "-f", "{{.State.Pid}}", &hub]) != pid && up.state("hub") == "running")
            .then_some(())
    });

    docker(&["network", "disconnect", &network, &redis]);
    up.repaired(
        "server not in the network",
        &[],
        &[("edit", "container NAME-redis", JOIN)],
    );
    up.edit("appsettings.json", |text| {
        text.replacen("\"Default\": \"Information\"", "\"Default\": \"Debug\"", 1)
    });
    up.repaired(
        "settings edited",
        &[],
        &[("replace", "container NAME-signalr", "its settings changed")],
    );
    // HTTPS by the certificate made for this machine, on the port that the URL has.
    let secure = up.url.replace("http:", "https:");
    up.repaired(
        "HTTPS",
        &["--hub-url", &secure],
        &[
            (
                "edit",
                "Harmony.Client/wwwroot/appsettings.json",
                "sets signalrHostUrl",
            ),
            (
                "edit",
                "Harmony.Client/wwwroot/appsettings.Production.json",
                "sets signalrHostUrl",
            ),
            ("replace", "container NAME-signalr", "its settings changed"),
        ],
    );
    up.repaired(
        "hub to be a process again",
        &["--hub", "process"],
        &[
            ("remove", "container NAME-signalr", "no longer wanted"),
            ("launch", "hub", "not running"),
            ("remove", "network NAME", "no container needs it"),
        ],
    );
    json(&mut up.up_again(&["--hub", "container"]));
    let down = up.remove();
    assert_eq!(down["changes"], 6, "{down}");
    assert_eq!(up.leftovers(), "");
}

/// The image that the hub's container is to be of; its digest is the program's, and so the plan's
/// to say.
fn image(hub: &str, up: &Installation) -> String {
    let plan = json(&mut up.up_again(&["--hub", "container", "--dry-run"]));
    let target = steps(&plan)
        .into_iter()
        .map(|(_, target, _)| target)
        .find(|target| target.starts_with("image "))
        .unwrap_or_else(|| panic!("{hub}: {plan}"));
    assert!(
        target.starts_with(&format!("image {hub}:{}-", env!("CARGO_PKG_VERSION"))),
        "{target}"
    );
    target
}

fn json_lines(up: &Installation, arguments: &[&str]) -> String {
    String::from_utf8(up.command(arguments).output().expect("logs").stdout).expect("text")
}

#[test]
#[ignore = "needs Docker and Redis: run tests/run"]
fn a_hub_in_a_container_says_what_it_can_not_reach() {
    const TEST: &str = "a_hub_in_a_container_says_what_it_can_not_reach";
    if !has(TEST, &[Part::Docker, Part::Redis]) {
        return;
    }
    let (here, redis) = (Installation::new(), Redis::start());
    let output = here
        .command(&[
            "up",
            "--yes",
            "--json",
            "--hub",
            "container",
            "--rabbitmq",
            "embedded",
            "--redis",
            &redis.connection_string(),
        ])
        .output()
        .expect("up");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "outOfReach", "{answer}");
    assert!(!here.folder.path().join("harmony").exists());
}
