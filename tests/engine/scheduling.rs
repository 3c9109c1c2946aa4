//! What may run at a time and what waits for what: on our engine, and on ASP.NET Core's where its
//! reference hub has the methods for it.

mod polls;
mod questions;

use crate::harness::parts::{Part, has};
use crate::harness::program::Conformance;
use crate::harness::raw::{Frame, WebSocket};
use crate::harness::services::{Redis, refhub_with};
use serde_json::{Value, json};

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
