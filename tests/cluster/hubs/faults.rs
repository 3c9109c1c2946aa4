//! What hubs do when one of them dies, Redis goes away or a message is bad.

use super::{hub, publish};
use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, harmony, run, text};
use crate::harness::raw::WebSocket;
use crate::harness::services::{RabbitMq, Redis};
use crate::harness::{Folder, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn a_hub_that_dies_in_a_burst_loses_nothing() {
    if !has(
        "a_hub_that_dies_in_a_burst_loses_nothing",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    const MESSAGES: usize = 4000;
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let (listening, mut dying) = (hub(&redis, &rabbitmq), hub(&redis, &rabbitmq));
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut client = WebSocket::connected(listening.address());
    client.invoke("ListenForBoardEvents", board);
    let body = |number: usize| json!({ "BoardId": board, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": format!("{number}") });
    let messages: Vec<_> = (0..MESSAGES)
        .map(|number| ("CardTitleChanged".to_owned(), body(number).to_string()))
        .collect();
    let killer = std::thread::spawn(move || {
        wait_for("the dying hub to be at work", || {
            (dying.metric("harmony_hub_notifications_total") > 100.0).then_some(())
        });
        dying.program.signal(rustix::process::Signal::KILL);
        dying.program.stop();
    });
    // The client reads meanwhile: publishing may take longer than a hub waits for one that does
    // not.
    let listener = std::thread::spawn(move || {
        let mut heard = std::collections::HashSet::new();
        while heard.len() < MESSAGES {
            let title = client.message()["arguments"][0]["title"].clone();
            heard.insert(title.as_str().expect("a title").to_owned());
        }
    });
    publish(&rabbitmq.address(), &messages);
    listener.join().expect("every message");
    killer.join().expect("the killer");
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn while_redis_is_away_messages_wait_and_then_flow_on() {
    if !has(
        "while_redis_is_away_messages_wait_and_then_flow_on",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let hub = hub(&redis, &rabbitmq);
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", board);
    let port = redis.stop();
    let unhealthy = || {
        crate::harness::raw::http(
            hub.address(),
            b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .status
            == 503
    };
    wait_for("ready to turn 503", || unhealthy().then_some(()));
    let body = |number: usize| json!({ "BoardId": board, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": format!("{number}") });
    let messages: Vec<_> = (0..50)
        .map(|number| ("CardTitleChanged".to_owned(), body(number).to_string()))
        .collect();
    publish(&rabbitmq.address(), &messages);
    let _redis = Redis::on(port);
    for number in 0..50 {
        assert_eq!(
            client.message()["arguments"][0]["title"],
            format!("{number}")
        );
    }
    hub.wait_until_ready();
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn what_kills_the_dotnet_hub_is_set_aside_with_its_reason_and_the_rest_flows_on() {
    if !has(
        "what_kills_the_dotnet_hub_is_set_aside_with_its_reason_and_the_rest_flows_on",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let [host, port, virtual_host] = rabbitmq.arguments();
    let hub = Hub::start(&[&host, &port, &virtual_host]);
    hub.wait_until_ready();
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", board);
    let good = json!({ "BoardId": board, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": "good" }).to_string();
    publish(
        &rabbitmq.address(),
        &[
            ("CardTitleChanged".into(), "hello".into()),
            ("CardTitleChanged".into(), good),
        ],
    );
    assert_eq!(client.message()["arguments"][0]["title"], "good");
    assert_eq!(hub.metric("harmony_hub_notifications_rejected_total"), 1.0);
    let path = format!(
        "/api/queues/{}/notifications.signalr.rejected/get",
        rabbitmq.virtual_host
    );
    let rejected = rabbitmq.ask(
        "POST",
        &path,
        r#"{"count":5,"ackmode":"ack_requeue_true","encoding":"auto"}"#,
    );
    let rejected: Value = serde_json::from_str(&rejected.body).expect("JSON");
    assert_eq!(rejected[0]["payload"], "hello");
    assert_eq!(
        rejected[0]["properties"]["headers"]["notification_type"],
        "CardTitleChanged"
    );
    let reason = rejected[0]["properties"]["headers"]["x-harmony-reason"]
        .as_str()
        .expect("a reason");
    assert!(reason.contains("an invalid start of a value"), "{reason}");

    // Looked at, sent again (and rejected again), dropped.
    let folder = Folder::new();
    let settings = json!({ "BrokerConfiguration": { "Host": "127.0.0.1", "Port": rabbitmq.port, "VirtualHost": rabbitmq.virtual_host } });
    folder.write(
        "harmony/Harmony.SignalR/appsettings.json",
        &settings.to_string(),
    );
    let rejected = |arguments: &[&str]| {
        let output = run(harmony(folder.path())
            .args(["rejected", "--json"])
            .args(arguments));
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
        (output.status.code(), answer)
    };
    let (_, list) = rejected(&["list"]);
    assert_eq!(
        (
            list["rejected"].as_array().map(Vec::len),
            &list["rejected"][0]["type"]
        ),
        (Some(1), &"CardTitleChanged".into()),
        "{list}"
    );
    assert_eq!(rejected(&["show", "1"]).1["body"], "hello");
    assert_eq!(rejected(&["show", "2"]).0, Some(2));
    assert_eq!(rejected(&["retry", "1"]).1["changes"], 1);
    wait_for("the same rejected again", || {
        (hub.metric("harmony_hub_notifications_rejected_total") == 2.0).then_some(())
    });
    assert_eq!(
        rejected(&["drop", "--all"]).1["error"]["code"],
        "answerMissing"
    );
    assert_eq!(rejected(&["drop", "--all", "--yes"]).1["changes"], 1);
    assert_eq!(rejected(&["list"]).1["rejected"], json!([]));
}

/// Reads until every number has come.
fn hear_all(client: &mut WebSocket, messages: usize) {
    let mut missing: std::collections::HashSet<usize> = (0..messages).collect();
    while !missing.is_empty() {
        let message = client.message();
        let title = message["arguments"][0]["title"].as_str().expect("a title");
        missing.remove(&title.parse::<usize>().expect("a number"));
    }
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn a_hub_whose_listening_connection_is_cut_misses_nothing() {
    if !has(
        "a_hub_whose_listening_connection_is_cut_misses_nothing",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let (redis, rabbitmq) = (Redis::start(), RabbitMq::start());
    let [host, port, virtual_host] = rabbitmq.arguments();
    let backplane = format!("--RedisConnectionString={}", redis.connection_string());
    let hubs = [(), ()].map(|()| Hub::start(&[&host, &port, &virtual_host, &backplane]));
    hubs.iter().for_each(Hub::wait_until_ready);
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut clients = [0, 1].map(|hub| WebSocket::connected(hubs[hub].address()));
    clients
        .iter_mut()
        .for_each(|client| client.invoke("ListenForBoardEvents", board));
    let body = |number: usize| json!({ "BoardId": board, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": format!("{number}") });
    const MESSAGES: usize = 3000;
    let cutter = std::thread::scope(|scope| {
        // Clients that do not read meanwhile send no pings either.
        for client in &mut clients {
            scope.spawn(|| hear_all(client, MESSAGES));
        }
        let address = redis.connection_string();
        let publishing = scope.spawn(|| {
            for batch in (0..MESSAGES).collect::<Vec<_>>().chunks(100) {
                let messages: Vec<_> = batch
                    .iter()
                    .map(|number| ("CardTitleChanged".to_owned(), body(*number).to_string()))
                    .collect();
                publish(&rabbitmq.address(), &messages);
            }
        });
        let mut cuts = 0;
        while !publishing.is_finished() {
            use std::io::{Read, Write};
            let mut stream = crate::harness::raw::connect(&address);
            stream
                .write_all(b"CLIENT KILL TYPE pubsub\r\n")
                .expect("a command");
            let mut answer = [0; 16];
            let _ = stream.read(&mut answer);
            cuts += 1;
            std::thread::park_timeout(Duration::from_millis(250));
        }
        cuts
    });
    eprintln!("{MESSAGES} messages through {cutter} cuts of every listening connection: none lost");
}
