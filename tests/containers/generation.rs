//! Which image a new installation gets, and which server opens whose data.

use harmony::containers::generation::{Generation, version_of_server};

fn generation(image: &str) -> Generation {
    Generation::of(image, "").expect("a generation")
}

#[test]
fn an_image_tells_its_generation_by_its_own_version_or_else_by_its_tag() {
    for (image, version, expected) in [
        ("redis:8-alpine", "", "Redis 8"),
        ("redis:7.2", "", "Redis 7"),
        ("127.0.0.1:5000/redis:7-alpine", "", "Redis 7"),
        ("valkey/valkey:9-alpine", "", "Valkey 9"),
        ("rabbitmq:3.13-management-alpine", "", "RabbitMQ 3"),
        ("rabbitmq:management", "rabbitmq 4.1.2", "RabbitMQ 4"),
        ("redis@sha256:00ff", "redis 8.0.6", "Redis 8"),
        ("our-own/cache:1", "valkey 8.1.0", "Valkey 8"),
    ] {
        let found = Generation::of(image, version).map(|found| found.to_string());
        assert_eq!(found.as_deref(), Some(expected), "{image} {version}");
    }
    for unknown in [
        "redis",
        "redis:latest",
        "our-own/cache:1",
        "redis@sha256:00ff",
        "sha256:00ff",
    ] {
        assert_eq!(Generation::of(unknown, ""), None, "{unknown}");
    }
    let variables = ["PATH=/usr/bin", "REDIS_VERSION=8.0.6"].map(str::to_owned);
    assert_eq!(
        version_of_server(&variables).as_deref(),
        Some("redis 8.0.6")
    );
    assert_eq!(version_of_server(&[]), None);
}

#[test]
fn data_is_opened_by_its_own_generation_and_by_those_that_read_it() {
    for (data, image, opens) in [
        ("rabbitmq:3-management", "rabbitmq:3.13-management", true),
        ("rabbitmq:3-management", "rabbitmq:4-management", false),
        ("rabbitmq:4-management", "rabbitmq:3-management", false),
        ("redis:7", "redis:8", true),
        ("redis:8", "redis:7", false),
        ("redis:7", "valkey/valkey:9", true),
        ("redis:8", "valkey/valkey:9", false),
        ("valkey/valkey:9", "redis:8", false),
        ("valkey/valkey:8", "valkey/valkey:9", true),
    ] {
        assert_eq!(
            generation(image).opens(&generation(data)),
            opens,
            "{image} on {data}"
        );
    }
    for image in [
        "redis:7-alpine",
        "valkey/valkey:9-alpine",
        "rabbitmq:3-management-alpine",
    ] {
        assert_eq!(generation(image).image(), image);
    }
}
