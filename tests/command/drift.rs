//! Whatever becomes of what was brought up, the next `up` finds it, names it, and repairs it with
//! the least that does.

use super::checkouts::old_layout;
use crate::harness::installation::{Installation, docker, json};
use crate::harness::parts::{Part, has, registry};
use crate::harness::{free_port, unique, wait_for};
use serde_json::Value;
use std::process::Command;

/// What `up` did: each step's action, target and cause.
pub(super) fn steps(report: &Value) -> Vec<(String, String, String)> {
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

/// An instance that is up.
pub(super) fn up() -> Installation {
    let here = Installation::in_checkout(old_layout);
    json(&mut here.up(&["--hub-url", &here.url]));
    here
}

impl Installation {
    /// The dry run and the run that follows say the same; a third finds nothing left to do.
    pub(super) fn repaired(
        &self,
        drift: &str,
        arguments: &[&str],
        expected: &[(&str, &str, &str)],
    ) {
        let name = |part: &str| part.replace("NAME", &format!("harmony-{}", self.instance));
        let planned = steps(&json(
            &mut self.up_again(&[arguments, &["--dry-run"]].concat()),
        ));
        let done = steps(&json(&mut self.up_again(arguments)));
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
        assert_eq!(self.json(&["up", "--yes"])["changes"], 0, "{drift}");
        self.assert_verified();
    }

    pub(super) fn state(&self, service: &str) -> Value {
        self.json(&["status"])[service]["state"].clone()
    }

    /// Kills the hub and the process that watches over it.
    fn kill_hub(&self) {
        let pid = self.json(&["status"])["hub"]["pid"]
            .as_i64()
            .expect("a pid");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
        let parent = stat.split(' ').nth(3).expect("a parent");
        let mut kill = Command::new("kill");
        let killed = kill.args(["-9", parent, &pid.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        wait_for("the hub's end", || {
            (self.state("hub") == "absent").then_some(())
        });
    }

    pub(super) fn edit(&self, file: &str, change: impl Fn(&str) -> String) {
        let path = format!("src/Web/Harmony.SignalR/{file}");
        self.folder.write(&path, &change(&self.folder.read(&path)));
    }
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn what_drifts_is_found_named_and_repaired() {
    if !has("what_drifts_is_found_named_and_repaired", &[Part::Docker]) {
        return;
    }
    let up = up();
    let redis = up.container("redis");
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
    assert!(docker(&["volume", "ls", "-q"]).contains(&up.container("redis")));
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

    up.kill_hub();
    up.repaired(
        "hub and its supervisor killed",
        &[],
        &[("launch", "hub", "not running")],
    );

    // A reboot ends everything at once, without a last word.
    docker(&["kill", &redis, &up.container("rabbitmq")]);
    up.kill_hub();
    assert_eq!(up.state("rabbitmq"), "stopped");
    up.repaired(
        "everything killed, as by a reboot",
        &[],
        &[
            ("start", REDIS, "stopped"),
            ("start", "container NAME-rabbitmq", "stopped"),
            ("launch", "hub", "not running"),
        ],
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
