//! The hub as a process and as a container, and from one to the other.

use super::scene::{Scene, plans};
use harmony::containers::Service;
use harmony::provision::request::{HubChoice, ServerChoice};
use harmony::secret::Secret;

fn in_container(scene: &mut Scene) {
    scene.request.wanted.hub = Some(HubChoice::Container);
}

fn settled() -> Scene {
    Scene::new().with(|scene| {
        in_container(scene);
        scene.settle();
    })
}

plans! {
    a_hub_in_a_container: Scene::new().with(in_container) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString, BrokerConfiguration:Host, BrokerConfiguration:Username and 1 more)"
        "create  network harmony-blue  (the hub's container finds Redis and RabbitMQ in it)"
        "create  container harmony-blue-redis  (new)"
        "create  container harmony-blue-rabbitmq  (new)"
        "create  image harmony-blue-signalr:1  (the hub's container runs this program)"
        "create  container harmony-blue-signalr  (new)";

    and_again: settled() => "nothing";

    from_a_process_to_a_container: Scene::up().with(in_container) =>
        "create  network harmony-blue  (the hub's container finds Redis and RabbitMQ in it)"
        "edit    container harmony-blue-redis  (joins the network harmony-blue, where the hub finds it)"
        "edit    container harmony-blue-rabbitmq  (joins the network harmony-blue, where the hub finds it)"
        "stop    hub  (it becomes a container)"
        "create  image harmony-blue-signalr:1  (the hub's container runs this program)"
        "create  container harmony-blue-signalr  (new)";

    and_back: settled().with(|scene| scene.request.wanted.hub = Some(HubChoice::Process)) =>
        "remove  container harmony-blue-signalr  (no longer wanted)"
        "launch  hub  (not running)"
        "remove  network harmony-blue  (no container needs it)";

    its_settings_edited: settled().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "\"Information\"", "\"Debug\"");
    }) => "replace container harmony-blue-signalr  (its settings changed)";

    its_image_removed: settled().with(|scene| scene.world.has_own_image = false) =>
        "create  image harmony-blue-signalr:1  (the hub's container runs this program)";

    another_program: settled().with(|scene| {
        scene.world.has_own_image = false;
        scene.world.own_image.as_mut().expect("an image").name = "harmony-blue-signalr:2".into();
    }) =>
        "create  image harmony-blue-signalr:2  (the hub's container runs this program)"
        "replace container harmony-blue-signalr  (image changes from harmony-blue-signalr:1 to harmony-blue-signalr:2)";

    several_networks_of_its_name: settled().with(|scene| {
        scene.contents().networks.push("harmony-blue".into());
    }) =>
        "replace network harmony-blue  (several networks have this name)"
        "edit    container harmony-blue-redis  (joins the network harmony-blue, where the hub finds it)"
        "edit    container harmony-blue-rabbitmq  (joins the network harmony-blue, where the hub finds it)"
        "edit    container harmony-blue-signalr  (joins the network harmony-blue, where the hub finds it)";

    a_server_that_left_the_network: settled().with(|scene| {
        scene.found(Service::Redis).networks.clear();
    }) => "edit    container harmony-blue-redis  (joins the network harmony-blue, where the hub finds it)";

    the_network_removed: settled().with(|scene| scene.contents().networks.clear()) =>
        "create  network harmony-blue  (the hub's container finds Redis and RabbitMQ in it)"
        "edit    container harmony-blue-redis  (joins the network harmony-blue, where the hub finds it)"
        "edit    container harmony-blue-rabbitmq  (joins the network harmony-blue, where the hub finds it)"
        "edit    container harmony-blue-signalr  (joins the network harmony-blue, where the hub finds it)";

    a_server_on_this_machines_loopback: Scene::new().with(|scene| {
        in_container(scene);
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.rabbitmq_says("localhost:5672", "guest", Ok(()));
    }) => "error: the hub's container cannot reach RabbitMQ at localhost:5672";

    a_hub_without_servers: Scene::embedded().with(in_container) =>
        "create  network harmony-blue  (the hub's container finds Redis and RabbitMQ in it)"
        "create  image harmony-blue-signalr:1  (the hub's container runs this program)"
        "create  container harmony-blue-signalr  (new)";

    another_address: Scene::up().with(|scene| {
        scene.request.wanted.hub_url = "http://localhost:8000".parse().ok();
    }) =>
        "edit    Harmony.Client/wwwroot/appsettings.json  (sets signalrHostUrl)"
        "replace hub  (its settings changed)";
}

#[test]
fn the_container_has_no_secret_among_its_arguments() {
    let scene = Scene::new().with(|scene| {
        in_container(scene);
        scene.request.wanted.redis_password = Some(Secret::new("hush-hush"));
    });
    let decision = scene.decide().expect("a decision");
    let spec = decision.spec(Service::Hub).expect("a container");
    assert!(!format!("{spec:?}").contains("hush-hush"), "{spec:?}");
    let settings = &spec.files[0].1;
    assert!(
        settings
            .reveal()
            .contains("harmony-redis:6379,password=hush-hush")
    );
    assert!(settings.reveal().contains("\"Host\": \"harmony-rabbitmq\""));
}

#[test]
fn variables_that_override_settings_are_whole_names_and_sections() {
    use harmony::provision::variables::overriding;
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let given = names(&[
        "URLSCAN_KEY",
        "URLS",
        "aspnetcore_urls",
        "HTTP_PORTS_FILE",
        "BrokerConfiguration__Host",
        "BrokerConfiguration:Port",
        "BROKERCONFIGURATIONS",
        "RedisConnectionString",
        "RedisConnectionStringBackup",
        "Kestrel__Endpoints__A__Url",
        "Kestrel__EndpointsOld",
    ]);
    let expected = names(&[
        "URLS",
        "aspnetcore_urls",
        "BrokerConfiguration__Host",
        "BrokerConfiguration:Port",
        "RedisConnectionString",
        "Kestrel__Endpoints__A__Url",
    ]);
    assert_eq!(overriding(&given), expected);
}
