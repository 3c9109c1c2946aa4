//! Whatever becomes of what was brought up, the next `up` finds it, names it, and repairs it with the least that does.

use super::bare::json;
use super::checkouts::old_layout;
use super::docker::{docker, down, leftovers, up, with};
use crate::harness::services::{Part, has, registry};
use crate::harness::{Folder, free_port, unique, wait_for};
use serde_json::Value;
use std::process::{Command, Stdio};

/// What `up` did: each step's action, target and cause.
fn steps(report: &Value) -> Vec<(String, String, String)> {
    let word = |step: &Value, name: &str| step[name].as_str().expect("a text").to_owned();
    report["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| {
            (
                word(step, "action"),
                word(step, "target"),
                word(step, "cause"),
            )
        })
        .collect()
}

/// An instance that is up, on ports of its own: the usual ones another test may take.
struct Up {
    folder: Folder,
    instance: String,
    url: String,
}

impl Up {
    fn new() -> Self {
        let (folder, instance) = (Folder::new(), unique("t"));
        old_layout(&folder);
        let up = Up {
            folder,
            instance,
            url: format!("http://localhost:{}", free_port()),
        };
        let [redis, rabbitmq] = [free_port().to_string(), free_port().to_string()];
        json(&mut super::docker::up(
            &up.folder,
            &up.instance,
            &[
                "--hub-url",
                &up.url,
                "--redis-port",
                &redis,
                "--rabbitmq-port",
                &rabbitmq,
            ],
        ));
        up
    }

