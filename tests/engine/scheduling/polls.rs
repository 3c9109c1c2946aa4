//! Negotiation, long polling and server-sent events, beside a real hub where it can be.

use super::{JSON, Talker, on_both};
use crate::harness::program::Conformance;
use crate::harness::raw::{Answer, Frame, WebSocket, connect, http, read_answer};
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::io::{Read, Write};

fn negotiate(address: &str, query: &str) -> String {
    let request = format!(
        "POST /signalRHub/negotiate?negotiateVersion=1{query} HTTP/1.1\r\nHost: x\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let body = http(address, request.as_bytes()).body;
    let negotiated: Value = serde_json::from_str(&body).expect("JSON");
    let token = negotiated["connectionToken"].as_str().expect("a token");
    format!("/signalRHub?id={token}")
}

#[test]
fn a_second_socket_is_refused_where_nobody_may_come_back() {
    on_both(
        "a_second_socket_is_refused_where_nobody_may_come_back",
        false,
        |hub, address, _| {
            let path = negotiate(address, "&useStatefulReconnect=true");
            let _first = Talker::new(address, &path);
            assert_eq!(
                WebSocket::upgrade(address, &path).1.status,
                409,
                "{hub}: version 1"
            );

            let path = negotiate(address, "&useStatefulReconnect=true");
            let (mut first, _) = WebSocket::upgrade(address, &path);
            first.send("{\"protocol\":\"json\",\"version\":2}\u{1e}");
            assert_eq!(first.message(), json!({}));
            first.send("{\"type\":7}\u{1e}");
            assert_eq!(first.message(), json!({ "type": 7 }));
            assert_eq!(
                WebSocket::upgrade(address, &path).1.status,
                409,
                "{hub}: it closes"
            );
            assert_eq!(first.next(), Frame::Close(1000), "{hub}");
            first.frame(0x88, &1000u16.to_be_bytes());
            drop(first);
            wait_for("the end of the connection", || {
                let status = WebSocket::upgrade(address, &path).1.status;
                (status == 404).then_some(())
            });
        },
    );
}

fn ask(address: &str, method: &str, path: &str, body: &str) -> std::net::TcpStream {
    let mut stream = connect(address);
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

fn told(address: &str, method: &str, path: &str, body: &str) -> Answer {
    read_answer(&mut ask(address, method, path, body), false)
}

#[test]
fn a_poll_that_waits_gets_the_last_message() {
    on_both(
        "a_poll_that_waits_gets_the_last_message",
        false,
        |hub, address, _| {
            // A poll that comes behind the end finds no connection: then it is tried again.
            let last = (0..20).find_map(|_| {
                let path = negotiate(address, "");
                assert_eq!(told(address, "GET", &path, "").status, 200, "{hub}");
                assert_eq!(told(address, "POST", &path, JSON).status, 200, "{hub}");
                assert_eq!(told(address, "GET", &path, "").body, "{}\u{1e}", "{hub}");
                let mut poll = ask(address, "GET", &path, "");
                std::thread::park_timeout(std::time::Duration::from_millis(50));
                assert_eq!(told(address, "DELETE", &path, "").status, 202, "{hub}");
                Some(read_answer(&mut poll, false)).filter(|last| last.status == 200)
            });
            let last = last.unwrap_or_else(|| panic!("{hub}: no poll got the last message"));
            assert_eq!(
                last.body, "{\"type\":7,\"allowReconnect\":true}\u{1e}",
                "{hub}"
            );
        },
    );
}

#[test]
fn posts_behind_an_end_are_taken_until_it_is_fetched() {
    on_both(
        "posts_behind_an_end_are_taken_until_it_is_fetched",
        false,
        |hub, address, _| {
            let path = negotiate(address, "");
            assert_eq!(told(address, "GET", &path, "").status, 200, "{hub}");
            for body in [JSON, "{\"type\":7}\u{1e}", "{\"type\":6}\u{1e}"] {
                assert_eq!(
                    told(address, "POST", &path, body).status,
                    200,
                    "{hub}: {body}"
                );
            }
            let mut heard = String::new();
            while !heard.contains("\"type\":7") {
                heard += &told(address, "GET", &path, "").body;
            }
            assert_eq!(
                told(address, "POST", &path, "{\"type\":6}\u{1e}").status,
                200,
                "{hub}"
            );
            assert_eq!(told(address, "GET", &path, "").status, 204, "{hub}");
            assert_eq!(
                told(address, "POST", &path, "{\"type\":6}\u{1e}").status,
                404,
                "{hub}"
            );
        },
    );
}

#[test]
fn a_lone_carriage_return_is_kept_in_events() {
    let server = Conformance::start("");
    let request = "POST /echo/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\n\
                   Content-Length: 0\r\nConnection: close\r\n\r\n";
    let body = http(server.address(), request.as_bytes()).body;
    let negotiated: Value = serde_json::from_str(&body).expect("JSON");
    let path = format!(
        "/echo?id={}",
        negotiated["connectionToken"].as_str().expect("a token")
    );
    let mut events = connect(server.address());
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    events.write_all(request.as_bytes()).expect("a request");
    assert_eq!(
        told(server.address(), "POST", &path, "a\r\nb\r").status,
        200
    );
    let mut heard = Vec::new();
    let expected = b"data: a\r\ndata: b\r\r\n\r\n";
    let mut buffer = [0; 4096];
    while !heard.windows(expected.len()).any(|part| part == expected) {
        let length = events.read(&mut buffer).expect("an event");
        assert!(length > 0, "{}", heard.escape_ascii());
        heard.extend_from_slice(&buffer[..length]);
    }
}
