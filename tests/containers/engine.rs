//! The door to Docker, without the command line: what it makes, how strictly, and what it leaves.

use crate::command::docker::{docker, with};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::Program;
use crate::harness::{Folder, PATIENCE, free_port, unique, wait_for};
use harmony::broker::{Broker, BrokerError};
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::BrokerAddress;
use harmony::connection_string::redis::RedisOptions;
use harmony::containers::docker::engine::Engine;
use harmony::containers::docker::{ObservedContainer, Observer};
use harmony::containers::own_image::OwnImage;
use harmony::containers::readiness::{NotReady, ask_rabbitmq, await_rabbitmq, await_redis};
use harmony::containers::whereabouts::Whereabouts;
use harmony::containers::{ContainerSpec, Service, credentials};
use harmony::secret::Secret;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) async fn engine() -> Engine {
    let whereabouts = Whereabouts {
        host: "unix:///var/run/docker.sock".to_owned(),
        certificates: None,
        configured: true,
    };
    Engine::new(Observer::connect(&whereabouts).await.expect("an engine"))
}

pub(super) fn image(name: &str) -> String {
    format!("{}/{name}", registry().expect("a registry"))
}

/// Removes what carries an instance's label, however the test ends.
struct Leftovers(String);

impl Drop for Leftovers {
    fn drop(&mut self) {
        let label = format!("label=harmony.instance={}", self.0);
        for (kind, list) in [("container", "ls"), ("volume", "ls")] {
            let all: &[&str] = if kind == "container" { &["-a"] } else { &[] };
            let ids = docker(&[&[kind, list, "-q", "--filter", &label], all].concat());
            for id in ids.split_whitespace() {
                docker(&[kind, "rm", "-f", id]);
            }
        }
    }
}

fn redis(instance: &str, image: String, keeps: bool) -> (ContainerSpec, RedisOptions) {
    let (port, password) = (free_port(), Secret::new("a b,c\"d\\e"));
    let spec = ContainerSpec::redis(instance, image, LOOPBACK, port, Some(&password), keeps);
    let mut options = RedisOptions::parse(&format!("127.0.0.1:{port}")).expect("options");
    options.password = Some(password);
    (spec, options)
}

fn rabbitmq(instance: &str, image: String) -> (ContainerSpec, BrokerAddress) {
    let endpoint = Endpoint::new("127.0.0.1", free_port());
    let address = BrokerAddress::new(endpoint, "harmony", "a b\"c", "/");
    let spec = ContainerSpec::rabbitmq(instance, image, LOOPBACK, &address, free_port());
    (spec, address)
}

