//! Server-sent events and long polling, step by step as recorded, and by the official client.

use crate::command::bare::javascript_by;
use crate::harness::parts::{Part, has};
use crate::harness::program::{Hub, address};
use crate::harness::raw::{Answer, WebSocket, connect, http, read_answer};
use crate::harness::wait_for;
use serde_json::Value;
use std::io::{Read, Write};

const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
const JOIN: &str = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"ListenForBoardEvents\",\"arguments\":[\"b\"]}\u{1e}";
const JOINED: &str = "{\"type\":3,\"invocationId\":\"1\",\"result\":null}\u{1e}";
const BODY: &str = "{\"BoardId\":\"420371f9-ea23-46de-9ce3-00aeeec060a2\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"t\"}";

fn negotiate(hub: &Hub) -> String {
    let answer = request(hub, "POST /signalRHub/negotiate?negotiateVersion=1", "", "");
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    answer["connectionToken"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn request(hub: &Hub, line: &str, headers: &str, body: &str) -> Answer {
    let text = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n{body}",
        body.len()
    );
    http(hub.address(), text.as_bytes())
}

fn notify(hub: &Hub) {
    let text = format!(
        "POST /notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nnotification_type: CardTitleChanged\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        hub.token,
        BODY.len()
    );
    assert_eq!(http(address(&hub.admin), text.as_bytes()).status, 202);
}

#[test]
fn long_polling_goes_step_by_step() {
    let hub = Hub::embedded(&[]);
    let token = negotiate(&hub);
    let path = format!("/signalRHub?id={token}");
    let poll = || request(&hub, &format!("GET {path}"), "", "");
    let post = |body: &str| request(&hub, &format!("POST {path}"), "", body);

    let first = poll();
    assert_eq!((first.status, first.body.as_str()), (200, ""));
    assert_eq!(
        first.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        (post(HANDSHAKE).status, poll().body.as_str()),
        (200, "{}\u{1e}")
    );
    assert_eq!((post(JOIN).status, poll().body.as_str()), (200, JOINED));

    // The older of two polls gives way to the newer; which of these that is the hub alone knows.
    let (answers, answered) = std::sync::mpsc::channel();
    for _ in 0..2 {
        let (address, path, answers) = (hub.address().to_owned(), path.clone(), answers.clone());
        std::thread::spawn(move || {
            let mut stream = connect(&address);
            stream
                .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
                .expect("a poll");
            let _ = answers.send(read_answer(&mut stream, false));
        });
    }
    assert_eq!(answered.recv().expect("an answer").status, 204);
    assert_eq!(
        post("{\"type\":1,\"invocationId\":\"2\",\"target\":\"Nope\",\"arguments\":[]}\u{1e}")
            .status,
        200
    );
    assert!(
        answered
            .recv()
            .expect("the newer poll")
            .body
            .contains("Method does not exist")
    );

    // Another transport is too late.
    let events = request(
        &hub,
        &format!("GET {path}"),
        "Accept: text/event-stream\r\n",
        "",
    );
    assert_eq!(
        (events.status, events.body.as_str()),
        (400, "Cannot change transports mid-connection")
    );
    assert_eq!(WebSocket::upgrade(hub.address(), &path).1.status, 400);

    assert_eq!(request(&hub, &format!("DELETE {path}"), "", "").status, 202);
    assert_eq!([poll().status, post("x").status], [404, 404]);
    wait_for("the connection to be gone", || {
        (hub.metric("harmony_hub_connections") == 0.0).then_some(())
    });
}

#[test]
fn a_client_that_stops_polling_is_forgotten() {
    let hub = Hub::embedded(&[]);
    let path = format!("/signalRHub?id={}", negotiate(&hub));
    assert_eq!(request(&hub, &format!("GET {path}"), "", "").status, 200);
    assert_eq!(hub.metric("harmony_hub_connections"), 1.0);
    // Fifteen seconds later.
    wait_for("the connection to be gone", || {
        (hub.metric("harmony_hub_connections") == 0.0).then_some(())
    });
    let answer = request(&hub, &format!("GET {path}"), "", "");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "No Connection with that ID")
    );
}

