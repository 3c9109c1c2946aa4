//! What is too much: refused, counted, cut.

use super::{BOARD, publish};
use crate::harness::program::Hub;
use crate::harness::raw::{Frame, WebSocket, connect, http, read_answer};
use crate::harness::wait_for;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn what_is_too_much_is_refused_and_counted() {
    let hub = Hub::embedded(&[
        "--Limits:HalfOpenConnections=20",
        "--Limits:Connections=10",
        "--Limits:MessagesPerSecond=100",
        "--Limits:NegotiatedConnections=5",
        "--Limits:Groups=3",
        "--Limits:GroupNameBytes=40000",
        "--Limits:WaitingMessages=300",
    ]);
    // A compressed message is what nobody agreed to.
    let mut socket = WebSocket::connected(hub.address());
    socket.frame(0xc1, b"bomb");
    assert_eq!(socket.next(), Frame::Close(1002));

    // A client that talks too fast waits its turn, and loses nothing.
    let mut socket = WebSocket::connected(hub.address());
    for number in 0..250 {
        let call = serde_json::json!({ "type": 1, "invocationId": number.to_string(), "target": "StopListeningForBoardEvents", "arguments": [BOARD] });
        socket.send(&format!("{call}\u{1e}"));
    }
    for number in 0..250 {
        assert_eq!(socket.message()["invocationId"], number.to_string());
    }
    assert!(hub.metric("harmony_hub_clients_throttled_total ") >= 2.0);
    drop(socket);

    let clients: Vec<_> = (0..10)
        .map(|_| WebSocket::connected(hub.address()))
        .collect();
    let (_, answer) = WebSocket::upgrade(hub.address(), "/signalRHub");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(hub.metric("harmony_hub_connections_turned_away_total ") >= 1.0);
    drop(clients);

    let silent: Vec<_> = (0..30).map(|_| connect(hub.address())).collect();
    wait_for("refusals", || {
        (hub.metric("harmony_hub_connections_refused_half_open_total ") >= 5.0).then_some(())
    });
    drop(silent);
    wait_for("room again", || {
        TcpStream::connect(hub.address())
            .ok()
            .filter(|_| hub.metric("harmony_hub_connections_half_open ") < 20.0)
    });

    // Connections that are negotiated and never opened.
    let negotiate = || {
        http(hub.address(), b"POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").status
    };
    assert_eq!((0..8).filter(|_| negotiate() == 503).count(), 3);
    assert_eq!(hub.metric("harmony_hub_negotiations_refused_total "), 3.0);

    // Groups, and names of groups.
    let mut socket = WebSocket::connected(hub.address());
    let mut join = |name: &str| {
        let call = serde_json::json!({ "type": 1, "invocationId": "1", "target": "ListenForBoardEvents", "arguments": [name] });
        socket.send(&format!("{call}\u{1e}"));
        socket.message()["error"].as_str().map(str::to_owned)
    };
    let long = "n".repeat(20_000);
    assert_eq!((join("one"), join("one"), join(&long)), (None, None, None));
    assert!(
        join(&format!("{long}!")).is_some_and(|error| error.ends_with(
            "HubException: the names of the connection's groups are 20003 bytes already"
        ))
    );
    assert_eq!(join("three"), None);
    assert!(join("four").is_some_and(|error| {
        error.ends_with("HubException: the connection is in 3 groups already")
    }));
    assert_eq!(hub.metric("harmony_hub_joins_refused_total "), 2.0);

    // A client that does not read is closed, and hears why once it does.
    let mut socket = WebSocket::connected(hub.address());
    socket.invoke("ListenForBoardEvents", BOARD);
    let title = "x".repeat(20_000);
    wait_for("the slow client to be closed", || {
        (0..20).for_each(|_| publish(&hub, BOARD, &title));
        (hub.metric("harmony_hub_connections_too_slow_total ") >= 1.0).then_some(())
    });
    let close = std::iter::repeat_with(|| socket.message())
        .find(|message| message["type"] == 7)
        .expect("an end");
    assert_eq!(
        close,
        serde_json::json!({ "type": 7, "error": "Connection closed with an error. It does not read what is sent to it.", "allowReconnect": true })
    );

    // Heads that are too large or too many.
    let bad = hub.metric("harmony_hub_connections_bad_http_total ");
    let mut stream = connect(hub.address());
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(40_000)
    );
    let _ = stream.write_all(head.as_bytes());
    assert_eq!(read_answer(&mut stream, false).status, 431);
    let mut stream = connect(hub.address());
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    let _ = stream.write_all(head.as_bytes());
    assert_eq!(read_answer(&mut stream, false).status, 431);
    // HTTP/2 by prior knowledge is told in its own words that HTTP/1.1 is required, as by Kestrel.
    let mut stream = connect(hub.address());
    let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert_eq!(said, *b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d");
    assert_eq!(
        hub.metric("harmony_hub_connections_bad_http_total "),
        bad + 3.0
    );
}

#[test]
fn a_client_that_never_reads_its_responses_is_cut() {
    let hub = Hub::embedded(&[]);
    let mut stream = connect(hub.address());
    let wait = std::time::Duration::from_millis(200);
    stream.set_write_timeout(Some(wait)).expect("a time-out");
    let requests = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    wait_for("the hub to cut the connection", || {
        let sent = stream.write_all(requests.as_bytes());
        let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        sent.err().filter(|error| !full(error))
    });
}

#[test]
fn a_body_that_does_not_come_is_refused() {
    let hub = Hub::embedded(&[]);
    let negotiate = "POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\n\
                     Content-Length: 0\r\nConnection: close\r\n\r\n";
    let body = http(hub.address(), negotiate.as_bytes()).body;
    let negotiated: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let token = negotiated["connectionToken"].as_str().expect("a token");
    let mut stream = connect(hub.address());
    let request =
        format!("POST /signalRHub?id={token} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx");
    stream.write_all(request.as_bytes()).expect("a request");
    let answer = read_answer(&mut stream, false);
    assert_eq!(
        (answer.status, answer.header("connection")),
        (408, Some("close"))
    );
}

#[test]
fn the_names_of_all_groups_together_have_a_limit() {
    let hub = Hub::embedded(&["--Limits:GroupNameBytesInAll=100"]);
    let name = "n".repeat(90);
    let mut first = WebSocket::connected(hub.address());
    first.invoke("ListenForBoardEvents", &name);
    let call = serde_json::json!({
        "type": 1, "invocationId": "i", "target": "ListenForBoardEvents", "arguments": [name],
    });
    let mut second = WebSocket::connected(hub.address());
    second.send(&format!("{call}\u{1e}"));
    let error = second.message()["error"].clone();
    let expected = "HubException: the names of all clients' groups are 90 bytes already";
    assert!(
        error
            .as_str()
            .is_some_and(|error| error.ends_with(expected)),
        "{error}"
    );
    // What the first leaves is free for others.
    first.invoke("StopListeningForBoardEvents", &name);
    second.invoke("ListenForBoardEvents", &name);
}