    /// The dry run and the run that follows say the same; a third finds nothing left to do.
    fn repaired(&self, drift: &str, arguments: &[&str], expected: &[(&str, &str, &str)]) {
        let name = |part: &str| part.replace("NAME", &format!("harmony-{}", self.instance));
        let planned = steps(&json(&mut up(
            &self.folder,
            &self.instance,
            &[arguments, &["--dry-run"]].concat(),
        )));
        let report = json(&mut up(&self.folder, &self.instance, arguments));
        let done = steps(&report);
        let found: Vec<_> = done
            .iter()
            .map(|(action, target, cause)| (action.as_str(), target.clone(), cause.as_str()))
            .collect();
        for (action, target, cause) in &found {
            eprintln!(
                "{drift:<34} {action:<8}{}  ({cause})",
                target.replace(&self.folder.path().display().to_string(), "…")
            );
        }
        assert_eq!(found.len(), expected.len(), "{drift}: {found:?}");
        for (action, target, cause) in expected {
            let fits = |(was, to, why): &(&str, String, &str)| {
                was == action && to.ends_with(&name(target)) && why.contains(&name(cause))
            };
            assert!(
                found.iter().any(fits),
                "{drift}: {action} {target} ({cause}) is not in {found:?}"
            );
        }
        // A port that is chosen freely is another in each run.
        let still = |steps: &[(String, String, String)]| {
            steps
                .iter()
                .map(|(action, target, _)| (action.clone(), target.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(still(&planned), still(&done), "{drift}");
        assert_eq!(
            json(&mut with(&self.folder, &self.instance, &["up", "--yes"]))["changes"],
            0,
            "{drift}"
        );
        assert_eq!(
            json(&mut with(&self.folder, &self.instance, &["verify"]))["ok"],
            true,
            "{drift}"
        );
    }

    fn state(&self, service: &str) -> Value {
        json(&mut with(&self.folder, &self.instance, &["status"]))[service]["state"].clone()
    }

    fn edit(&self, file: &str, change: impl Fn(&str) -> String) {
        let path = format!("src/Web/Harmony.SignalR/{file}");
        self.folder.write(&path, &change(&self.folder.read(&path)));
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        drop(down(&self.folder, &self.instance));
    }
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn what_drifts_is_found_named_and_repaired() {
    if !has("what_drifts_is_found_named_and_repaired", &[Part::Docker]) {
        return;
    }
    let up = Up::new();
    let redis = format!("harmony-{}-redis", up.instance);
    const REDIS: &str = "container NAME-redis";

    docker(&["stop", "-t", "1", &redis]);
    assert_eq!(up.state("redis"), "stopped");
    up.repaired("container stopped", &[], &[("start", REDIS, "stopped")]);

    docker(&["rm", "-f", &redis]);
    assert_eq!(up.state("redis"), "absent");
    up.repaired("container removed", &[], &[("create", REDIS, "new")]);

    // As a run leaves it that was killed between making and starting it.
    let inspected: Value = serde_json::from_str(&docker(&["inspect", &redis])).expect("JSON");
    let labels = inspected[0]["Config"]["Labels"]
        .as_object()
        .expect("labels")
        .clone();
    docker(&["rm", "-f", &redis]);
    let mut create = vec!["create".to_owned(), "--name".to_owned(), redis.clone()];
    for (name, value) in labels
        .iter()
        .filter(|(name, _)| name.starts_with("harmony."))
    {
        create.extend([
            "--label".to_owned(),
            format!("{name}={}", value.as_str().expect("a text")),
        ]);
    }
    create.push(
        inspected[0]["Config"]["Image"]
            .as_str()
            .expect("an image")
            .to_owned(),
    );
    docker(&create.iter().map(String::as_str).collect::<Vec<_>>());
    up.repaired(
        "container never started",
        &[],
        &[("replace", REDIS, "was never started")],
    );

    let other = format!("{}/redis:8-alpine", registry().expect("a registry"));
    let tagged = format!("{}:other", up.instance);
    docker(&["tag", &other, &tagged]);
    up.repaired(
        "other image",
        &["--redis-image", &tagged],
        &[(
            "replace",
            REDIS,
            &format!("image changes from {other} to {tagged}"),
        )],
    );
    up.repaired(
        "image as before",
        &["--redis-image", &other],
        &[("replace", REDIS, "image changes from")],
    );
    docker(&["rmi", "-f", &tagged]);

    const KEPT: &str = "its password or configuration changed";
    up.repaired(
        "Redis to keep its data",
        &["--redis-volume"],
        &[("replace", REDIS, KEPT)],
    );
    assert!(docker(&["volume", "ls", "-q"]).contains(&format!("harmony-{}-redis", up.instance)));
    up.repaired(
        "and no longer",
        &["--redis-volume", "false"],
        &[("replace", REDIS, KEPT)],
    );

    let port = free_port().to_string();
    let moved = &["--redis-port", port.as_str()];
    let expected = [
        ("edit", "appsettings.json", "RedisConnectionString"),
        (
            "edit",
            "appsettings.Production.json",
            "RedisConnectionString",
        ),
    ];
    let hub = ("replace", "hub", "its settings changed");
    up.repaired(
        "other port",
        moved,
        &[
            expected[0],
            expected[1],
            ("replace", REDIS, &format!("to 127.0.0.1:{port}")),
            hub,
        ],
    );

    // The port is gone while the container is away.
    docker(&["rm", "-f", &redis]);
    let thief = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port");
    let cause = format!("port {port} is taken by main-");
    up.repaired(
        "port taken by another process",
        &[],
        &[expected[0], expected[1], ("create", REDIS, &cause), hub],
    );
    drop(thief);

    docker(&["rm", "-f", &redis]);
    let settings = up.folder.read("src/Web/Harmony.SignalR/appsettings.json");
    let port = settings
        .split("127.0.0.1:")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .expect("a port")
        .to_owned();
    let blog = unique("blog-redis");
    docker(&[
        "run",
        "-d",
        "--name",
        &blog,
        "-p",
        &format!("127.0.0.1:{port}:6379"),
        &other,
    ]);
    let cause = format!("port {port} is taken by container {blog}");
    up.repaired(
        "port taken by another container",
        &[],
        &[expected[0], expected[1], ("create", REDIS, &cause), hub],
    );
    docker(&["rm", "-f", &blog]);

    let password = |text: &str| {
        text.split("password=")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a password")
            .to_owned()
    };
    let known = password(&up.folder.read("src/Web/Harmony.SignalR/appsettings.json"));
    for file in ["appsettings.json", "appsettings.Production.json"] {
        up.edit(file, |text| text.replace(&known, "another-Password"));
    }
    up.repaired(
        "password edited in the settings",
        &[],
        &[
            ("replace", REDIS, "its password or configuration changed"),
            hub,
        ],
    );

    up.edit("appsettings.json", |text| {
        text.replacen(
            "\"Default\": \"Information\"",
            "\"Default\": \"Warning\"",
            1,
        )
    });
    up.repaired("settings of the hub edited", &[], &[hub]);

    let port = |text: &str| {
        text.split("\"Port\": ")
            .nth(1)
            .and_then(|rest| rest.split([',', '\r', '\n']).next())
            .expect("a port")
            .to_owned()
    };
    up.edit("appsettings.json", |text| {
        text.replacen(&port(text), "9", 1)
    });
    up.repaired(
        "broker's port edited",
        &[],
        &[("edit", "appsettings.json", "sets BrokerConfiguration:Port")],
    );

    let pid = json(&mut with(&up.folder, &up.instance, &["status"]))["hub"]["pid"]
        .as_i64()
        .expect("a pid");
    let parent = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .expect("a process")
        .split(' ')
        .nth(3)
        .expect("a parent")
        .to_owned();
    let killed = Command::new("kill")
        .args(["-9", &parent, &pid.to_string()])
        .status()
        .expect("a kill");
    assert!(killed.success());
    wait_for("the hub's end", || {
        (up.state("hub") == "absent").then_some(())
    });
    up.repaired(
        "hub and its supervisor killed",
        &[],
        &[("launch", "hub", "not running")],
    );

    let url = format!("http://localhost:{}", free_port());
    let client = ["appsettings.json", "appsettings.Production.json"]
        .map(|name| format!("Harmony.Client/wwwroot/{name}"));
    let client = client
        .each_ref()
        .map(|name| ("edit", name.as_str(), "sets signalrHostUrl"));
    up.repaired(
        "other address for the hub",
        &["--hub-url", &url],
        &[client[0], client[1], hub],
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn the_hub_as_a_container_and_back() {
    if !has("the_hub_as_a_container_and_back", &[Part::Docker]) {
        return;
    }
    let up = Up::new();
    let (redis, hub) = (
        format!("harmony-{}-redis", up.instance),
        format!("harmony-{}-signalr", up.instance),
    );
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
    let report = json(&mut with(&up.folder, &up.instance, &["status"]));
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
    assert!(
        Command::new("kill")
            .args(["-9", pid.trim()])
            .status()
            .expect("a kill")
            .success()
    );
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
    json(&mut super::docker::up(
        &up.folder,
        &up.instance,
        &["--hub", "container"],
    ));
    let down = json(&mut with(
        &up.folder,
        &up.instance,
        &["down", "--volumes", "--yes"],
    ));
    assert_eq!(down["changes"], 6, "{down}");
    assert_eq!(leftovers(&up.instance), "");
}

/// The image that the hub's container is to be of; its digest is the program's, and so the plan's to say.
fn image(hub: &str, up: &Up) -> String {
    let plan = json(&mut super::docker::up(
        &up.folder,
        &up.instance,
        &["--hub", "container", "--dry-run"],
    ));
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

fn json_lines(up: &Up, arguments: &[&str]) -> String {
    String::from_utf8(
        with(&up.folder, &up.instance, arguments)
            .output()
            .expect("logs")
            .stdout,
    )
    .expect("text")
}

#[test]
#[ignore = "needs Docker and Redis: run tests/run"]
fn a_hub_in_a_container_says_what_it_can_not_reach() {
    const TEST: &str = "a_hub_in_a_container_says_what_it_can_not_reach";
    if !has(TEST, &[Part::Docker, Part::Redis]) {
        return;
    }
    let (folder, redis) = (Folder::new(), crate::harness::services::Redis::start());
    let output = with(
        &folder,
        &unique("t"),
        &[
            "up",
            "--yes",
            "--json",
            "--hub",
            "container",
            "--rabbitmq",
            "embedded",
            "--redis",
            &redis.connection_string(),
        ],
    )
    .output()
    .expect("up");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "outOfReach", "{answer}");
    assert!(!folder.path().join("harmony").exists());
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn killed_at_any_moment_with_containers_the_next_up_reaches_the_same_state() {
    if !has(
        "killed_at_any_moment_with_containers_the_next_up_reaches_the_same_state",
        &[Part::Docker],
    ) {
        return;
    }
    let kills = std::env::var("HARMONY_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(5u64);
    let (folder, instance) = (Folder::new(), unique("t"));
    super::checkouts::new_layout(&folder);
    let _down = down(&folder, &instance);
    let url = format!("http://localhost:{}", free_port());
    let ports = [free_port().to_string(), free_port().to_string()];
    let bring_up = |hub: &str| {
        up(
            &folder,
            &instance,
            &[
                "--hub-url",
                &url,
                "--redis-port",
                &ports[0],
                "--rabbitmq-port",
                &ports[1],
                "--hub",
                hub,
            ],
        )
    };
    let redis = format!("harmony-{instance}-redis");
    for kill in 0..kills {
        // From nothing, from a part of it, and from one kind of hub to the other.
        let hub = if kill % 4 < 2 { "process" } else { "container" };
        let most = match kill % 5 {
            0 => {
                json(&mut with(
                    &folder,
                    &instance,
                    &["down", "--volumes", "--yes"],
                ));
                assert_eq!(leftovers(&instance), "");
                9_000_000
            }
            1 => {
                json(&mut with(
                    &folder,
                    &instance,
                    &["rehost", "--no-check", &url.replace("http:", "https:")],
                ));
                1_000_000
            }
            _ => {
                docker(&["rm", "-f", &redis]);
                1_500_000
            }
        };
        let mut child = bring_up(hub)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("up");
        // The moment is the fault itself; nothing is waited for.
        std::thread::sleep(std::time::Duration::from_micros(
            kill.wrapping_add(1).wrapping_mul(6_364_136_223_846_793_005) % most,
        ));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let repaired = json(&mut bring_up(hub));
        for service in ["hub", "redis", "rabbitmq"] {
            assert_eq!(repaired[service]["state"], "running", "{repaired}");
        }
        assert_eq!(json(&mut bring_up(hub))["changes"], 0);
        let label = format!("label=harmony.instance={instance}");
        let there = |kind: &[&str]| {
            docker(&[kind, &["-q", "--filter", &label]].concat())
                .lines()
                .count()
        };
        let containers = if hub == "process" { 2 } else { 3 };
        assert_eq!(
            [
                there(&["ps", "-a"]),
                there(&["volume", "ls"]),
                there(&["network", "ls"])
            ],
            [containers, 1, containers - 2]
        );
    }
    json(&mut with(
        &folder,
        &instance,
        &["down", "--volumes", "--yes"],
    ));
    assert_eq!(leftovers(&instance), "");
    eprintln!("{kills} kills of up with containers, each repaired by the next; nothing left");
}
