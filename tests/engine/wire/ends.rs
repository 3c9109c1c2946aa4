//! How connections end: by silence, and by a stop of the hub.

use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::{Frame, WebSocket, connect, http, read_answer};
use crate::harness::services::Redis;
use serde_json::{Value, json};

#[test]
fn silence_is_answered_as_recorded() {
    let hub = Hub::embedded(&[]);
    let began = std::time::Instant::now();
    let mut unshaken = WebSocket::open(hub.address());
    let mut quiet = WebSocket::connected(hub.address());
    // golden: the handshake is cancelled after 15 s, the first ping comes after 15 to 16 s.
    assert_eq!(
        unshaken.next(),
        Frame::Text("{\"error\":\"Handshake was canceled.\"}\u{1e}".into())
    );
    assert_eq!(unshaken.next(), Frame::Close(1000));
    let cancelled = began.elapsed().as_millis();
    assert!((14_500..20_000).contains(&cancelled), "{cancelled}");
    assert_eq!(quiet.next(), Frame::Text("{\"type\":6}\u{1e}".into()));
    let pinged = began.elapsed().as_millis();
    assert!((14_500..20_000).contains(&pinged), "{pinged}");
}

#[test]
fn a_client_that_pinged_and_fell_silent_is_closed_after_30_seconds() {
    let hub = Hub::embedded(&[]);
    let mut socket = WebSocket::connected(hub.address());
    let began = std::time::Instant::now();
    socket.send("{\"type\":6}\u{1e}");
    let mut closing = Value::Null;
    while closing["type"] != 7 {
        let Frame::Text(text) = socket.next() else {
            panic!("no close message")
        };
        closing = serde_json::from_str(text.trim_end_matches('\u{1e}')).expect("JSON");
    }
    assert_eq!(
        closing,
        json!({ "type": 7, "error": "Connection closed with an error.", "allowReconnect": true })
    );
    assert!(
        (29..40).contains(&began.elapsed().as_secs()),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_negotiated_token_opens_a_websocket_once() {
    let hub = Hub::embedded(&[]);
    let answer = http(hub.address(), b"POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let negotiated: Value = serde_json::from_str(&answer.body).expect("JSON");
    let path = format!(
        "/signalRHub?id={}",
        negotiated["connectionToken"].as_str().expect("a token")
    );
    let (_open, answer) = WebSocket::upgrade(hub.address(), &path);
    assert_eq!(answer.status, 101);
    assert_eq!(WebSocket::upgrade(hub.address(), &path).1.status, 409);
    // The public id is no key.
    let path = format!(
        "/signalRHub?id={}",
        negotiated["connectionId"].as_str().expect("an id")
    );
    assert_eq!(WebSocket::upgrade(hub.address(), &path).1.status, 404);
}

#[test]
fn on_stop_clients_are_told_to_reconnect_and_closed_with_1001() {
    let mut hub = Hub::embedded(&[]);
    let mut clients: Vec<_> = (0..20)
        .map(|_| WebSocket::connected(hub.address()))
        .collect();
    let mut unshaken = WebSocket::open(hub.address());
    let stopping = std::thread::spawn(move || hub.program.stop());
    for client in &mut clients {
        assert_eq!(
            client.next(),
            Frame::Text("{\"type\":7,\"allowReconnect\":true}\u{1e}".into())
        );
        assert_eq!(client.next(), Frame::Close(1001));
        client.frame(0x88, &[3, 233]);
    }
    while unshaken.next() != Frame::End {}
    assert_eq!(stopping.join().expect("a thread"), Some(0));
}

#[test]
fn what_was_accepted_before_a_stop_is_heard_before_the_end() {
    stop_behind_many_messages(Hub::embedded(&[]));
}

#[test]
fn what_redis_took_before_a_stop_is_heard_before_the_end() {
    if has(
        "what_redis_took_before_a_stop_is_heard_before_the_end",
        &[Part::Redis],
    ) {
        let redis = Redis::start();
        let hub = Hub::start(&[
            "--rabbitmq=embedded",
            &format!("--RedisConnectionString={}", redis.connection_string()),
        ]);
        hub.wait_until_ready();
        stop_behind_many_messages(hub);
    }
}

fn stop_behind_many_messages(mut hub: Hub) {
    const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    const MESSAGES: usize = 300;
    let mut clients: Vec<_> = (0..1000)
        .map(|_| WebSocket::connected(hub.address()))
        .collect();
    clients
        .iter_mut()
        .for_each(|client| client.invoke("ListenForBoardEvents", BOARD));
    // All at once on one connection, so that they are accepted faster than they go out.
    let mut admin = connect(
        hub.admin
            .trim_start_matches("http://")
            .trim_end_matches('/'),
    );
    let mut requests = String::new();
    for number in 0..MESSAGES {
        let body = format!(
            "{{\"BoardId\":\"{BOARD}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"{number}\"}}"
        );
        requests += &format!(
            "POST /notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nnotification_type: CardTitleChanged\r\nContent-Length: {}\r\n\r\n{body}",
            hub.token,
            body.len()
        );
    }
    std::io::Write::write_all(&mut admin, requests.as_bytes()).expect("requests");
    (0..MESSAGES).for_each(|_| assert_eq!(read_answer(&mut admin, false).status, 202));
    let stopping = std::thread::spawn(move || hub.program.stop());
    for client in &mut clients {
        (0..MESSAGES).for_each(|number| {
            assert_eq!(
                client.message()["arguments"][0]["title"],
                number.to_string()
            )
        });
        assert_eq!(
            client.message(),
            json!({ "type": 7, "allowReconnect": true })
        );
        assert_eq!(client.next(), Frame::Close(1001));
        client.frame(0x88, &[3, 233]);
    }
    assert_eq!(stopping.join().expect("a thread"), Some(0));
}
