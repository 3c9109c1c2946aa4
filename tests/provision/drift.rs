//! Whatever becomes of what was brought up: the plan names it, and repairs it with the least.

use super::scene::{Scene, plans};
use harmony::containers::Service;
use harmony::provision::reconcile;
use harmony::provision::request::{Data, HubChoice};
use harmony::secret::Secret;

plans! {
    a_container_stopped: Scene::up().with(|scene| scene.found(Service::Redis).running = false) =>
        "start   container harmony-blue-redis  (stopped)";

    a_container_removed: Scene::up().with(|scene| scene.remove(Service::RabbitMq)) =>
        "create  container harmony-blue-rabbitmq  (new)";

    both_containers_removed: Scene::up().with(|scene| scene.contents().containers.clear()) =>
        "create  container harmony-blue-redis  (new)"
        "create  container harmony-blue-rabbitmq  (new)";

    a_container_that_was_never_started: Scene::up().with(|scene| {
        let found = scene.found(Service::Redis);
        (found.running, found.unfinished) = (false, true);
    }) => "replace container harmony-blue-redis  (was never started)";

    another_image: Scene::up().with(|scene| {
        scene.request.wanted.redis_image = Some("redis:9".into());
        scene.found(Service::Redis).image = "redis:7".into();
    }) => "replace container harmony-blue-redis  (image changes from redis:7 to redis:9; what Redis holds in memory is lost)";

    a_volume_for_redis: Scene::up().with(|scene| scene.request.wanted.redis_volume = Some(true)) =>
        "replace container harmony-blue-redis  (its password or configuration changed; what Redis holds in memory is lost)";

    a_container_of_another_version_of_ours: Scene::up().with(|scene| {
        let found = scene.found(Service::RabbitMq);
        found.hash = "older".into();
        found.version = "0.0.9".into();
    }) => "replace container harmony-blue-rabbitmq  (version changes from 0.0.9 to 0.1.0)";

    the_password_edited: Scene::up().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "password=new-redis-password", "password=mine");
    }) =>
        "replace container harmony-blue-redis  (its password or configuration changed; what Redis holds in memory is lost)"
        "replace hub  (its settings changed)";

    the_port_edited: Scene::up().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "\"Port\": 5672", "\"Port\": 9");
    }) => "edit    Harmony.SignalR/appsettings.json  (sets BrokerConfiguration:Port)";

    settings_of_the_hub_edited: Scene::up().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "\"Information\"", "\"Warning\"");
    }) => "replace hub  (its settings changed)";

    the_hub_died: Scene::up().with(|scene| scene.world.hub = None) =>
        "launch  hub  (not running)";

    a_hub_of_another_version: Scene::up().with(|scene| {
        let hub = scene.world.hub.as_mut().expect("a hub");
        hub.fingerprint = "older".into();
        hub.version = "0.0.9".into();
    }) => "replace hub  (version changes from 0.0.9 to 0.1.0)";

    the_hub_not_wanted: Scene::up().with(|scene| scene.request.wanted.hub = Some(HubChoice::None)) =>
        "stop    hub  (no longer wanted)";

    what_a_killed_run_set_aside: Scene::up().with(|scene| {
        let mut old = scene.found(Service::Redis).clone();
        old.name = "harmony-blue-redis-replaced".into();
        old.running = false;
        scene.contents().containers.push(old);
    }) => "remove  container harmony-blue-redis-replaced  (left over from an interrupted run)";

    only_what_a_killed_run_set_aside: Scene::up().with(|scene| {
        let found = scene.found(Service::Redis);
        found.name = "harmony-blue-redis-replaced".into();
        found.running = false;
    }) =>
        "remove  container harmony-blue-redis-replaced  (left over from an interrupted run)"
        "create  container harmony-blue-redis  (new)";

    a_network_that_nothing_needs: Scene::up().with(|scene| {
        scene.contents().networks = vec!["harmony-blue".into()];
    }) => "remove  network harmony-blue  (no container needs it)";

    the_settings_removed: Scene::up().with(|scene| {
        scene.folder.write("Harmony.SignalR/appsettings.json", "{}");
        scene.world.new_passwords.rabbitmq = Secret::new("another");
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString, BrokerConfiguration:Host, BrokerConfiguration:Port and 2 more)"
        "replace container harmony-blue-rabbitmq  (its password or configuration changed)"
        "replace hub  (its settings changed)";
}

/// The steps of `down`.
fn down(scene: &Scene, data: Data) -> String {
    let plan = reconcile::down(&scene.world, data);
    let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
    steps.join("\n")
}

#[test]
fn down_stops_the_hub_first_and_keeps_data() {
    let expected = "stop    hub  (down)\n\
        remove  container harmony-blue-redis  (down)\n\
        remove  container harmony-blue-rabbitmq  (down)";
    assert_eq!(down(&Scene::up(), Data::Kept), expected);
}

#[test]
fn down_with_volumes_deletes_data_and_says_so() {
    let plan = down(&Scene::up(), Data::Deleted);
    let last = "remove  volume harmony-blue-rabbitmq  (down --volumes; its data is lost)";
    assert_eq!(plan.lines().last(), Some(last), "{plan}");
}

#[test]
fn down_where_nothing_runs() {
    assert_eq!(down(&Scene::new(), Data::Deleted), "");
}

#[test]
fn down_takes_the_hub_in_a_container_before_its_servers() {
    let scene = Scene::new().with(|scene| {
        scene.request.wanted.hub = Some(HubChoice::Container);
        scene.settle();
    });
    let expected = "remove  container harmony-blue-signalr  (down)\n\
        remove  container harmony-blue-redis  (down)\n\
        remove  container harmony-blue-rabbitmq  (down)\n\
        remove  network harmony-blue  (down)";
    assert_eq!(down(&scene, Data::Kept), expected);
    let plan = reconcile::down(&scene.world, Data::Kept);
    assert_eq!(plan.steps[1].needs.len(), 1, "{plan:?}");
}

#[test]
fn status_says_that_a_newer_image_is_here() {
    use harmony::appsettings::layers::Layers;
    use harmony::containers::readiness::NotReady;
    let mut scene = Scene::up();
    scene.found(Service::Redis).image_moved = true;
    scene.redis_says("127.0.0.1:6379", Ok(()));
    scene.rabbitmq_says("127.0.0.1:5672", "u", Err(NotReady::Refused));
    let report = harmony::provision::report::Report::of_world(&scene.world, &Layers::default(), 0);
    let drift = report.redis.drift.expect("a drift");
    assert!(drift.contains("stands for a newer image"), "{drift}");
    let drift = report.rabbitmq.drift.expect("a drift");
    assert!(drift.contains("does not respond"), "{drift}");
}
