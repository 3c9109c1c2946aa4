//! Clients that lost their connection and come back.

use super::JSON;
use crate::harness::fixture;
use crate::harness::program::Conformance;
use crate::harness::raw::{Frame, WebSocket, http};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The messages of recorded frames.
fn said(step: &Value) -> Vec<Value> {
    let texts = step["got"]
        .as_array()
        .expect("frames")
        .iter()
        .filter_map(|frame| frame["text"].as_str());
    texts
        .flat_map(|text| text.split_terminator('\u{1e}'))
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .collect()
}

/// Negotiates that a client may come back; the path of its sockets.
fn negotiate(server: &Conformance) -> String {
    let request = b"POST /signalRHub/negotiate?negotiateVersion=1&useStatefulReconnect=true HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let negotiated: Value =
        serde_json::from_str(&http(server.address(), request).body).expect("JSON");
    assert_eq!(negotiated["useStatefulReconnect"], true);
    format!(
        "/signalRHub?id={}",
        negotiated["connectionToken"].as_str().expect("a token")
    )
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let recorded = fixture("reference.json")["stateful"]["json"].clone();
    let steps = recorded["steps"].as_array().expect("steps");
    let server = Conformance::start("");
    let path = negotiate(&server);
    let (mut socket, _) = WebSocket::upgrade(server.address(), &path);
    socket.send("{\"protocol\":\"json\",\"version\":2}\u{1e}");
    assert_eq!(socket.message(), json!({}));
    let hears = |socket: &mut WebSocket, step: usize| {
        let mut expected = said(&steps[step]);
        let mut heard: Vec<Value> = expected.iter().map(|_| socket.message()).collect();
        expected.sort_by_key(Value::to_string);
        heard.sort_by_key(Value::to_string);
        assert_eq!(heard, expected, "{}", steps[step]["what"]);
    };
    let call = |id: &str, target: &str, arguments: Value| {
        json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments })
            .to_string()
            + "\u{1e}"
    };
    socket.send(&call("1", "ListenForBoardEvents", json!(["g"])));
    hears(&mut socket, 1);
    socket.send(&call("2", "SendGroup", json!(["g", "Hello", "one"])));
    hears(&mut socket, 2);
    // Acknowledged within a second or so.
    hears(&mut socket, 3);
    // Without a word: the connection stays, and its group's messages wait.
    drop(socket);
    let mut other = WebSocket::open(server.address());
    other.send(JSON);
    assert_eq!(other.message(), json!({}));
    other.send(&call("1", "SendGroup", json!(["g", "Hello", "while away"])));
    assert_eq!(other.message()["invocationId"], "1");

    let (mut socket, answer) = WebSocket::upgrade(server.address(), &path);
    assert!(
        recorded["reopened"]
            .as_str()
            .expect("a status")
            .contains(&answer.status.to_string())
    );
    let sequence = socket.message();
    assert_eq!(
        sequence,
        json!({ "type": 9, "sequenceId": 1 }),
        "first of all the number"
    );
    let resent: Vec<Value> = said(&steps[4])
        .iter()
        .skip(1)
        .map(|_| socket.message())
        .collect();
    let mut expected = said(&steps[4]).split_off(1);
    let mut sorted = resent.clone();
    expected.sort_by_key(Value::to_string);
    sorted.sort_by_key(Value::to_string);
    assert_eq!(sorted, expected);
    assert_eq!(
        resent.last().expect("the last")["arguments"],
        json!(["while away"])
    );

    // What the server has already is not done twice; what it acknowledged need not be sent.
    socket.send("{\"type\":9,\"sequenceId\":1}\u{1e}");
    socket.send(&call("1", "ListenForBoardEvents", json!(["g"])));
    socket.send(&call("2", "SendGroup", json!(["g", "Hello", "one"])));
    socket.send(&call("3", "SendGroup", json!(["g", "Hello", "two"])));
    let mut news = [socket.message(), socket.message()];
    news.sort_by_key(Value::to_string);
    assert_eq!(news[0]["arguments"], json!(["two"]));
    assert_eq!(news[1]["invocationId"], "3");
    socket.send("{\"type\":8,\"sequenceId\":6}\u{1e}");
    // A client that closes is not waited for.
    socket.send("{\"type\":7}\u{1e}");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match socket.next() {
            Frame::Text(_) => assert!(Instant::now() < deadline),
            end => break assert_eq!(end, Frame::Close(1000)),
        }
    }
    drop(socket);
    crate::harness::wait_for("the end of the connection", || {
        let (_, answer) = WebSocket::upgrade(server.address(), &path);
        (answer.status == 404).then_some(())
    });
}

/// As where its network was away, and the server has not noticed yet.
#[test]
fn a_client_comes_back_while_its_first_socket_is_open() {
    let server = Conformance::start("");
    let path = negotiate(&server);
    let (mut first, _) = WebSocket::upgrade(server.address(), &path);
    first.send("{\"protocol\":\"json\",\"version\":2}\u{1e}");
    assert_eq!(first.message(), json!({}));
    first.invoke("ListenForBoardEvents", "g");
    let (mut second, answer) = WebSocket::upgrade(server.address(), &path);
    assert_eq!(answer.status, 101);
    assert_eq!(second.message(), json!({ "type": 9, "sequenceId": 1 }));
    assert_eq!(
        second.message(),
        json!({ "type": 3, "invocationId": "i", "result": null })
    );
    assert_eq!(first.next(), Frame::End);
    second.send("{\"type\":9,\"sequenceId\":2}\u{1e}");
    second.send(
        "{\"type\":1,\"target\":\"SendGroup\",\"arguments\":[\"g\",\"Hello\",\"again\"]}\u{1e}",
    );
    assert_eq!(
        second.message(),
        json!({ "type": 1, "target": "Hello", "arguments": ["again"] })
    );
}

/// Its goodbye may still be on its way when the client asks: the first socket is open until it
/// closes.
#[test]
fn nobody_comes_back_to_a_connection_that_is_over() {
    let server = Conformance::start("");
    let path = negotiate(&server);
    let (mut socket, _) = WebSocket::upgrade(server.address(), &path);
    socket.send("{\"protocol\":\"json\",\"version\":2}\u{1e}{\"type\":7}\u{1e}");
    assert_eq!(socket.message(), json!({}));
    assert_eq!(socket.message(), json!({ "type": 7 }));
    assert_eq!(WebSocket::upgrade(server.address(), &path).1.status, 409);
    assert_eq!(socket.next(), Frame::Close(1000));
    drop(socket);
    crate::harness::wait_for("the end of the connection", || {
        let status = WebSocket::upgrade(server.address(), &path).1.status;
        assert!(matches!(status, 404 | 409), "{status}");
        (status == 404).then_some(())
    });
}

#[test]
fn a_number_that_cannot_be_ends_the_connection() {
    let server = Conformance::start("");
    let path = negotiate(&server);
    let (mut socket, _) = WebSocket::upgrade(server.address(), &path);
    socket.send("{\"protocol\":\"json\",\"version\":2}\u{1e}{\"type\":9,\"sequenceId\":99}\u{1e}");
    assert_eq!(socket.message(), json!({}));
    assert_eq!(
        socket.message()["error"],
        "Connection closed with an error."
    );
}