async fn only(engine: &Engine, instance: &str) -> ObservedContainer {
    let mut found = engine
        .observer()
        .containers(instance)
        .await
        .expect("containers");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn inspect(id: &str) -> Value {
    let inspected: Value = serde_json::from_str(&docker(&["inspect", id])).expect("JSON");
    inspected[0].clone()
}

#[tokio::test]
async fn an_image_is_pulled_by_its_digest() {
    if !has("an_image_is_pulled_by_its_digest", &[Part::Docker]) {
        return;
    }
    let engine = engine().await;
    let tagged = image("redis:7-alpine");
    engine.pull(&tagged, None, |_| {}).await.expect("an image");
    let known = engine
        .observer()
        .image(&tagged)
        .await
        .expect("an answer")
        .expect("an image");
    let (_, digest) = known.digest.split_once('@').expect("a digest");
    for by_digest in [
        format!("{}@{digest}", image("redis")),
        format!("{tagged}@{digest}"),
    ] {
        engine
            .pull(&by_digest, None, |_| {})
            .await
            .expect("the image");
        let found = engine
            .observer()
            .image(&by_digest)
            .await
            .expect("an answer");
        assert_eq!(
            found.map(|image| image.id),
            Some(known.id.clone()),
            "{by_digest}"
        );
    }
    let wrong = format!("{}@sha256:{}", image("redis"), "0".repeat(64));
    let error = engine
        .pull(&wrong, None, |_| {})
        .await
        .expect_err("no image");
    assert!(error.to_string().contains("cannot get image"), "{error}");
}

#[tokio::test]
async fn a_container_that_cannot_be_created_leaves_no_volume() {
    if !has(
        "a_container_that_cannot_be_created_leaves_no_volume",
        &[Part::Docker],
    ) {
        return;
    }
    let (engine, instance) = (engine().await, unique("t"));
    let _leftovers = Leftovers(instance.clone());
    let (spec, _) = redis(&instance, image("redis:was-never-made"), true);
    engine.create(&spec).await.expect_err("no such image");
    let volumes = engine.observer().volumes(&instance).await.expect("volumes");
    assert!(volumes.is_empty(), "{volumes:?}");

    // One that was there before stays.
    let (good, _) = redis(&instance, image("redis:7-alpine"), true);
    engine
        .pull(&good.image, None, |_| {})
        .await
        .expect("an image");
    let (id, _) = engine.create(&good).await.expect("a container");
    engine.remove(&id, "redis").await.expect("removed");
    engine.create(&spec).await.expect_err("no such image");
    let volumes = engine.observer().volumes(&instance).await.expect("volumes");
    assert_eq!(volumes, [format!("harmony-{instance}-redis")]);
    let volume = engine
        .observer()
        .volume(&volumes[0])
        .await
        .expect("an answer");
    let volume = volume.expect("a volume");
    assert!(volume.server_version.starts_with("redis 7"), "{volume:?}");
}

/// What every container must have, whatever runs in it.
fn is_hardened(id: &str) {
    let host = &inspect(id)["HostConfig"];
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
    assert_eq!(
        host["SecurityOpt"],
        serde_json::json!(["no-new-privileges"])
    );
    assert!(host["Memory"].as_i64() > Some(0), "{host}");
    assert!(host["PidsLimit"].as_i64() > Some(0), "{host}");
    assert_eq!(host["LogConfig"]["Config"]["max-size"], "10m");
}

#[tokio::test]
async fn redis_of_each_generation_runs_with_few_rights_and_its_image_is_remembered() {
    const TEST: &str = "redis_of_each_generation_runs_with_few_rights_and_its_image_is_remembered";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let engine = engine().await;
    for (name, version) in [
        ("redis:7-alpine", "redis 7"),
        ("redis:8-alpine", "redis 8"),
        ("valkey/valkey:9-alpine", "valkey 9"),
    ] {
        for keeps in [false, true] {
            let instance = unique("t");
            let _leftovers = Leftovers(instance.clone());
            let (spec, options) = redis(&instance, image(name), keeps);
            engine
                .pull(&spec.image, None, |_| {})
                .await
                .expect("an image");
            let (id, _) = engine.create(&spec).await.expect("a container");
            let ready = await_redis(&options, engine.observer().await_end(&id));
            let ready = tokio::time::timeout(Duration::from_secs(30), ready).await;
            assert_eq!(ready, Ok(Ok(())), "{name}: {}", docker(&["logs", &id]));
            is_hardened(&id);
            let found = only(&engine, &instance).await;
            assert!(found.server_version.starts_with(version), "{found:?}");
            assert!(found.image_digest.contains("@sha256:"), "{found:?}");
            let image = engine
                .observer()
                .image(&spec.image)
                .await
                .expect("an answer");
            assert_eq!(Some(found.image_id), image.map(|image| image.id));
        }
    }
}

/// Lets RabbitMQ run short of memory: whoever publishes or asks is told so, and waits for nothing.
async fn alarm_is_named(engine: &Engine, id: &str, address: &BrokerAddress) {
    let limit = async |limit: &str| {
        let command = ["rabbitmqctl", "set_vm_memory_high_watermark", limit];
        let set = engine.run_inside(id, &command, &Secret::default()).await;
        assert_eq!(set.ok(), Some(true));
    };
    let ask = || ask_rabbitmq(address, Duration::from_secs(20));
    limit("0.00001").await;
    let blocked = |result: &Result<(), NotReady>| matches!(result, Err(NotReady::Blocked(_)));
    // The alarm comes within a second or so.
    let deadline = Instant::now() + PATIENCE;
    let mut last = ask().await;
    while !blocked(&last) {
        assert!(Instant::now() < deadline, "{last:?}");
        last = ask().await;
    }
    let advice = last.expect_err("blocked").rabbitmq_advice(address);
    assert!(advice.is_some_and(|advice| advice.contains("memory")));
    let broker = Broker::connect(address, "test", PATIENCE)
        .await
        .expect("a connection");
    let published = broker.publish("CardTitleChanged", b"{}").await;
    assert!(
        matches!(published, Err(BrokerError::Blocked(_))),
        "{published:?}"
    );
    broker.close().await;
    limit("0.6").await;
    while ask().await.is_err() {
        assert!(Instant::now() < deadline, "the alarm does not end");
    }
}

#[tokio::test]
async fn rabbitmq_of_each_generation_runs_with_few_rights() {
    if !has(
        "rabbitmq_of_each_generation_runs_with_few_rights",
        &[Part::Docker],
    ) {
        return;
    }
    let engine = engine().await;
    for (name, version) in [
        ("rabbitmq:3-management-alpine", "rabbitmq 3"),
        ("rabbitmq:4-management-alpine", "rabbitmq 4"),
    ] {
        let instance = unique("t");
        let _leftovers = Leftovers(instance.clone());
        let (spec, address) = rabbitmq(&instance, image(name));
        engine
            .pull(&spec.image, None, |_| {})
            .await
            .expect("an image");
        let (id, _) = engine.create(&spec).await.expect("a container");
        for round in 0..2 {
            let ready = await_rabbitmq(&address, engine.observer().await_end(&id));
            let ready = tokio::time::timeout(Duration::from_secs(90), ready).await;
            assert!(
                matches!(ready, Ok(Ok(()))),
                "{name}: {ready:?} {}",
                docker(&["logs", &id])
            );
            is_hardened(&id);
            if round == 0 {
                // Its own tool needs rights too.
                let password = Secret::new("another");
                let command = ["rabbitmqctl", "add_user", "somebody"];
                let added = engine.run_inside(&id, &command, &password).await;
                assert_eq!(added.ok(), Some(true), "{name}");
                alarm_is_named(&engine, &id, &address).await;
                // Its data folder has another owner by now.
                docker(&["restart", "-t", "10", &id]);
            }
        }
        assert!(
            only(&engine, &instance)
                .await
                .server_version
                .starts_with(version)
        );
        assert_eq!(
            only(&engine, &instance).await.service,
            Service::RabbitMq.name()
        );
    }
}

#[tokio::test]
async fn a_container_whose_tag_moves_on_keeps_its_image_by_name() {
    const TEST: &str = "a_container_whose_tag_moves_on_keeps_its_image_by_name";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let (engine, instance) = (engine().await, unique("t"));
    let _leftovers = Leftovers(instance.clone());
    let (old, new) = (image("redis:7-alpine"), image("redis:8-alpine"));
    for image in [&old, &new] {
        engine.pull(image, None, |_| {}).await.expect("an image");
    }
    let tag = format!("{instance}:latest");
    docker(&["tag", &old, &tag]);
    let (spec, _) = redis(&instance, tag.clone(), false);
    let (id, _) = engine.create(&spec).await.expect("a container");
    assert!(!only(&engine, &instance).await.image_moved);
    // Docker lists the container by its image's id once no name is left for that.
    docker(&["tag", &new, &tag]);
    let found = only(&engine, &instance).await;
    assert_eq!((found.image, found.image_moved), (tag.clone(), true));
    assert_eq!(found.hash, spec.hash(), "it is not replaced");
    assert!(
        found.server_version.starts_with("redis 7"),
        "{}",
        found.server_version
    );
    engine.remove(&id, "redis").await.expect("removed");
    docker(&["rmi", &tag]);
}

/// The hub's image has the program, its libraries and public certificates; settings and keys are
/// copied into the container alone, where only the hub's own user reads them.
#[test]
fn the_hubs_image_holds_nothing_private() {
    let image = OwnImage::of_this_program("t").expect("an image");
    let archive = image.archive().expect("an archive");
    let mut archive = tar::Archive::new(archive.as_slice());
    for entry in archive.entries().expect("entries") {
        let entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let mode = entry.header().mode().expect("a mode");
        let known = path == "harmony"
            || path.starts_with("lib/")
            || path == "etc/ssl/certs/ca-certificates.crt";
        assert!(known, "{path}");
        assert_eq!(mode & 0o222, 0, "{path} has {mode:o}");
    }
}

#[tokio::test]
async fn dockers_own_registry_is_found_under_each_of_its_names() {
    let folder = Folder::new();
    folder.write("config.json", "{\"credsStore\": \"there-is-none\"}");
    assert_eq!(credentials::find("redis:8", folder.path()).await, None);
    folder.write(
        "config.json",
        "{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"bWU6c2VjcmV0\"}}}",
    );
    for image in ["redis:8", "docker.io/library/redis:8", "valkey/valkey:9"] {
        let login = credentials::find(image, folder.path()).await;
        let expected = credentials::RegistryLogin::Password {
            username: "me".to_owned(),
            password: Secret::new("secret"),
        };
        assert_eq!(login, Some(expected), "{image}");
    }
    let elsewhere = credentials::find("ghcr.io/x/redis:8", folder.path()).await;
    assert_eq!(elsewhere, None);
}

/// Where a helper's wait stopped the whole program, Ctrl-C was heard only after it.
#[cfg(unix)]
#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_credential_helper_that_waits_does_not_hold_up_ctrl_c() {
    const TEST: &str = "a_credential_helper_that_waits_does_not_hold_up_ctrl_c";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let started = folder.path().join("started");
    let script = format!("#!/bin/sh\ntouch {}\nexec sleep 600\n", started.display());
    folder.script("bin/docker-credential-waits", &script);
    folder.write("home/.docker/config.json", "{\"credsStore\": \"waits\"}");
    let path = std::env::var("PATH").expect("a path");
    let mut up = with(&folder, &instance, &["up", "--yes", "--pull", "always"]);
    up.args(["--redis", "container", "--rabbitmq", "embedded"])
        .args(["--hub", "none", "--image-registry", &image("")])
        .env(
            "PATH",
            format!("{}:{path}", folder.path().join("bin").display()),
        );
    let mut program = Program::start(&mut up);
    wait_for("the helper", || started.exists().then_some(()));
    program.signal(rustix::process::Signal::INT);
    // The helper itself would wait for longer than any test does.
    assert_eq!(program.wait(), Some(130));
}