#[test]
fn what_is_posted_before_the_first_poll_is_kept() {
    let hub = Hub::embedded(&[]);
    let path = format!("/signalRHub?id={}", negotiate(&hub));
    assert_eq!(
        request(&hub, &format!("POST {path}"), "", HANDSHAKE).status,
        200
    );
    assert_eq!(request(&hub, &format!("GET {path}"), "", "").body, "");
    assert_eq!(
        request(&hub, &format!("GET {path}"), "", "").body,
        "{}\u{1e}"
    );
}

#[test]
fn server_sent_events_go_step_by_step() {
    let hub = Hub::embedded(&[]);
    let path = format!("/signalRHub?id={}", negotiate(&hub));
    let mut stream = connect(hub.address());
    stream
        .write_all(
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
                .as_bytes(),
        )
        .expect("a request");
    let answer = read_answer(&mut stream, true);
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache,no-store"),
        ("pragma", "no-cache"),
        ("content-encoding", "identity"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert_eq!(
        request(&hub, &format!("POST {path}"), "", HANDSHAKE).status,
        200
    );
    assert_eq!(request(&hub, &format!("POST {path}"), "", JOIN).status, 200);
    let expected = format!(":\r\ndata: {{}}\u{1e}\r\n\r\ndata: {JOINED}\r\n\r\n");
    let mut heard = String::new();
    while heard.len() < expected.len() {
        // One chunk: its length in hexadecimal, then that many bytes and a line end.
        let mut length = Vec::new();
        while !length.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a byte");
            length.push(byte[0]);
        }
        let length =
            usize::from_str_radix(String::from_utf8_lossy(&length).trim(), 16).expect("a length");
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).expect("a chunk");
        heard.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    assert_eq!(heard, expected);

    assert_eq!(
        request(
            &hub,
            &format!("GET {path}"),
            "Accept: text/event-stream\r\n",
            ""
        )
        .status,
        409
    );
    assert_eq!(
        request(&hub, &format!("GET {path}"), "", "").body,
        "Cannot change transports mid-connection"
    );
    assert_eq!(
        request(&hub, &format!("DELETE {path}"), "", "").body,
        "Cannot terminate this connection using the DELETE endpoint."
    );
    drop(stream);
    wait_for("the connection to be gone", || {
        (hub.metric("harmony_hub_connections") == 0.0).then_some(())
    });
}

#[test]
fn a_websocket_takes_no_posts() {
    let hub = Hub::embedded(&[]);
    let path = format!("/signalRHub?id={}", negotiate(&hub));
    let (_socket, answer) = WebSocket::upgrade(hub.address(), &path);
    assert_eq!(answer.status, 101);
    let answer = request(&hub, &format!("POST {path}"), "", "x");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (
            405,
            "POST requests are not allowed for WebSocket connections."
        )
    );
}

#[test]
#[ignore = "needs the JavaScript client: run tests/run"]
fn the_official_client_hears_over_every_transport() {
    if !has(
        "the_official_client_hears_over_every_transport",
        &[Part::Node],
    ) {
        return;
    }
    let mut hub = Hub::embedded(&[]);
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let transports = ["WebSockets", "ServerSentEvents", "LongPolling"];
    let mut clients = transports
        .map(|transport| javascript_by(&hub.url, board, "OnCardTitleChanged", Some(transport)));
    for _ in 0..3 {
        notify(&hub);
    }
    for client in &mut clients {
        wait_for("three messages", || {
            (client
                .lines()
                .iter()
                .filter(|line| line.contains("\"heard\""))
                .count()
                == 3)
                .then_some(())
        });
    }
    // On stop each is told, and comes back by itself as soon as there is a hub again.
    assert_eq!(hub.program.stop(), Some(0));
}

