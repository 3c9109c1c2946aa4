//! Ports that are taken, asked for, moved, or at addresses of other machines; and who reaches them.

use super::scene::{Scene, plans};
use harmony::containers::Service;
use harmony::provision::ports::{PortAddress, PortHolder, PortState};
use harmony::provision::request::ServerChoice;

fn only_redis() -> Scene {
    Scene::new().with(|scene| scene.request.wanted.rabbitmq = Some(ServerChoice::Without))
}

fn process() -> PortHolder {
    PortHolder::Process("redis-server (pid 12)".into())
}

fn bind(scene: &mut Scene, address: &str) {
    scene.request.wanted.bind = address.parse().ok();
}

plans! {
    the_usual_port_is_taken: only_redis().with(|scene| scene.take(6379, process())) =>
        "warning: port 6379 is taken by redis-server (pid 12); redis uses 20001 instead"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new; port 6379 is taken by redis-server (pid 12); redis uses 20001 instead)"
        "launch  hub  (not running)";

    it_is_taken_by_a_container: only_redis().with(|scene| {
        scene.take(6379, PortHolder::Container("blog".into()));
    }) =>
        "warning: port 6379 is taken by container blog; redis uses 20001 instead"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new; port 6379 is taken by container blog; redis uses 20001 instead)"
        "launch  hub  (not running)";

    it_is_taken_by_another_instance: only_redis().with(|scene| {
        let what = "container harmony-redis".into();
        scene.take(6379, PortHolder::Instance { instance: "harmony".into(), what });
    }) =>
        "warning: port 6379 is taken by container harmony-redis of instance 'harmony'; redis uses 20001 instead"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new; port 6379 is taken by container harmony-redis of instance 'harmony'; redis uses 20001 instead)"
        "launch  hub  (not running)";

    a_port_that_was_asked_for_is_taken: only_redis().with(|scene| {
        scene.request.wanted.redis_port = Some(7000);
        scene.take(7000, process());
    }) => "error: port 7000 is in use";

    our_own_container_has_the_port: Scene::up().with(|scene| {
        scene.take(6379, PortHolder::Container("harmony-blue-redis".into()));
    }) => "nothing";

    another_port_asked_for: Scene::up().with(|scene| scene.request.wanted.redis_port = Some(7000)) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "replace container harmony-blue-redis  (its port changes from 127.0.0.1:6379 to 127.0.0.1:7000; what Redis holds in memory is lost)"
        "replace hub  (its settings changed)";

    the_port_was_taken_while_the_container_was_away: Scene::up().with(|scene| {
        scene.remove(Service::Redis);
        scene.take(6379, process());
    }) =>
        "warning: port 6379 is taken by redis-server (pid 12); redis uses 20001 instead"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new; port 6379 is taken by redis-server (pid 12); redis uses 20001 instead)"
        "replace hub  (its settings changed)";

    the_container_is_still_starting: Scene::up().with(|scene| {
        let found = scene.found(Service::Redis);
        (found.running, found.unfinished) = (false, true);
        found.ports.clear();
        scene.take(6379, process());
    }) => "replace container harmony-blue-redis  (was never started)";

    the_port_of_the_settings: only_redis().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "\"RedisConnectionString\": \"\"", "\"RedisConnectionString\": \"localhost:7100\"");
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "launch  hub  (not running)";

    the_hubs_port_is_taken: Scene::embedded().with(|scene| scene.take(7262, process())) =>
        "error: port 7262 is in use";

    the_hub_itself_has_its_port: Scene::embedded().with(|scene| {
        scene.settle();
        scene.take(7262, PortHolder::Process("harmony (pid 4711)".into()));
    }) => "nothing";

    an_address_of_another_machine: only_redis().with(|scene| {
        bind(scene, "192.0.2.1");
        let address = PortAddress::Ip("192.0.2.1".parse().expect("an address"));
        scene.look(address, 6379, PortState::AddressNotHere);
    }) => "error: 192.0.2.1 is not an address of this machine";

    all_addresses: only_redis().with(|scene| bind(scene, "0.0.0.0")) =>
        "warning: Redis and RabbitMQ are published on 0.0.0.0: everyone who reaches that address reaches them, protected by their passwords only"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "launch  hub  (not running)";
}

#[test]
fn an_address_to_publish_on_is_remembered_and_replaces_nothing() {
    for address in ["127.0.0.2", "::1", "::", "0.0.0.0", "10.1.2.3"] {
        let scene = Scene::new().with(|scene| {
            bind(scene, address);
            scene.settle();
        });
        let plan = scene.plan();
        let last = plan.lines().last().expect("a line");
        assert_eq!(last, "nothing", "{address}: {plan}");
    }
}

#[test]
fn each_address_is_reached_by_its_own_family() {
    for (address, reached) in [
        ("127.0.0.1", "127.0.0.1:6379"),
        ("127.0.0.2", "127.0.0.2:6379"),
        ("0.0.0.0", "127.0.0.1:6379"),
        ("::1", "[::1]:6379"),
        ("::", "[::1]:6379"),
    ] {
        let scene = Scene::new().with(|scene| bind(scene, address));
        let decision = scene.decide().expect("a decision");
        let endpoint = decision.redis.endpoint().expect("an endpoint");
        assert_eq!(endpoint.to_string(), reached, "{address}");
    }
}

#[test]
fn what_is_open_is_listed_with_who_reaches_it() {
    assert_eq!(
        Scene::new().exposed(),
        "Redis 127.0.0.1:6379 this machine only\n\
         RabbitMQ 127.0.0.1:5672 this machine only\n\
         RabbitMQ's management 127.0.0.1:15672 this machine only\n\
         the hub localhost:7262 this machine only\n\
         the hub's admin listener 127.0.0.1:20004 this machine only"
    );
    let open = Scene::new().with(|scene| bind(scene, "0.0.0.0")).exposed();
    assert!(
        open.starts_with("Redis 0.0.0.0:6379 everyone who reaches this address"),
        "{open}"
    );
    assert!(
        open.contains("management 127.0.0.1:15672 this machine only"),
        "{open}"
    );
    let remote = Scene::new().with(|scene| scene.world.other_machine = Some("box".into()));
    let remote = remote.exposed();
    assert!(
        remote.contains("management 127.0.0.1:15672 Docker's machine only"),
        "{remote}"
    );
}
