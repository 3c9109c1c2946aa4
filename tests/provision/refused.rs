//! What is refused before anything is done.

use super::scene::{Scene, plans};
use harmony::containers::Service;
use harmony::containers::docker::ObservedVolume;
use harmony::containers::volume_name;
use harmony::provision::request::ServerChoice;
use harmony::secret::Secret;

fn with_caches() -> Scene {
    Scene::new().with(|scene| {
        scene.folder.write(
            "Harmony.Api/appsettings.json",
            "{ \"CacheProvider\": \"Redis\", \"RedisConnectionString\": \"\", \"BrokerConfiguration\": {} }",
        );
        let checkout = harmony::checkout::at(scene.folder.path());
        scene.request.checkout = checkout.expect("a checkout").expect("one");
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    })
}

fn with_password(password: &str) -> Scene {
    Scene::new().with(|scene| scene.request.wanted.redis_password = Some(Secret::new(password)))
}

fn belongs_to(place: &str) -> Scene {
    Scene::new().with(|scene| scene.world.known.checkout = place.into())
}

fn with_volume(image: &str) -> Scene {
    Scene::new().with(|scene| {
        let volume = ObservedVolume {
            name: volume_name("blue", Service::RabbitMq),
            image: image.into(),
            server_version: String::new(),
        };
        scene.contents().volumes.push(volume);
        scene.request.wanted.redis = Some(ServerChoice::Without);
    })
}

plans! {
    redis_without_a_password_on_loopback: with_caches() =>
        "warning: Redis runs without a password, because Harmony's caches (CacheProvider: Redis) cannot give one; every user of this machine can read and change it"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "edit    Harmony.Api/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "launch  hub  (not running)";

    redis_without_a_password_elsewhere: with_caches().with(|scene| {
        scene.request.wanted.bind = "0.0.0.0".parse().ok();
    }) => "error: Redis without a password would be reachable at 0.0.0.0";

    redis_without_a_password_on_another_machine: with_caches().with(|scene| {
        scene.world.other_machine = Some("build-box".into());
    }) => "error: Redis without a password would be reachable at build-box";

    a_password_with_a_comma: with_password("a,b") =>
        "error: Redis cannot have this password: it contains a comma, which separates options in a Redis connection string";

    a_password_with_a_blank_at_its_end: with_password("a ") =>
        "error: Redis cannot have this password: it begins or ends with a blank, which a Redis connection string cannot express";

    a_password_with_a_line_break: with_password("a\nsave 1 1") =>
        "error: Redis cannot have this password: it contains a control character";

    the_instance_of_another_checkout: belongs_to("/elsewhere") =>
        "error: instance 'blue' belongs to the checkout /elsewhere";

    an_instance_whose_checkout_is_gone: belongs_to("/elsewhere").with(|scene| {
        scene.world.owner_is_gone = true;
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    }) =>
        "warning: the checkout /elsewhere does not exist any more; this instance now belongs to the present one"
        "launch  hub  (not running)";

    an_instance_that_is_taken_over: belongs_to("/elsewhere").with(|scene| {
        scene.request.wanted.adopt = true;
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    }) => "launch  hub  (not running)";

    a_newer_rabbitmq_on_older_data: with_volume("rabbitmq:3-management-alpine").with(|scene| {
        scene.request.wanted.rabbitmq_image = Some("rabbitmq:4-management-alpine".into());
    }) => "error: harmony-blue-rabbitmq holds data of RabbitMQ 3, which rabbitmq:4-management-alpine (RabbitMQ 4) cannot open";

    the_same_on_data_that_says_nothing_of_its_version: with_volume("").with(|scene| {
        scene.request.wanted.rabbitmq_image = Some("rabbitmq:4".into());
    }) => "error: harmony-blue-rabbitmq holds data of RabbitMQ 3, which rabbitmq:4 (RabbitMQ 4) cannot open";
}

#[test]
fn data_keeps_its_version_unless_an_image_is_asked_for() {
    for (volume, registry, expected) in [
        (
            "rabbitmq:4-management-alpine",
            None,
            "rabbitmq:4-management-alpine",
        ),
        ("", None, "rabbitmq:3-management-alpine"),
        (
            "",
            Some("local:5000/"),
            "local:5000/rabbitmq:3-management-alpine",
        ),
        (
            "local:5000/rabbitmq:3",
            Some("local:5000"),
            "local:5000/rabbitmq:3",
        ),
    ] {
        let scene = with_volume(volume).with(|scene| {
            scene.request.wanted.image_registry = registry.map(str::to_owned);
        });
        let decision = scene.decide().expect("a decision");
        let spec = decision.spec(Service::RabbitMq).expect("a container");
        assert_eq!(spec.image, expected);
    }
}