/// Whether an answer is the recorded one: status, headers, body.
fn is_recorded(what: &str, answer: &Answer, recorded: &Value) {
    let status = recorded["status"]
        .as_str()
        .expect("a status")
        .split(' ')
        .nth(1)
        .expect("a number");
    assert_eq!(answer.status.to_string(), status, "{what}: {answer:?}");
    assert_eq!(answer.body, super::wire::dechunked(recorded), "{what}");
    for header in recorded["headers"].as_array().expect("headers") {
        let (name, value) = header
            .as_str()
            .expect("a header")
            .split_once(": ")
            .expect("a value");
        if !["Date", "Server", "Transfer-Encoding", "Content-Length"].contains(&name) {
            assert_eq!(
                answer.header(&name.to_ascii_lowercase()),
                Some(value),
                "{what}: {name}"
            );
        }
    }
}

#[test]
fn long_polling_answers_are_the_real_hubs() {
    let recorded = &crate::harness::fixture("wire.json")["longPolling"];
    let hub = Hub::embedded(&[]);
    let path = format!("/signalRHub?id={}", negotiate(&hub));
    let poll = || request(&hub, &format!("GET {path}"), "", "");
    let post = |body: &str| request(&hub, &format!("POST {path}"), "", body);
    // The recorded client posted something that is no handshake before its first poll, and never
    // got over it.
    is_recorded("postBeforePoll", &post("x"), &recorded["postBeforePoll"]);
    is_recorded("first", &poll(), &recorded["first"]);
    is_recorded(
        "handshakePost",
        &post(HANDSHAKE),
        &recorded["handshakePost"],
    );
    is_recorded("handshake", &poll(), &recorded["handshake"]);
    // What is posted behind an end .NET takes or not, as the moment has it; here it is always
    // taken.
    assert_eq!(post(JOIN).status, 200);
    is_recorded("completion", &poll(), &recorded["completion"]);
    is_recorded("displaced", &poll(), &recorded["displaced"]);
    is_recorded("displacing", &poll(), &recorded["displacing"]);
    let (_, answer) = WebSocket::upgrade(hub.address(), &path);
    is_recorded("wsOnSame", &answer, &recorded["wsOnSame"]);
    is_recorded(
        "delete",
        &request(&hub, &format!("DELETE {path}"), "", ""),
        &recorded["delete"],
    );
    is_recorded("afterDelete", &poll(), &recorded["afterDelete"]);
    is_recorded("postAfterDelete", &post("x"), &recorded["postAfterDelete"]);
}

#[test]
fn answers_beside_an_event_stream_are_the_real_hubs() {
    let recorded = &crate::harness::fixture("wire.json")["sse"];
    let hub = Hub::embedded(&[]);
    let path = format!("/signalRHub?id={}", negotiate(&hub));
    let mut stream = connect(hub.address());
    stream
        .write_all(
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
                .as_bytes(),
        )
        .expect("a request");
    let open = Answer {
        body: super::wire::dechunked(&recorded["open"]),
        ..read_answer(&mut stream, true)
    };
    is_recorded("open", &open, &recorded["open"]);
    is_recorded(
        "handshakePost",
        &request(&hub, &format!("POST {path}"), "", HANDSHAKE),
        &recorded["handshakePost"],
    );
    is_recorded(
        "joinPost",
        &request(&hub, &format!("POST {path}"), "", JOIN),
        &recorded["joinPost"],
    );
    is_recorded(
        "second",
        &request(
            &hub,
            &format!("GET {path}"),
            "Accept: text/event-stream\r\n",
            "",
        ),
        &recorded["second"],
    );
    is_recorded(
        "poll",
        &request(&hub, &format!("GET {path}"), "", ""),
        &recorded["poll"],
    );
    is_recorded(
        "delete",
        &request(&hub, &format!("DELETE {path}"), "", ""),
        &recorded["delete"],
    );
    // The stream itself, of which one event is one chunk here and several there.
    let pieces: Vec<_> = recorded["stream"]
        .as_str()
        .expect("a stream")
        .split("\r\n")
        .collect();
    assert!(
        pieces
            .iter()
            .any(|piece| piece.contains(JOINED.trim_end_matches('\u{1e}'))),
        "the recorded stream has what ours has"
    );
}
