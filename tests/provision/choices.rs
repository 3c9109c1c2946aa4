//! Where Redis and RabbitMQ come from, by every choice and by what responds.

use super::scene::{Scene, plans};
use harmony::connection_string::Endpoint;
use harmony::containers::Service;
use harmony::containers::readiness::NotReady;
use harmony::instance::ServiceOrigin;
use harmony::provision::request::ServerChoice;
use harmony::secret::Secret;

fn server(address: &str) -> Option<ServerChoice> {
    Endpoint::parse(address, 1).map(ServerChoice::Server)
}

fn asked_for(redis: &str, rabbitmq: &str) -> Scene {
    Scene::new().with(|scene| {
        scene.request.wanted.redis = server(redis);
        scene.request.wanted.rabbitmq = server(rabbitmq);
    })
}

plans! {
    nothing_responds: Scene::new() =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString, BrokerConfiguration:Host, BrokerConfiguration:Username and 1 more)"
        "create  container harmony-blue-redis  (new)"
        "create  container harmony-blue-rabbitmq  (new)"
        "launch  hub  (not running)";

    a_second_run: Scene::up() => "nothing";

    containers_asked_for: Scene::new().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Container);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Container);
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString, BrokerConfiguration:Host, BrokerConfiguration:Username and 1 more)"
        "create  container harmony-blue-redis  (new)"
        "create  container harmony-blue-rabbitmq  (new)"
        "launch  hub  (not running)";

    without_both: Scene::embedded() => "launch  hub  (not running)";

    without_redis: Scene::new().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Without);
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets BrokerConfiguration:Host, BrokerConfiguration:Username, BrokerConfiguration:Password)"
        "create  container harmony-blue-rabbitmq  (new)"
        "launch  hub  (not running)";

    without_rabbitmq: Scene::new().with(|scene| {
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "launch  hub  (not running)";

    servers_of_others: asked_for("cache:7000", "queue:7001").with(|scene| {
        scene.redis_says("cache:7000", Ok(()));
        scene.rabbitmq_says("queue:7001", "guest", Ok(()));
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString, BrokerConfiguration:Host, BrokerConfiguration:Port and 2 more)"
        "launch  hub  (not running)";

    a_redis_that_does_not_respond: asked_for("cache:7000", "queue:7001").with(|scene| {
        scene.redis_says("cache:7000", Err(NotReady::Unreachable("no route".into())));
    }) => "error: Redis at cache:7000 cannot be used: no route";

    a_redis_that_refuses_us: asked_for("cache:7000", "queue:7001").with(|scene| {
        scene.redis_says("cache:7000", Err(NotReady::Refused));
    }) => "error: Redis at cache:7000 cannot be used: it refuses the credentials";

    a_redis_that_is_too_old: asked_for("cache:7000", "queue:7001").with(|scene| {
        scene.redis_says("cache:7000", Err(NotReady::TooOld("Redis 5".into(), "Redis 6.0")));
    }) => "error: Redis at cache:7000 cannot be used: it is Redis 5; at least Redis 6.0 is needed";

    a_rabbitmq_that_does_not_respond: asked_for("cache:7000", "queue:7001").with(|scene| {
        scene.redis_says("cache:7000", Ok(()));
        scene.rabbitmq_says("queue:7001", "guest", Err(NotReady::Unreachable("refused".into())));
    }) => "error: RabbitMQ at queue:7001 cannot be used: refused";

    adopted_servers: Scene::new().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "\"RedisConnectionString\": \"\"", "\"RedisConnectionString\": \"127.0.0.1:6379\"");
        scene.redis_says("127.0.0.1:6379", Ok(()));
        scene.rabbitmq_says("localhost:5672", "guest", Ok(()));
    }) => "launch  hub  (not running)";

    an_adopted_rabbitmq_with_another_user: Scene::new().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.request.wanted.rabbitmq_user = Some("anna".into());
        scene.rabbitmq_says("localhost:5672", "anna", Ok(()));
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets BrokerConfiguration:Username, BrokerConfiguration:Password)"
        "launch  hub  (not running)";

    a_configured_redis_with_our_password_refuses_us: Scene::new().with(|scene| {
        scene.edit("Harmony.SignalR/appsettings.json", "\"RedisConnectionString\": \"\"", "\"RedisConnectionString\": \"127.0.0.1:6379,password=x\"");
        scene.redis_says("127.0.0.1:6379,password=x", Err(NotReady::Refused));
    }) => "error: Redis at 127.0.0.1:6379 cannot be used: it refuses the credentials";

    a_configured_redis_without_password_refuses_us: Scene::new().with(|scene| {
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
        scene.edit("Harmony.SignalR/appsettings.json", "\"RedisConnectionString\": \"\"", "\"RedisConnectionString\": \"127.0.0.1:6379\"");
        scene.redis_says("127.0.0.1:6379", Err(NotReady::Refused));
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "launch  hub  (not running)";

    a_configured_rabbitmq_refuses_a_user_of_its_own: Scene::new().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.edit("Harmony.SignalR/appsettings.json", "\"Username\": \"\"", "\"Username\": \"anna\"");
        scene.rabbitmq_says("localhost:5672", "anna", Err(NotReady::Refused));
    }) => "error: RabbitMQ at localhost:5672 cannot be used: it refuses the credentials";

    a_configured_rabbitmq_refuses_guest: Scene::new().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.rabbitmq_says("localhost:5672", "guest", Err(NotReady::Refused));
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets BrokerConfiguration:Host, BrokerConfiguration:Username, BrokerConfiguration:Password)"
        "create  container harmony-blue-rabbitmq  (new)"
        "launch  hub  (not running)";

    a_container_is_kept_where_nothing_is_asked: Scene::up().with(|scene| {
        scene.redis_says("127.0.0.1:6379", Ok(()));
    }) => "nothing";

    containers_that_are_no_longer_wanted: Scene::up().with(|scene| {
        scene.request.wanted.redis = Some(ServerChoice::Without);
        scene.request.wanted.rabbitmq = Some(ServerChoice::Without);
    }) =>
        "remove  container harmony-blue-redis  (no longer wanted; what Redis holds in memory is lost)"
        "remove  container harmony-blue-rabbitmq  (no longer wanted)"
        "replace hub  (its settings changed)";

    without_both_is_remembered: Scene::embedded().with(Scene::settle) => "nothing";

    and_taken_back_by_asking_for_containers: Scene::embedded().with(|scene| {
        scene.settle();
        scene.request.wanted.redis = Some(ServerChoice::Container);
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString)"
        "create  container harmony-blue-redis  (new)"
        "replace hub  (its settings changed)";

    a_log_level: Scene::up().with(|scene| {
        scene.request.wanted.log_level = Some("Debug".into());
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets Serilog:MinimumLevel:Default)"
        "replace hub  (its settings changed)";

    new_passwords: Scene::up().with(|scene| {
        scene.request.wanted.rotate_credentials = true;
        scene.world.new_passwords.redis = Secret::new("another-redis-password");
        scene.world.new_passwords.rabbitmq = Secret::new("another-rabbitmq-password");
    }) =>
        "edit    Harmony.SignalR/appsettings.json  (sets RedisConnectionString, BrokerConfiguration:Password)"
        "replace container harmony-blue-redis  (its password or configuration changed; what Redis holds in memory is lost)"
        "replace container harmony-blue-rabbitmq  (its password or configuration changed)"
        "replace hub  (its settings changed)";
}

#[test]
fn what_was_chosen_is_remembered() {
    let decision = Scene::embedded().decide().expect("a decision");
    assert!(decision.state.without_redis && decision.state.without_rabbitmq);
    assert_eq!(decision.state.redis, ServiceOrigin::Embedded);
    let decision = Scene::new().decide().expect("a decision");
    assert_eq!(decision.state.redis, ServiceOrigin::Container);
    assert_eq!(decision.state.redis_port, 6379);
    assert!(decision.spec(Service::Redis).is_some());
}

/// What a server that was named would be asked with.
fn credentials(redis: &str, rabbitmq: &str) -> [String; 2] {
    use harmony::provision::servers::{configured_rabbitmq, rabbitmq_at, redis_at};
    let scene = asked_for(redis, rabbitmq);
    let file = "Harmony.SignalR/appsettings.json";
    let settings = serde_json::json!({
        "RedisConnectionString":
            "10.0.0.1:6379,user=u,password=own,sentinelPassword=own,tunnel=http:10.0.0.2:3128,ssl=true",
        "BrokerConfiguration": { "Host": "10.0.0.1", "Port": 5672, "Username": "u", "Password": "own" },
    });
    scene.folder.write(file, &settings.to_string());
    let project = harmony::project::Project::read(&scene.request.checkout, &scene.request.scope);
    let layers = project.expect("settings").hub.layers();
    let wanted = &scene.request.wanted;
    let endpoint = |address: &str| Endpoint::parse(address, 1).expect("an address");
    let configured = configured_rabbitmq(wanted, &layers).expect("an address");
    let broker = rabbitmq_at(wanted, configured, &endpoint(rabbitmq));
    [
        redis_at(wanted, &layers, &endpoint(redis)),
        format!("{}:{}", broker.username, broker.password.reveal()),
    ]
}

#[test]
fn the_credentials_of_the_settings_go_to_their_own_server_only() {
    let own = credentials("10.0.0.1:6379", "10.0.0.1:5672");
    assert!(
        own[0].contains("password=own") && own[0].contains("tunnel="),
        "{own:?}"
    );
    assert_eq!(own[1], "u:own");
    let other = credentials("10.9.9.9:6379", "10.9.9.9:5672");
    assert_eq!(other, ["10.9.9.9:6379,ssl=true", "guest:guest"]);
}
