//! One message must not stop the hub, fill its memory, or take it long: each attack stands in the
//! queue before a good notification, which a client has to hear.

use crate::harness::amqp::{
    Amqp, EXCHANGE, EXPIRATION, HEADERS, KEY, USER_ID, header, headers, long, short, type_header,
};
use crate::harness::hostile::{self, BOARD};
use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::WebSocket;
use crate::harness::services::RabbitMq;
use crate::harness::{unique, wait_for};
use crate::security::memory;
use serde_json::{Value, json};
use std::time::Instant;

const REJECTED: &str = "notifications.signalr.rejected";

fn title(title: &str) -> Vec<u8> {
    json!({ "BoardId": BOARD, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": title })
        .to_string()
        .into_bytes()
}

/// A hub on a RabbitMQ, a client that hears a board, and a publisher.
struct Attacked {
    rabbitmq: RabbitMq,
    hub: Hub,
    client: WebSocket,
    publisher: Amqp,
}

impl Attacked {
    fn start() -> Self {
        Self::start_on(RabbitMq::start(), &[])
    }

    fn start_on(rabbitmq: RabbitMq, arguments: &[&str]) -> Self {
        let address = rabbitmq.arguments();
        let mut all: Vec<&str> = address.iter().map(String::as_str).collect();
        all.push("--redis=none");
        all.extend(arguments);
        let hub = Hub::start(&all);
        hub.wait_until_ready();
        let mut client = WebSocket::connected(hub.address());
        client.invoke("ListenForBoardEvents", BOARD);
        let publisher = rabbitmq.publisher();
        Attacked {
            rabbitmq,
            hub,
            client,
            publisher,
        }
    }

    /// A good notification reaches the client.
    fn still_delivers(&mut self) {
        let number = unique("title");
        self.publisher.publish(
            &headers(&[type_header("CardTitleChanged")]),
            &title(&number),
        );
        loop {
            let message = self.client.message();
            if message["arguments"][0]["title"] == number.as_str() {
                break;
            }
        }
        self.hub.wait_until_ready();
    }

    fn metric(&self, name: &str) -> f64 {
        self.hub
            .metric(&format!("harmony_hub_notifications_{name}_total"))
    }

    /// Waits until so many are counted: good ones go out before others are set aside.
    fn has_counted(&self, name: &str, count: f64) {
        wait_for(name, || (self.metric(name) == count).then_some(()));
    }

    /// What was set aside, taken out of the queue.
    fn rejected(&self, count: usize) -> Vec<Value> {
        let queue = format!("/api/queues/{}/{REJECTED}", self.rabbitmq.virtual_host);
        let ask = json!({ "count": count, "ackmode": "ack_requeue_false", "encoding": "auto" });
        wait_for("the messages set aside", || {
            let answer = self
                .rabbitmq
                .ask("POST", &format!("{queue}/get"), &ask.to_string());
            let found: Value = serde_json::from_str(&answer.body).ok()?;
            found.as_array().filter(|found| !found.is_empty()).cloned()
        })
    }
}

/// Publishes a message and then a good one; what its reading took, in time and in memory.
fn measured(name: &str, attacked: &mut Attacked, properties: &[u8], body: &[u8]) -> u64 {
    let pid = attacked.hub.program.pid();
    // Begins the peak anew.
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a new peak");
    let (before, begun) = (memory(&attacked.hub, "VmRSS"), Instant::now());
    attacked.publisher.publish(properties, body);
    attacked.still_delivers();
    let grown = memory(&attacked.hub, "VmHWM").saturating_sub(before);
    eprintln!(
        "{name:<42}{:>9} bytes {:>8.1} ms {:>8.1} MB more",
        body.len(),
        begun.elapsed().as_secs_f64() * 1e3,
        grown as f64 / 1e3
    );
    grown
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn no_header_or_property_stops_the_hub() {
    if !has("no_header_or_property_stops_the_hub", &[Part::RabbitMq]) {
        return;
    }
    let mut attacked = Attacked::start();
    for (name, properties) in hostile::headers() {
        let title = unique("attack");
        attacked
            .publisher
            .publish(&properties, &self::title(&title));
        let heard = attacked.client.message();
        assert_eq!(heard["arguments"][0]["title"], title.as_str(), "{name}");
        attacked.still_delivers();
    }
    assert_eq!(attacked.metric("rejected"), 0.0);
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn what_is_set_aside_is_never_refused_for_what_it_is() {
    if !has(
        "what_is_set_aside_is_never_refused_for_what_it_is",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let mut attacked = Attacked::start();
    // A user that is not the hub's.
    let user = unique("user");
    let account = json!({ "password": "p", "tags": "" }).to_string();
    let rights = json!({ "configure": ".*", "write": ".*", "read": ".*" }).to_string();
    let rabbitmq = &attacked.rabbitmq;
    rabbitmq.ask("PUT", &format!("/api/users/{user}"), &account);
    let path = format!("/api/permissions/{}/{user}", rabbitmq.virtual_host);
    rabbitmq.ask("PUT", &path, &rights);
    let mut other = rabbitmq.publisher_as(&user, "p");
    let good = type_header("CardTitleChanged");
    let flags = (HEADERS | USER_ID).to_be_bytes();
    let signed = [&flags[..], &long(&good), &short(user.as_bytes())].concat();
    other.publish(&signed, b"not JSON: user id");

    let flags = (HEADERS | EXPIRATION).to_be_bytes();
    let expires = [&flags[..], &long(&good), &short(b"1000")].concat();
    let copies = header(b"CC", b'A', &long(&[b"S".as_slice(), &long(KEY)].concat()));
    let hidden = header(b"BCC", b'A', &long(&[b"S".as_slice(), &long(KEY)].concat()));
    let delayed = header(b"x-delay", b'I', &[0, 0, 0, 1]);
    let long_trace = header(b"trace", b'S', &long(&[b'x'; 100_000]));
    attacked.publisher.publish(&expires, b"not JSON: expires");
    for (body, more) in [
        ("not JSON: copies", copies.clone()),
        ("not JSON: hidden copies", hidden),
        ("not JSON: delayed", delayed),
        ("not JSON: a long header", long_trace),
    ] {
        let properties = headers(&[good.clone(), more]);
        attacked
            .publisher
            .publish_to(EXCHANGE, KEY, &properties, body.as_bytes());
    }
    // The key of this one is not UTF-8; it comes by its copy.
    let copied = headers(&[good, copies]);
    attacked
        .publisher
        .publish_to(EXCHANGE, b"\xff\xfe", &copied, b"not JSON: key");
    attacked.still_delivers();
    // Five, and two that copies may have made two of each.
    wait_for("the messages to be set aside", || {
        (attacked.metric("rejected") >= 7.0).then_some(())
    });
    let rejected = attacked.rejected(100);
    let queue = format!("/api/queues/{}/{REJECTED}", attacked.rabbitmq.virtual_host);
    let queue = attacked.rabbitmq.ask("GET", &queue, "").body;
    let queue: Value = serde_json::from_str(&queue).expect("JSON");
    let bounds = json!({ "x-max-length": 10_000, "x-max-length-bytes": 256 << 20 });
    assert_eq!(queue["arguments"], bounds);
    let bodies: Vec<_> = rejected.iter().map(|one| &one["payload"]).collect();
    // Copies make two of some, and no more than that.
    let count = |body: &str| bodies.iter().filter(|found| ***found == body).count();
    for body in [
        "not JSON: user id",
        "not JSON: expires",
        "not JSON: delayed",
        "not JSON: a long header",
        "not JSON: key",
    ] {
        assert_eq!(count(body), 1, "{body}: {bodies:?}");
    }
    for body in ["not JSON: copies", "not JSON: hidden copies"] {
        assert!((1..=2).contains(&count(body)), "{body}: {bodies:?}");
    }
    let omitted = rejected
        .iter()
        .find(|one| one["payload"] == "not JSON: a long header")
        .map(|one| &one["properties"]["headers"]["x-harmony-headers-omitted"]);
    assert_eq!(omitted, Some(&json!(1)));
    assert_eq!(attacked.metric("discarded"), 0.0);
    attacked
        .rabbitmq
        .ask("DELETE", &format!("/api/users/{user}"), "");
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_rejected_queue_that_others_declared_is_used_as_it_is() {
    if !has(
        "a_rejected_queue_that_others_declared_is_used_as_it_is",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let path = format!("/api/queues/{}/{REJECTED}", rabbitmq.virtual_host);
    let other = json!({ "durable": false, "arguments": { "x-max-length": 7 } });
    rabbitmq.ask("PUT", &path, &other.to_string());
    let mut attacked = Attacked::start_on(rabbitmq, &[]);
    let properties = headers(&[type_header("CardTitleChanged")]);
    for _ in 0..3 {
        attacked.publisher.publish(&properties, b"not JSON");
    }
    attacked.still_delivers();
    attacked.has_counted("rejected", 3.0);
    assert_eq!(attacked.rejected(10).len(), 3);
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_message_that_cannot_even_be_set_aside_is_dropped_and_counted() {
    if !has(
        "a_message_that_cannot_even_be_set_aside_is_dropped_and_counted",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let user = unique("user");
    let account = json!({ "password": "p", "tags": "" }).to_string();
    // Harmony's own exchange and queue, and nothing else.
    let own = "^(harmony_notifications|notifications\\.signalr)$";
    let rights = json!({ "configure": own, "write": own, "read": own }).to_string();
    rabbitmq.ask("PUT", &format!("/api/users/{user}"), &account);
    let path = format!("/api/permissions/{}/{user}", rabbitmq.virtual_host);
    rabbitmq.ask("PUT", &path, &rights);
    let name = format!("--BrokerConfiguration:Username={user}");
    let arguments = [name.as_str(), "--BrokerConfiguration:Password=p"];
    let mut attacked = Attacked::start_on(rabbitmq, &arguments);
    let properties = headers(&[type_header("CardTitleChanged")]);
    for _ in 0..3 {
        attacked.publisher.publish(&properties, b"not JSON");
    }
    attacked.still_delivers();
    attacked.has_counted("discarded", 3.0);
    assert_eq!(attacked.metric("rejected"), 0.0);
    let lines = attacked.hub.program.lines();
    let said = lines
        .iter()
        .filter(|line| line.contains("a message was dropped"));
    assert_eq!(said.count(), 1, "{lines:?}");
    attacked
        .rabbitmq
        .ask("DELETE", &format!("/api/users/{user}"), "");
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_full_rejected_queue_loses_nothing() {
    if !has("a_full_rejected_queue_loses_nothing", &[Part::RabbitMq]) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let path = format!("/api/queues/{}/{REJECTED}", rabbitmq.virtual_host);
    let full = json!({ "durable": true, "arguments": { "x-max-length": 1, "x-overflow": "reject-publish" } });
    rabbitmq.ask("PUT", &path, &full.to_string());
    let mut attacked = Attacked::start_on(rabbitmq, &[]);
    let properties = headers(&[type_header("CardTitleChanged")]);
    for number in 0..3 {
        let body = format!("not JSON {number}");
        attacked.publisher.publish(&properties, body.as_bytes());
    }
    let mut found = std::collections::BTreeSet::new();
    while found.len() < 3 {
        for one in attacked.rejected(1) {
            found.insert(one["payload"].as_str().expect("text").to_owned());
        }
    }
    attacked.still_delivers();
    assert_eq!(attacked.metric("discarded"), 0.0);
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn no_single_message_costs_much_memory_or_time() {
    if !has(
        "no_single_message_costs_much_memory_or_time",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let mut attacked = Attacked::start();
    // What the hub needs for anything at all is not the message's doing.
    attacked.still_delivers();
    let spaces = [8 << 20, 30 << 20, 100 << 20].map(hostile::spaces);
    for (name, notification, body) in hostile::bodies().into_iter().chain(spaces) {
        let properties = headers(&[type_header(notification)]);
        let grown = measured(name, &mut attacked, &properties, body.as_bytes());
        let most = (16 * body.len() as u64 / 1000).min(256_000);
        // What the process keeps for later is not counted finer than this.
        assert!(grown < most.max(16_000), "{name}: {grown} kB more");
    }
}
