//! What may run at a time and what waits for what: on our engine, and on ASP.NET Core's where its
//! reference hub has the methods for it.

use crate::harness::program::Conformance;
use crate::harness::raw::{Answer, Frame, WebSocket, connect, http, read_answer};
use crate::harness::services::{Part, Redis, has, refhub_with};
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};

const JSON: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
const BROKEN: &str = "Connection closed with an error.";

fn framed(messages: &[Value]) -> String {
    messages
        .iter()
        .map(|message| format!("{message}\u{1e}"))
        .collect()
}

fn call(id: &str, target: &str, arguments: Value) -> Value {
    json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments })
}

fn upload(id: &str, target: &str, stream: &str) -> Value {
    json!({
        "type": 1, "invocationId": id, "target": target, "arguments": [], "streamIds": [stream],
    })
}

fn result(id: &str, result: Value) -> Value {
    json!({ "type": 3, "invocationId": id, "result": result })
}

/// A client with its handshake done.
struct Talker {
    socket: WebSocket,
}

impl Talker {
    fn new(address: &str, path: &str) -> Self {
        let (mut socket, answer) = WebSocket::upgrade(address, path);
        assert_eq!(answer.status, 101, "{answer:?}");
        socket.send(JSON);
        assert_eq!(socket.message(), json!({}));
        Talker { socket }
    }

    fn say(&mut self, messages: &[Value]) {
        self.socket.send(&framed(messages));
    }

    /// The next message that is no ping.
    fn hear(&mut self) -> Value {
        loop {
            let message = self.socket.message();
            if message != json!({ "type": 6 }) {
                return message;
            }
        }
    }

    /// Its id, which is what `WhoAmI` returns.
    fn id(&mut self) -> String {
        self.say(&[call("who", "WhoAmI", json!([]))]);
        let id = self.hear()["result"].as_str().expect("an id").to_owned();
        assert!(!id.is_empty());
        id
    }

    /// A method that runs until the question is answered: asks itself; the question's id.
    fn ask_itself(&mut self, call_id: &str) -> String {
        let id = self.id();
        self.say(&[call(call_id, "AskOther", json!([id, "?"]))]);
        let question = self.hear();
        assert_eq!(question["target"], "Ask");
        question["invocationId"].as_str().expect("an id").to_owned()
    }
}

/// Runs a test on our hub and on .NET's, each on a Redis of its own if one is wanted.
fn on_both(test: &str, redis: bool, body: impl Fn(&str, &str, Option<&Redis>)) {
    let details = [("DetailedErrors", "true")];
    if !redis || has(test, &[Part::Redis]) {
        let redis = redis.then(Redis::start);
        let address = redis.as_ref().map(Redis::connection_string);
        let ours = Conformance::with(&address.unwrap_or_default(), &details);
        body("ours", ours.address(), redis.as_ref());
    }
    let parts: &[Part] = if redis {
        &[Part::Peer, Part::Redis]
    } else {
        &[Part::Peer]
    };
    if has(test, parts) {
        let redis = redis.then(Redis::start);
        let (_program, theirs) = refhub_with(redis.as_ref(), None, &details);
        body(".NET", &theirs, redis.as_ref());
    }
}

#[test]
fn calls_go_on_while_an_upload_does() {
    let server = Conformance::start("");
    let mut client = Talker::new(server.address(), "/testhub");
    client.say(&[
        upload("u", "StreamingConcat", "s"),
        call("e", "Echo", json!(["x"])),
    ]);
    assert_eq!(client.hear(), result("e", json!("x")));
    // Also where an ordinary method occupies the only slot, and another waits for it.
    client.say(&[
        call("b", "Block", json!([])),
        call("w", "Echo", json!(["late"])),
    ]);
    for item in ["a", "b", "c"] {
        client.say(&[json!({ "type": 2, "invocationId": "s", "item": item })]);
    }
    client.say(&[json!({ "type": 3, "invocationId": "s" })]);
    assert_eq!(client.hear(), result("u", json!("abc")));
}

#[test]
fn a_full_upload_holds_back_its_own_items_only_in_order() {
    let server = Conformance::start("");
    let mut client = Talker::new(server.address(), "/testhub");
    // More items than an upload holds, in one frame, with a call between.
    let mut messages = vec![upload("u", "StreamingConcat", "s")];
    let items: Vec<String> = (0..100).map(|number| format!("{number} ")).collect();
    for (place, item) in items.iter().enumerate() {
        messages.push(json!({ "type": 2, "invocationId": "s", "item": item }));
        if place == 50 {
            messages.push(call("e", "Echo", json!(["x"])));
        }
    }
    messages.push(json!({ "type": 3, "invocationId": "s" }));
    client.say(&messages);
    let mut heard = vec![client.hear(), client.hear()];
    heard.sort_by_key(Value::to_string);
    let expected = [result("e", json!("x")), result("u", json!(items.concat()))];
    assert_eq!(heard, expected);
}

