//! What crossed the real hub's wire, replayed against ours.

mod ends;

use crate::harness::fixture;
use crate::harness::program::Hub;
use crate::harness::raw::{Frame, WebSocket, http};
use serde_json::{Value, json};

/// Requests whose recorded answers are compared; the two of CORS have a test of their own.
const HTTP: [(&str, &str); 24] = [
    ("negotiate no version", "POST /signalRHub/negotiate"),
    (
        "negotiate v0",
        "POST /signalRHub/negotiate?negotiateVersion=0",
    ),
    (
        "negotiate v1",
        "POST /signalRHub/negotiate?negotiateVersion=1",
    ),
    (
        "negotiate v2",
        "POST /signalRHub/negotiate?negotiateVersion=2",
    ),
    (
        "negotiate v1 stateful",
        "POST /signalRHub/negotiate?negotiateVersion=1&useStatefulReconnect=true",
    ),
    (
        "negotiate bad version",
        "POST /signalRHub/negotiate?negotiateVersion=x",
    ),
    ("negotiate GET", "GET /signalRHub/negotiate"),
    (
        "negotiate other case",
        "POST /SIGNALRHUB/Negotiate?negotiateVersion=1",
    ),
    (
        "negotiate trailing slash",
        "POST /signalRHub/negotiate/?negotiateVersion=1",
    ),
    ("GET hub without id", "GET /signalRHub"),
    ("GET hub unknown id", "GET /signalRHub?id=nope"),
    (
        "SSE without id",
        "GET /signalRHub\nAccept: text/event-stream",
    ),
    ("POST hub without id", "POST /signalRHub"),
    ("POST hub unknown id", "POST /signalRHub?id=nope"),
    ("DELETE hub without id", "DELETE /signalRHub"),
    ("DELETE hub unknown id", "DELETE /signalRHub?id=nope"),
    ("PUT hub", "PUT /signalRHub"),
    ("HEAD hub", "HEAD /signalRHub"),
    ("ready", "GET /healthz/ready"),
    ("live", "GET /healthz/live"),
    ("ready POST", "POST /healthz/ready"),
    ("home", "GET /"),
    ("missing", "GET /missing"),
    (
        "ws bad version",
        "GET /signalRHub\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 12\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
];

/// A recorded body without its chunks.
pub(super) fn dechunked(recorded: &Value) -> String {
    let body = recorded["body"].as_str().expect("a body");
    let chunked = recorded["headers"]
        .as_array()
        .expect("headers")
        .iter()
        .any(|header| header == "Transfer-Encoding: chunked");
    if chunked {
        body.split("\r\n").skip(1).step_by(2).collect()
    } else {
        body.to_owned()
    }
}

/// A body with what differs by nature taken out: ids.
fn comparable(body: &str) -> Value {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(mut answer)) => {
            for name in ["connectionId", "connectionToken"] {
                if let Some(id) = answer.get_mut(name) {
                    *id = id.as_str().map_or(0, str::len).into();
                }
            }
            Value::Object(answer)
        }
        _ => body.into(),
    }
}

/// As the recorded hub was: what ours offers beyond it is taken back.
const AS_RECORDED: [&str; 2] = [
    "--SignalR:MessagePack=false",
    "--SignalR:StatefulReconnect=false",
];

#[test]
fn http_answers_are_the_real_hubs() {
    let recorded = fixture("wire.json");
    let hub = Hub::embedded(&AS_RECORDED);
    for (name, request) in HTTP {
        let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
        let headers: String = headers
            .lines()
            .map(|header| format!("{header}\r\n"))
            .collect();
        let connection = if headers.contains("Connection:") {
            ""
        } else {
            "Connection: close\r\n"
        };
        let request =
            format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{headers}{connection}\r\n");
        let answer = http(hub.address(), request.as_bytes());
        let expected = &recorded["http"][name];
        assert!(expected.is_object(), "{name} is not recorded");
        let status = format!("HTTP/1.1 {}", answer.status);
        assert!(
            expected["status"]
                .as_str()
                .expect("a status")
                .starts_with(&status),
            "{name}: {answer:?}"
        );
        assert_eq!(
            comparable(&answer.body),
            comparable(&dechunked(expected)),
            "{name}"
        );
        for header in expected["headers"].as_array().expect("headers") {
            let (header, value) = header
                .as_str()
                .expect("a header")
                .split_once(": ")
                .expect("a value");
            if ["Date", "Server", "Transfer-Encoding", "Content-Length"].contains(&header) {
                continue;
            }
            let ours = answer.header(&header.to_ascii_lowercase());
            // Kestrel writes these two in either order.
            let same = ours == Some(value)
                || (header == "Cache-Control"
                    && ours.is_some_and(|ours| ours.contains("no-store")));
            assert!(same, "{name}: {header} is {ours:?}, recorded {value}");
        }
    }
}

