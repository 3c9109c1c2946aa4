//! Hubs of ours, and ASP.NET Core's, on one Redis and one RabbitMQ.

mod faults;

use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::WebSocket;
use crate::harness::services::{Listener, RabbitMq, Redis, refhub};
use crate::harness::{fixture, wait_for};
use base64::Engine;
use harmony::broker::Broker;
use harmony::connection_string::amqp::BrokerAddress;
use harmony::signalr::backplane::envelope::read_invocation;
use serde_json::{Value, json};
use std::time::Duration;

/// Publishes to RabbitMQ as Harmony.Api does.
fn publish(rabbitmq: &BrokerAddress, messages: &[(String, String)]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let broker = Broker::connect(rabbitmq, "test", Duration::from_secs(30))
            .await
            .expect("RabbitMQ");
        for (notification, body) in messages {
            broker
                .publish(notification, body.as_bytes())
                .await
                .expect("a message published");
        }
        broker.close().await;
    });
}

fn hub(redis: &Redis, rabbitmq: &RabbitMq) -> Hub {
    let [host, port, virtual_host] = rabbitmq.arguments();
    let redis = format!("--RedisConnectionString={}", redis.connection_string());
    let hub = Hub::start(&[&host, &port, &virtual_host, &redis]);
    hub.wait_until_ready();
    hub
}

fn parsed(message: &Value) -> Value {
    serde_json::from_str(message.as_str().expect("text").trim_end_matches('\u{1e}')).expect("JSON")
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn the_117_notifications_reach_clients_of_two_hubs_as_recorded() {
    if !has(
        "the_117_notifications_reach_clients_of_two_hubs_as_recorded",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let hubs = [hub(&redis, &rabbitmq), hub(&redis, &rabbitmq)];
    let carried = as_recorded(&hubs, &rabbitmq.address(), Some(redis.listen()));
    assert!(carried >= 110, "{carried} carried");
}

/// Publishes the recorded notifications: clients of both hubs hear what was recorded, and a
/// listener at Redis too. How many messages the listener had.
pub fn as_recorded(
    hubs: &[Hub; 2],
    rabbitmq: &BrokerAddress,
    mut listener: Option<Listener>,
) -> usize {
    let recorded = fixture("notifications.json");
    let mut clients = hubs
        .each_ref()
        .map(|hub| WebSocket::connected(hub.address()));
    for client in &mut clients {
        for group in recorded["groups"].as_array().expect("groups") {
            let method = if group["card"] == true {
                "ListenForCardEvents"
            } else {
                "ListenForBoardEvents"
            };
            client.invoke(method, group["name"].as_str().expect("a name"));
        }
    }
    let cases = recorded["cases"].as_array().expect("cases");
    let (mut heard, mut carried) = (0, 0);
    for case in cases {
        // One by one, as they were recorded: two hubs share the queue, and which is faster is
        // chance.
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        publish(
            rabbitmq,
            &[(
                text(&case["headers"]["notification_type"]),
                text(&case["body"]),
            )],
        );
        for (client, recorded) in clients.iter_mut().zip(["client", "otherHubClient"]) {
            for message in case[recorded].as_array().expect("messages") {
                assert_eq!(
                    client.message(),
                    parsed(message),
                    "{}: {recorded}",
                    case["name"]
                );
                heard += 1;
            }
        }
        for published in case["backplane"].as_array().expect("messages") {
            let Some(listener) = &mut listener else {
                break;
            };
            let (channel, bytes) = listener.next();
            let expected = base64::engine::general_purpose::STANDARD
                .decode(published["base64"].as_str().expect("base64"))
                .expect("base64");
            let (ours, expected) = (
                read_invocation(&bytes).expect("an envelope"),
                read_invocation(&expected).expect("an envelope"),
            );
            assert_eq!(channel, published["channel"], "{}", case["name"]);
            assert_eq!(ours.excluded, expected.excluded);
            let decoded = |messages: &[(&str, &[u8])]| -> Vec<(String, Value)> {
                let decode = |bytes: &[u8]| {
                    serde_json::from_slice(bytes.strip_suffix(b"\x1e").expect("a separator"))
                        .expect("JSON")
                };
                messages
                    .iter()
                    .map(|(protocol, bytes)| ((*protocol).to_owned(), decode(bytes)))
                    .collect()
            };
            assert_eq!(
                decoded(&ours.messages),
                decoded(&expected.messages),
                "{}",
                case["name"]
            );
            carried += 1;
        }
    }
    eprintln!(
        "{} notifications: {heard} messages heard equal on two hubs, {carried} backplane messages equal",
        cases.len()
    );
    assert!(heard >= 2 * 110, "{heard} heard");
    carried
}

#[test]
#[ignore = "needs Redis, RabbitMQ and the .NET peer: run tests/run"]
fn in_a_mixed_cluster_a_message_taken_by_either_hub_reaches_clients_of_both() {
    if !has(
        "in_a_mixed_cluster_a_message_taken_by_either_hub_reaches_clients_of_both",
        &[Part::Redis, Part::RabbitMq, Part::Peer],
    ) {
        return;
    }
    const MESSAGES: usize = 60;
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let ours = hub(&redis, &rabbitmq);
    let (_theirs, address) = refhub(Some(&redis), Some(&rabbitmq));
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut clients = [
        WebSocket::connected(ours.address()),
        WebSocket::connected(&address),
    ];
    clients
        .iter_mut()
        .for_each(|client| client.invoke("ListenForBoardEvents", board));
    let consumers = || {
        let queue = rabbitmq.ask(
            "GET",
            &format!("/api/consumers/{}", rabbitmq.virtual_host),
            "",
        );
        queue.body.matches("consumer_tag").count()
    };
    wait_for("both hubs to consume", || (consumers() == 2).then_some(()));
    let title = |number: usize| format!("{number}");
    let messages: Vec<_> = (0..MESSAGES)
        .map(|number| {
            let body = json!({ "BoardId": board, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": title(number) });
            ("CardTitleChanged".to_owned(), body.to_string())
        })
        .collect();
    publish(&rabbitmq.address(), &messages);
    for client in &mut clients {
        let mut heard: Vec<_> = (0..MESSAGES)
            .map(|_| {
                client.message()["arguments"][0]["title"]
                    .as_str()
                    .expect("a title")
                    .to_owned()
            })
            .collect();
        let mut expected: Vec<_> = (0..MESSAGES).map(title).collect();
        heard.sort();
        expected.sort();
        assert_eq!(heard, expected);
    }
    let taken = ours.metric("harmony_hub_notifications_total");
    eprintln!(
        "{MESSAGES} messages: {taken} taken by our hub, {} by .NET's, all heard by clients of both",
        MESSAGES as f64 - taken
    );
    assert!(
        taken > 0.0 && taken < MESSAGES as f64,
        "both hubs took part: {taken} of {MESSAGES} were ours"
    );
}