#[test]
fn a_broadcast_is_answered_before_a_close_behind_it() {
    let test = "a_broadcast_is_answered_before_a_close_behind_it";
    on_both(test, false, |whose, address, _| {
        let mut client = Talker::new(address, "/signalRHub");
        client.say(&[
            call("j", "ListenForBoardEvents", json!(["g"])),
            call("b", "SendGroup", json!(["g", "Told", "x"])),
            json!({ "type": 7 }),
        ]);
        let heard = [(); 4].map(|()| client.hear());
        let expected = [
            result("j", Value::Null),
            json!({ "type": 1, "target": "Told", "arguments": ["x"] }),
            result("b", Value::Null),
            json!({ "type": 7 }),
        ];
        assert_eq!(heard, expected, "{whose}");
    });
}

#[test]
fn an_upload_whose_client_goes_away_ends_in_an_error() {
    let server = Conformance::start("");
    let mut client = Talker::new(server.address(), "/testhub");
    let mut other = Talker::new(server.address(), "/testhub");
    other.say(&[call("g", "GetCallerConnectionId", json!([]))]);
    let id = other.hear()["result"].clone();
    client.say(&[
        json!({
            "type": 1, "target": "ReportUpload", "arguments": [id], "streamIds": ["s"],
        }),
        json!({ "type": 2, "invocationId": "s", "item": "half" }),
        json!({ "type": 7 }),
    ]);
    let report = other.hear();
    assert_eq!(report["target"], "UploadEnded");
    assert_eq!(
        report["arguments"],
        json!(["OperationCanceledException: The underlying connection was closed."])
    );
}

#[test]
fn a_method_that_asks_a_client_frees_its_slot() {
    const MANY: usize = 200;
    on_both(
        "a_method_that_asks_a_client_frees_its_slot",
        false,
        |hub, address, _| {
            let mut client = Talker::new(address, "/signalRHub");
            let id = client.id();
            let calls: Vec<_> = (0..MANY)
                .map(|number| call(&number.to_string(), "AskOther", json!([id, "?"])))
                .collect();
            client.say(&calls);
            let questions: Vec<_> = (0..MANY).map(|_| client.hear()).collect();
            assert!(
                questions.iter().all(|question| question["target"] == "Ask"),
                "{hub}"
            );
            // A call on the same connection before any is answered.
            assert_eq!(client.id(), id, "{hub}");
            for question in &questions {
                client.say(&[result(
                    question["invocationId"].as_str().expect("an id"),
                    json!("4"),
                )]);
            }
            let answered: BTreeSet<_> = (0..MANY).map(|_| client.hear().to_string()).collect();
            let expected =
                (0..MANY).map(|number| result(&number.to_string(), json!("4")).to_string());
            assert_eq!(answered.len(), MANY, "{hub}");
            let parsed = |text: &String| serde_json::from_str::<Value>(text).expect("JSON");
            let answered: Vec<_> = answered.iter().map(parsed).collect();
            for wanted in expected {
                assert!(answered.contains(&parsed(&wanted)), "{hub}: {wanted}");
            }
        },
    );
}

#[test]
fn control_frames_are_answered_while_calls_wait() {
    on_both(
        "control_frames_are_answered_while_calls_wait",
        true,
        |hub, address, redis| {
            let mut client = Talker::new(address, "/signalRHub");
            let redis = redis.expect("a Redis");
            redis.pause();
            client.say(&[
                call("1", "ListenForBoardEvents", json!(["one"])),
                call("2", "ListenForBoardEvents", json!(["two"])),
            ]);
            client.socket.frame(0x89, b"there?");
            assert_eq!(
                client.socket.next(),
                Frame::Pong(b"there?".to_vec()),
                "{hub}"
            );
            client.socket.frame(0x88, &1000u16.to_be_bytes());
            assert_eq!(client.socket.next(), Frame::Close(1000), "{hub}");
            redis.go_on();
        },
    );
}

#[test]
fn an_end_does_not_wait_for_a_method() {
    let too_big = format!("{{\"type\":1,\"x\":\"{}\"", "x".repeat(33_000));
    let both = "{\"type\":3,\"invocationId\":\"z\",\"result\":1,\"error\":\"e\"}\u{1e}";
    let ends = [
        ("{\"type\":7}\u{1e}", json!(null)),
        (
            "x\u{1e}",
            json!(format!(
                "{BROKEN} InvalidDataException: Error reading JSON."
            )),
        ),
        (
            &too_big,
            json!(format!(
                "{BROKEN} InvalidDataException: The maximum message size of 32768B was exceeded. \
                 The message size can be configured in AddHubOptions."
            )),
        ),
        (
            both,
            json!(format!(
                "{BROKEN} InvalidDataException: The 'error' and 'result' properties are mutually \
                 exclusive."
            )),
        ),
    ];
    on_both(
        "an_end_does_not_wait_for_a_method",
        false,
        |hub, address, _| {
            for (words, error) in &ends {
                let mut client = Talker::new(address, "/signalRHub");
                client.ask_itself("1");
                client.socket.send(words);
                let close = client.hear();
                assert_eq!(
                    (&close["type"], &close["error"]),
                    (&json!(7), error),
                    "{hub}: {words:.40}"
                );
                assert_eq!(client.socket.next(), Frame::Close(1000), "{hub}");
            }
        },
    );
    // Also while further calls wait, where .NET lets it wait with them.
    let server = Conformance::start("");
    let mut client = Talker::new(server.address(), "/testhub");
    client.say(&[
        call("b", "Block", json!([])),
        call("w", "Echo", json!(["x"])),
    ]);
    client.say(&[json!({ "type": 7 })]);
    assert_eq!(client.hear(), json!({ "type": 7 }));
}

