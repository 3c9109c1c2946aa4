//! A long message that cannot be delivered is set aside while others reach their clients.

use crate::harness::amqp::{headers, type_header};
use crate::harness::hostile::BOARD;
use crate::harness::program::Hub;
use crate::harness::raw::WebSocket;
use crate::harness::services::{Part, RabbitMq, has};
use crate::harness::{PATIENCE, wait_for};
use serde_json::json;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// Lets bytes pass between two sockets until one of them ends.
fn join(one: TcpStream, other: TcpStream) {
    for (mut from, mut to) in [(one.try_clone(), other.try_clone()), (Ok(other), Ok(one))]
        .map(|(from, to)| (from.expect("a socket"), to.expect("a socket")))
    {
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
}

/// A way to a server that lets the first connection pass; the others are handed over.
fn way_for_one(server: String) -> (u16, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (hand_over, held) = channel();
    std::thread::spawn(move || {
        let mut clients = listener.incoming().map_while(Result::ok);
        if let Some(first) = clients.next() {
            join(first, TcpStream::connect(server).expect("the server"));
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
    let (port, held) = way_for_one(server.clone());
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
