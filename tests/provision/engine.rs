//! One rule for an engine that cannot be asked, and engines on other machines.

use super::scene::{LOOPBACK, Scene, plans};
use harmony::appsettings::layers::Layers;
use harmony::containers::Service;
use harmony::instance::ServiceOrigin;
use harmony::project::Project;
use harmony::provision::questions::{AskEngine, Questions};
use harmony::provision::report::{Report, ServiceState};
use harmony::provision::request::{HubChoice, ServerChoice};
use harmony::provision::world::EngineLook;

const NOT_REACHABLE: &str =
    "the engine at unix:///run/docker.sock does not answer: connection refused";

fn absent(scene: &mut Scene) {
    scene.world.engine = EngineLook::Absent;
}

fn remote(scene: &mut Scene) {
    scene.world.other_machine = Some("build-box".into());
    scene.world.engine_configured = true;
}

plans! {
    no_engine_and_no_servers: Scene::new().with(absent) => "launch  hub  (not running)";

    no_engine_and_a_container_asked_for: Scene::new().with(|scene| {
        absent(scene);
        scene.request.wanted.redis = Some(ServerChoice::Container);
    }) => "error: nothing is at /var/run/docker.sock";

    no_engine_and_servers_that_respond: Scene::new().with(|scene| {
        absent(scene);
        scene.rabbitmq_says("localhost:5672", "guest", Ok(()));
    }) => "launch  hub  (not running)";

    a_configured_engine_that_does_not_respond: Scene::new().with(|scene| {
        scene.unreachable();
        scene.world.engine_configured = true;
    }) => "error: the engine at unix:///run/docker.sock does not answer: connection refused";

    the_same_with_servers_that_respond: Scene::new().with(|scene| {
        scene.unreachable();
        scene.world.engine_configured = true;
        scene.redis_says("127.0.0.1:6379", Ok(()));
        scene.rabbitmq_says("localhost:5672", "guest", Ok(()));
    }) => "error: the engine at unix:///run/docker.sock does not answer: connection refused";

    remembered_containers_and_no_engine: Scene::up().with(|scene| {
        scene.unreachable();
        scene.redis_says("127.0.0.1:6379", Ok(()));
        scene.rabbitmq_says("localhost:5672", "harmony", Ok(()));
    }) => "error: the engine at unix:///run/docker.sock does not answer: connection refused";

    an_engine_that_is_not_configured_and_servers_that_respond: Scene::new().with(|scene| {
        scene.unreachable();
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.rabbitmq_says("localhost:5672", "guest", Ok(()));
    }) => "launch  hub  (not running)";

    without_both_an_unreachable_engine_does_not_matter: Scene::embedded().with(|scene| {
        scene.unreachable();
        scene.world.engine_configured = true;
    }) => "launch  hub  (not running)";

    containers_stay_where_they_cannot_be_removed: Scene::up().with(|scene| {
        scene.unreachable();
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    }) =>
        "warning: containers of an earlier run were not removed, because Docker is not reachable: the engine at unix:///run/docker.sock does not answer: connection refused"
        "replace hub  (its settings changed)";

    an_engine_on_another_machine: Scene::new().with(|scene| {
        remote(scene);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    }) =>
        "warning: Docker runs on build-box: Redis and RabbitMQ are published on its addresses, protected by their passwords only"
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "launch  hub  (not running)";

    the_hub_cannot_be_a_container_there: Scene::new().with(|scene| {
        remote(scene);
        scene.request.wanted.hub = Some(HubChoice::Container);
    }) => "error: the hub cannot run as a container on build-box";
}

#[test]
fn servers_on_another_machine_are_reached_there() {
    let decision = Scene::new().with(remote).decide().expect("a decision");
    let text = decision.redis.connection_string().expect("a text");
    assert!(text.starts_with("build-box:6379,"), "{text}");
    let address = decision.rabbitmq.address().expect("an address");
    assert_eq!(address.endpoint.to_string(), "build-box:5672");
}

#[test]
fn management_stays_on_loopback_whatever_the_rest_is_bound_to() {
    for scene in [
        Scene::new().with(remote),
        Scene::new().with(|scene| scene.request.wanted.bind = "0.0.0.0".parse().ok()),
        Scene::new().with(|scene| scene.request.wanted.bind = "::1".parse().ok()),
    ] {
        let decision = scene.decide().expect("a decision");
        let spec = decision.spec(Service::RabbitMq).expect("a container");
        let management = spec.ports.iter().find(|port| port.inside == 15672);
        assert_eq!(management.map(|port| port.address), Some(LOOPBACK));
    }
}

fn asks_engine(scene: &Scene) -> bool {
    let project = Project::read(&scene.request.checkout, &scene.request.scope).expect("settings");
    let known = &scene.world.known;
    let questions = Questions::of_request(&scene.request, &project, known, None);
    questions.expect("questions").engine == AskEngine::Yes
}

#[test]
fn without_both_the_engine_is_not_even_asked() {
    assert!(!asks_engine(&Scene::embedded()));
    assert!(asks_engine(&Scene::new()));
    // Also in the runs after it, where nothing is asked for.
    assert!(!asks_engine(&Scene::embedded().with(Scene::settle)));
    // Containers that are remembered have to be removed.
    let again = Scene::up().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    });
    assert!(asks_engine(&again));
    // Servers of others need none either.
    let others = Scene::new().with(|scene| {
        let endpoint = harmony::connection_string::Endpoint::new("there", 1);
        scene.request.wanted.redis = Some(ServerChoice::Server(endpoint.clone()));
        scene.request.wanted.rabbitmq = Some(ServerChoice::Server(endpoint));
    });
    assert!(!asks_engine(&others));
}

#[test]
fn a_report_says_unknown_where_the_engine_cannot_be_asked() {
    let mut scene = Scene::up();
    scene.unreachable();
    let report = Report::of_world(&scene.world, &Layers::default(), 0);
    assert_eq!(report.redis.state, ServiceState::Unknown);
    assert_eq!(report.rabbitmq.state, ServiceState::Unknown);
    let failure = scene.world.engine_failure().expect("a failure");
    assert_eq!(failure.to_string(), NOT_REACHABLE);
}

#[test]
fn a_report_knows_what_needs_no_engine() {
    let mut scene = Scene::embedded();
    scene.settle();
    scene.unreachable();
    scene.world.engine_configured = true;
    let report = Report::of_world(&scene.world, &Layers::default(), 0);
    assert_eq!(report.redis.state, ServiceState::Embedded);
    assert!(scene.world.engine_failure().is_none());
    scene.world.known.redis = ServiceOrigin::External;
    assert!(scene.world.engine_failure().is_none());
}