/// The asked client does not even answer the close: who asked must not wait for that.
#[test]
fn the_asker_hears_at_once_that_the_asked_client_broke_off() {
    on_both(
        "the_asker_hears_at_once_that_the_asked_client_broke_off",
        false,
        |hub, address, _| {
            let mut asked = Talker::new(address, "/signalRHub");
            let id = asked.id();
            let mut asker = Talker::new(address, "/signalRHub");
            asker.say(&[call("1", "AskOther", json!([id, "?"]))]);
            assert_eq!(asked.hear()["target"], "Ask");
            asked.socket.send("x\u{1e}");
            let error = asker.hear();
            assert_eq!(
                error["error"],
                format!(
                    "An unexpected error occurred invoking 'AskOther' on the server. IOException: \
                 Connection '{id}' disconnected."
                ),
                "{hub}"
            );
            // The socket of the asked one is still open.
            assert_eq!(asked.hear()["type"], 7, "{hub}");
            assert_eq!(asked.socket.next(), Frame::Close(1000), "{hub}");
            asked.socket.stream.set_nonblocking(true).expect("a socket");
            let error = asked
                .socket
                .stream
                .read(&mut [0])
                .expect_err("nothing to read");
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{hub}");
        },
    );
}

/// Methods are not cancelled with their connection.
#[test]
fn what_a_client_called_before_it_left_is_done() {
    on_both(
        "what_a_client_called_before_it_left_is_done",
        true,
        |hub, address, redis| {
            let mut listener = Talker::new(address, "/signalRHub");
            listener.say(&[call("1", "ListenForBoardEvents", json!(["g"]))]);
            assert_eq!(listener.hear(), result("1", Value::Null), "{hub}");
            let mut client = Talker::new(address, "/signalRHub");
            let redis = redis.expect("a Redis");
            client.id();
            redis.pause();
            client.say(&[
                json!({ "type": 1, "target": "SendGroup", "arguments": ["g", "Hello", "1"] }),
                json!({ "type": 1, "target": "SendGroup", "arguments": ["g", "Hello", "2"] }),
            ]);
            client.socket.frame(0x88, &1000u16.to_be_bytes());
            assert_eq!(client.socket.next(), Frame::Close(1000), "{hub}");
            drop(client);
            redis.go_on();
            for text in ["1", "2"] {
                let expected = json!({ "type": 1, "target": "Hello", "arguments": [text] });
                assert_eq!(listener.hear(), expected, "{hub}");
            }
        },
    );
}

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
fn a_client_that_returns_nothing_is_reported_in_dotnets_words() {
    on_both(
        "a_client_that_returns_nothing_is_reported_in_dotnets_words",
        false,
        |hub, address, _| {
            let mut client = Talker::new(address, "/signalRHub");
            let question = client.ask_itself("1");
            client.say(&[json!({ "type": 3, "invocationId": question })]);
            assert_eq!(
                client.hear()["error"],
                "An unexpected error occurred invoking 'AskOther' on the server. HubException: \
             Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown.",
                "{hub}"
            );
        },
    );
}

#[test]
fn a_hub_can_abort_a_connection() {
    let server = Conformance::start("");
    let mut client = Talker::new(server.address(), "/testhub");
    client.say(&[
        call("1", "Abort", json!([])),
        call("2", "Echo", json!(["x"])),
    ]);
    assert_eq!(client.hear(), json!({ "type": 7 }));
    assert_eq!(client.socket.next(), Frame::Close(1000));
}

#[test]
fn more_calls_run_at_a_time_where_that_is_set() {
    let parallel = [("MaximumParallelInvocationsPerClient", "2")];
    let server = Conformance::with("", &parallel);
    let mut client = Talker::new(server.address(), "/testhub");
    client.say(&[
        call("b", "Block", json!([])),
        call("e", "Echo", json!(["x"])),
        call("b", "Block", json!([])),
        call("w", "Echo", json!(["waits"])),
        json!({ "type": 7 }),
    ]);
    assert_eq!(client.hear(), result("e", json!("x")));
    assert_eq!(
        client.hear(),
        json!({ "type": 7 }),
        "the second call waited"
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