#[test]
fn cors_is_the_real_hubs() {
    let recorded = fixture("wire.json");
    let hub = Hub::embedded(&[]);
    let origin = "Origin: https://client.example\r\n";
    let requests = [
        (
            "negotiate cors",
            format!(
                "POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{origin}Connection: close\r\n\r\n"
            ),
        ),
        (
            "preflight",
            format!(
                "OPTIONS /signalRHub/negotiate HTTP/1.1\r\nHost: x\r\n{origin}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-requested-with,x-signalr-user-agent\r\nConnection: close\r\n\r\n"
            ),
        ),
    ];
    for (name, request) in requests {
        let answer = http(hub.address(), request.as_bytes());
        for header in recorded["http"][name]["headers"]
            .as_array()
            .expect("headers")
        {
            let (header, value) = header
                .as_str()
                .expect("a header")
                .split_once(": ")
                .expect("a value");
            if header.starts_with("Access-Control") || header == "Vary" {
                assert_eq!(
                    answer.header(&header.to_ascii_lowercase()),
                    Some(value),
                    "{name}: {header}"
                );
            }
        }
    }
}

/// The messages and closes among frames, however they were cut.
fn events(frames: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut events = Vec::new();
    for frame in frames {
        match (&frame["text"], &frame["code"]) {
            (Value::String(text), _) => {
                events.extend(
                    text.split('\u{1e}')
                        .filter(|text| !text.is_empty())
                        .map(|text| serde_json::from_str(text).expect("JSON")),
                );
            }
            (_, Value::Number(code)) => events.push(json!({ "close": code })),
            _ => events.push(json!({ "pong": frame["base64"] })),
        }
    }
    events
}

/// Reads as many events as were recorded; or, where there were none, makes sure that there is none.
fn read(socket: &mut WebSocket, expected: usize) -> Vec<Value> {
    let mut found = Vec::new();
    if expected == 0 {
        socket.frame(0x89, b"barrier");
    }
    while expected == 0 || found.len() < expected {
        match socket.next() {
            Frame::Text(text) => found.extend(events([json!({ "text": text })])),
            Frame::Close(code) => found.extend(events([json!({ "code": code })])),
            Frame::Pong(payload) if payload == b"barrier" => break,
            Frame::Pong(payload) => {
                use base64::Engine;
                found.push(
                    json!({ "pong": base64::engine::general_purpose::STANDARD.encode(payload) }),
                );
            }
            Frame::Binary(payload) => panic!("binary: {payload:?}"),
            Frame::End => break,
        }
    }
    found
}

#[test]
fn every_recorded_websocket_goes_as_it_went() {
    let recorded = fixture("wire.json");
    let hub = Hub::embedded(&AS_RECORDED);
    let mut compared = 0;
    for (name, entry) in recorded["ws"].as_object().expect("entries") {
        let path = if name == "upgrade unknown id" {
            "/signalRHub?id=nope"
        } else if name == "upgrade other case path" {
            "/SIGNALRhub"
        } else {
            "/signalRHub"
        };
        let (mut socket, answer) = WebSocket::upgrade(hub.address(), path);
        assert!(
            entry["upgrade"]["status"]
                .as_str()
                .expect("a status")
                .contains(&answer.status.to_string()),
            "{name}: {answer:?}"
        );
        compared += 1;
        if answer.status != 101 {
            assert_eq!(answer.body, dechunked(&entry["upgrade"]), "{name}");
            continue;
        }
        let handshake = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
        if entry["handshake"].is_array() {
            socket.send(handshake);
            assert_eq!(read(&mut socket, 1), [json!({})], "{name}");
        }
        let mut over = false;
        for step in entry["steps"].as_array().expect("steps") {
            let sent = step["sent"].as_str().expect("what was sent");
            let expected = events(step["got"].as_array().expect("frames").iter().cloned());
            let message = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"ListenForBoardEvents\",\"arguments\":[\"g\"]}\u{1e}";
            match sent {
                "binary" => socket.frame(0x82, handshake.as_bytes()),
                "close 1000" => socket.frame(0x88, &[3, 232]),
                "ping" => socket.frame(0x89, b"abc"),
                "unmasked" => {
                    use std::io::Write;
                    socket
                        .stream
                        .write_all(&[0x81, 1, b'x'])
                        .expect("a frame sent");
                }
                "two fragments" => {
                    let (first, second) = message.split_at(20);
                    socket.frame(0x01, first.as_bytes());
                    socket.frame(0x80, second.as_bytes());
                }
                text if entry["handshake"].is_array() || name == "handshake binary frame" => {
                    let end = if text.ends_with('\u{1e}') {
                        ""
                    } else {
                        "\u{1e}"
                    };
                    socket.send(&format!("{text}{end}"));
                }
                text => socket.send(text),
            }
            if over {
                continue;
            }
            let found = read(&mut socket, expected.len());
            assert_eq!(found, expected, "{name}: {}", &sent[..sent.len().min(200)]);
            over = found.iter().any(|event| event.get("close").is_some());
        }
    }
    assert_eq!(compared, 47);
}
