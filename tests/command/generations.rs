//! Old data keeps its version; a new installation gets the current ones.

use crate::harness::installation::{Installation, docker, json};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{run, text};

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_new_installation_gets_current_images_and_old_data_keeps_its_own() {
    const TEST: &str = "a_new_installation_gets_current_images_and_old_data_keeps_its_own";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let here = Installation::new();
    let instance = &here.instance;
    let url = &here.url;
    let registry = registry().expect("a registry");
    let image = |name: &str| format!("{registry}/{name}");
    let images = |arguments: &[&str]| {
        let report = json(&mut here.up(arguments));
        let name = |service: &str| {
            report[service]["image"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        (name("redis"), name("rabbitmq"))
    };
    let (redis, rabbitmq) = (
        image("redis:8-alpine"),
        image("rabbitmq:4-management-alpine"),
    );
    let hub = ["--hub-url", url.as_str()];
    assert_eq!(images(&hub), (redis.clone(), rabbitmq.clone()));

    // A volume as version 0.1 made it, which says nothing of its image.
    here.remove();
    assert_eq!(here.leftovers(), "");
    for service in ["redis", "rabbitmq"] {
        let labels = [
            format!("harmony.instance={instance}"),
            format!("harmony.service={service}"),
        ];
        let name = format!("harmony-{instance}-{service}");
        docker(&[
            "volume", "create", "--label", &labels[0], "--label", &labels[1], &name,
        ]);
    }
    let kept = [&hub[..], &["--redis-volume", "true"]].concat();
    let old = (
        image("redis:7-alpine"),
        image("rabbitmq:3-management-alpine"),
    );
    assert_eq!(images(&kept), old);

    // It stays, also when the container is gone; another generation is refused before anything
    // changes.
    here.json(&["down", "--yes"]);
    let refused = run(&mut here.up(&["--rabbitmq-image", &rabbitmq, "--json"]));
    let said = text(&refused.stdout);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for part in ["RabbitMQ 3", "RabbitMQ 4", "--volumes", "--rabbitmq-image"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(
        docker(&[
            "ps",
            "-aq",
            "--filter",
            &format!("label=harmony.instance={instance}")
        ]),
        ""
    );
    assert_eq!(images(&[]), old);
    // Redis 8 opens what Redis 7 wrote.
    assert_eq!(images(&["--redis-image", &redis]).0, redis);
}
