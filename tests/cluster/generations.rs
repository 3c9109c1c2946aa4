//! Both generations of servers, as `up` starts them: the recorded notifications through two hubs.

use super::hubs::as_recorded;
use crate::harness::installation::Installation;
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{Hub, run, text};
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::BrokerAddress;
use serde_json::Value;

fn notifications_pass(test: &str, redis: &str, rabbitmq: &str) {
    if !has(test, &[Part::Docker]) {
        return;
    }
    let here = Installation::new();
    let registry = registry().expect("a registry");
    let (redis, rabbitmq) = (
        format!("{registry}/{redis}"),
        format!("{registry}/{rabbitmq}"),
    );
    let images = [
        "--redis-image",
        &redis,
        "--rabbitmq-image",
        &rabbitmq,
        "--hub=none",
    ];
    let started = run(&mut here.up(&images));
    assert!(started.status.success(), "{}", text(&started.stderr));
    let list = ["settings", "list", "--json", "--show-secrets"];
    let listed = run(&mut here.command(&list));
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let settings = listed["settings"].as_array().expect("settings");
    let get = |key: &str| {
        let setting = settings.iter().find(|setting| setting["key"] == key);
        let value = setting.and_then(|setting| setting["value"].as_str());
        value.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    let broker = |name: &str| get(&format!("BrokerConfiguration:{name}"));
    let port = broker("Port").parse().expect("a port");
    let (user, password) = (broker("Username"), broker("Password"));
    let address = BrokerAddress::new(Endpoint::new(broker("Host"), port), &user, &password, "/");
    let settings = here.folder.path().join("harmony/Harmony.SignalR");
    let hub = || {
        let hub = Hub::start(&["--settings", settings.to_str().expect("text")]);
        hub.wait_until_ready();
        hub
    };
    as_recorded(&[hub(), hub()], &address, None);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn redis_7_and_rabbitmq_3_carry_the_recorded_notifications() {
    let test = "redis_7_and_rabbitmq_3_carry_the_recorded_notifications";
    notifications_pass(test, "redis:7-alpine", "rabbitmq:3-management-alpine");
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn redis_8_and_rabbitmq_4_carry_the_recorded_notifications() {
    let test = "redis_8_and_rabbitmq_4_carry_the_recorded_notifications";
    notifications_pass(test, "redis:8-alpine", "rabbitmq:4-management-alpine");
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn valkey_9_and_rabbitmq_4_carry_the_recorded_notifications() {
    let test = "valkey_9_and_rabbitmq_4_carry_the_recorded_notifications";
    notifications_pass(
        test,
        "valkey/valkey:9-alpine",
        "rabbitmq:4-management-alpine",
    );
}
