//! Long messages are read and set aside while others reach their clients.

use crate::harness::amqp::{headers, type_header};
use crate::harness::hostile::{BOARD, many_positions};
use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::WebSocket;
use crate::harness::services::RabbitMq;
use crate::harness::{PATIENCE, wait_for};
use harmony::broker::Broker;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

const OTHER_BOARD: &str = "520371f9-ea23-46de-9ce3-00aeeec060a2";

/// Declares what a hub declares.
fn declare(rabbitmq: &RabbitMq) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let address = rabbitmq.address();
        let broker = Broker::connect(&address, "a test", PATIENCE)
            .await
            .expect("RabbitMQ");
        broker.declare().await.expect("a queue");
        broker.close().await;
    });
}

/// Lets bytes pass between two sockets until one of them ends.
fn join(one: TcpStream, other: TcpStream) {
    for (mut from, mut to) in [(one.try_clone(), other.try_clone()), (Ok(other), Ok(one))]
        .map(|(from, to)| (from.expect("a socket"), to.expect("a socket")))
    {
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
}

/// A way to a server that lets so many connections pass; the others are handed over.
fn way_for(passing: usize, server: String) -> (u16, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (hand_over, held) = channel();
    std::thread::spawn(move || {
        let mut clients = listener.incoming().map_while(Result::ok);
        for first in clients.by_ref().take(passing) {
            join(first, TcpStream::connect(&server).expect("the server"));
        }
        for client in clients {
            if hand_over.send(client).is_err() {
                return;
            }
        }
    });
    (port, held)
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_long_bad_message_holds_up_nobody() {
    if !has("a_long_bad_message_holds_up_nobody", &[Part::RabbitMq]) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let server = format!("127.0.0.1:{}", rabbitmq.port);
    let (port, held) = way_for(1, server.clone());
    let [host, _, virtual_host] = rabbitmq.arguments();
    let port = format!("--BrokerConfiguration:Port={port}");
    let hub = Hub::start(&[&host, &port, &virtual_host, "--redis=none"]);
    hub.wait_until_ready();
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", BOARD);
    let mut publisher = rabbitmq.publisher();
    let properties = headers(&[type_header("CardTitleChanged")]);
    publisher.publish(&properties, &vec![b'x'; 1 << 20]);
    // What is set aside goes by a connection of its own, which waits here.
    let aside = held.recv_timeout(PATIENCE).expect("a second connection");
    for title in ["first", "second"] {
        let good = json!({ "BoardId": BOARD, "CardId": BOARD, "Title": title });
        publisher.publish(&properties, good.to_string().as_bytes());
        assert_eq!(client.message()["arguments"][0]["title"], title);
    }
    let rejected = || hub.metric("harmony_hub_notifications_rejected_total");
    assert_eq!(rejected(), 0.0);
    join(aside, TcpStream::connect(server).expect("RabbitMQ"));
    wait_for("the message to be set aside", || {
        (rejected() == 1.0).then_some(())
    });
}

#[test]
#[ignore = "needs RabbitMQ: run tests/run"]
fn a_long_message_holds_up_only_what_is_for_the_same_board() {
    let name = "a_long_message_holds_up_only_what_is_for_the_same_board";
    if !has(name, &[Part::RabbitMq]) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    declare(&rabbitmq);
    let server = format!("127.0.0.1:{}", rabbitmq.port);
    let (port, held) = way_for(0, server.clone());
    let [host, _, virtual_host] = rabbitmq.arguments();
    let port = format!("--BrokerConfiguration:Port={port}");
    let hub = Hub::start(&[&host, &port, &virtual_host, "--redis=none"]);
    let consuming = held.recv_timeout(PATIENCE).expect("a connection");
    let mut client = WebSocket::connected(hub.address());
    for board in [BOARD, OTHER_BOARD] {
        client.invoke("ListenForBoardEvents", board);
    }
    let (_, name, body) = many_positions();
    let mut publisher = rabbitmq.publisher();
    publisher.publish(&headers(&[type_header(name)]), body.as_bytes());
    for board in [OTHER_BOARD, BOARD] {
        let good = json!({ "BoardId": board, "CardId": BOARD, "Title": board });
        let properties = headers(&[type_header("CardTitleChanged")]);
        publisher.publish(&properties, good.to_string().as_bytes());
    }
    join(consuming, TcpStream::connect(server).expect("RabbitMQ"));
    let heard = [(); 3].map(|()| client.message());
    let title = |message: &Value| message["arguments"][0]["title"].clone();
    assert_eq!(title(&heard[0]), OTHER_BOARD);
    assert_eq!(heard[1]["target"], "OnBoardListsPositionsChanged");
    assert_eq!(title(&heard[2]), BOARD);
}
