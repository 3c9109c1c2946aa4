//! Hubs that fall behind, fall silent, die or leave while another publishes more than Redis' log
//! holds; and a client that reads more slowly than a backlog is drained.

use super::chaos::way::{Passage, Way};
use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::WebSocket;
use crate::harness::services::{RabbitMq, Redis};
use crate::harness::wait_for;
use futures_util::future::join_all;
use harmony::broker::Broker;
use rustix::process::Signal;
use std::collections::HashSet;
use std::io::Read;
use std::time::Duration;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
const WAITS: &str = "publishing waits for a hub that does not keep up";
/// Of 20 KB each: 80 MB, more than the log keeps.
const MESSAGES: usize = 4000;
const SIZE: usize = 20_000;

fn publish(rabbitmq: &RabbitMq, messages: usize, size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let broker = Broker::connect(&rabbitmq.address(), "test", Duration::from_secs(30)).await.expect("RabbitMQ");
        let filling = "x".repeat(size);
        for chunk in (0..messages).collect::<Vec<_>>().chunks(100) {
            let bodies = chunk.iter().map(|number| format!("{{\"BoardId\":\"{BOARD}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"{number} {filling}\"}}"));
            let published = join_all(bodies.map(|body| { let broker = &broker; async move { broker.publish("CardTitleChanged", body.as_bytes()).await } })).await;
            published.into_iter().for_each(|published| published.expect("a message published"));
        }
        broker.close().await;
    });
}

fn hub(redis: u16, rabbitmq: &RabbitMq) -> Hub {
    let [host, port, virtual_host] = rabbitmq.arguments();
    let hub = Hub::start(&[
        &host,
        &port,
        &virtual_host,
        &format!("--RedisConnectionString=127.0.0.1:{redis},abortConnect=false"),
    ]);
    hub.wait_until_ready();
    hub
}

fn listening(hub: &Hub) -> WebSocket {
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", BOARD);
    client
}

/// Publishes, and returns once a client has heard every message; it may hear some twice.
fn hear_all(rabbitmq: &RabbitMq, client: &mut WebSocket) {
    std::thread::scope(|scope| {
        // A client that does not read meanwhile would be closed.
        scope.spawn(|| publish(rabbitmq, MESSAGES, SIZE));
        hear(client);
    });
}

fn hear(client: &mut WebSocket) {
    let mut missing: HashSet<usize> = (0..MESSAGES).collect();
    while !missing.is_empty() {
        let message = client.message();
        if message["type"] == 6 {
            continue;
        }
        let title = message["arguments"][0]["title"].as_str().expect("a title");
        missing.remove(
            &title
                .split(' ')
                .next()
                .expect("a number")
                .parse()
                .expect("a number"),
        );
    }
}

fn said(hub: &Hub, text: &str) -> bool {
    hub.program.lines().iter().any(|line| line.contains(text))
}

/// Returns once each of two hubs has asked how far the other is, and was answered.
fn acquainted(redis: &Redis) {
    let mut listener = redis.listen();
    let mut answered = HashSet::new();
    while answered.len() < 2 {
        let (channel, said) = listener.next_of_all();
        // Marks, which are text, come the same way.
        if channel.contains(":internal:mark:") && said.first() == Some(&0x92) {
            answered.insert(channel);
        }
    }
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn one_that_is_cut_off_for_long_still_hears_everything() {
    if !has(
        "one_that_is_cut_off_for_long_still_hears_everything",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let way = Way::to(redis.port);
    let (publishing, cut_off) = (hub(redis.port, &rabbitmq), hub(way.port, &rabbitmq));
    let mut client = listening(&cut_off);
    acquainted(&redis);
    way.set(Passage::Silent);
    publish(&rabbitmq, MESSAGES, SIZE);
    let all = || publishing.metric("harmony_hub_notifications_total") >= MESSAGES as f64 * 0.8;
    wait_for("the other hub to be far ahead", || {
        (said(&publishing, WAITS) || all()).then_some(())
    });
    way.cut();
    way.set(Passage::Open);
    hear(&mut client);
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn one_that_died_is_given_up() {
    if !has("one_that_died_is_given_up", &[Part::Redis, Part::RabbitMq]) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let (publishing, mut dying) = (hub(redis.port, &rabbitmq), hub(redis.port, &rabbitmq));
    let mut client = listening(&publishing);
    acquainted(&redis);
    dying.program.signal(Signal::KILL);
    dying.program.wait();
    hear_all(&rabbitmq, &mut client);
    assert!(said(&publishing, WAITS), "it might have come back");
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn one_that_left_is_not_waited_for() {
    if !has(
        "one_that_left_is_not_waited_for",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let (publishing, mut leaving) = (hub(redis.port, &rabbitmq), hub(redis.port, &rabbitmq));
    let mut client = listening(&publishing);
    acquainted(&redis);
    assert_eq!(leaving.program.stop(), Some(0));
    hear_all(&rabbitmq, &mut client);
    assert!(!said(&publishing, WAITS), "it said goodbye");
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_client_that_reads_slowly_hears_a_burst_whole() {
    if !has(
        "a_client_that_reads_slowly_hears_a_burst_whole",
        &[Part::RabbitMq],
    ) {
        return;
    }
    const BURST: usize = 60_000;
    let rabbitmq = RabbitMq::start();
    let [host, port, virtual_host] = rabbitmq.arguments();
    let hub = Hub::start(&[&host, &port, &virtual_host]);
    hub.wait_until_ready();
    let mut stream = listening(&hub).stream;
    std::thread::scope(|scope| {
        scope.spawn(|| publish(&rabbitmq, BURST, 1));
        let (mut heard, mut piece) = (0, vec![0; 4096]);
        while heard < BURST {
            let length = stream.read(&mut piece).expect("more of it");
            assert!(length > 0, "closed after {heard} messages");
            heard += piece[..length].iter().filter(|byte| **byte == 0x1e).count();
            // Some two thousand messages a second.
            std::thread::park_timeout(Duration::from_millis(10));
        }
    });
}
