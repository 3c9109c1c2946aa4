//! Clients' results that are not what was asked for, and messages that look broken but are not: on
//! our engine, and on ASP.NET Core's.

use crate::harness::parts::{Part, has};
use crate::harness::program::{Conformance, address};
use crate::harness::raw::{Frame, WebSocket, http};
use crate::harness::services::refhub_with;
use serde_json::{Value, json};

const DETAILS: [(&str, &str); 1] = [("DetailedErrors", "true")];
const FAILED: &str =
    "An unexpected error occurred invoking 'AskOther' on the server. HubException:";

fn on_both(test: &str, body: impl Fn(&str)) {
    body(Conformance::with("", &DETAILS).address());
    if has(test, &[Part::Peer]) {
        let (_program, theirs) = refhub_with(None, None, &DETAILS);
        body(&theirs);
    }
}

fn call(socket: &mut WebSocket, id: &str, target: &str, arguments: Value) {
    let call = json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments });
    socket.send(&format!("{call}\u{1e}"));
}

fn own_id(socket: &mut WebSocket) -> String {
    call(socket, "w", "WhoAmI", json!([]));
    let id = socket.message()["result"].as_str().map(str::to_owned);
    id.expect("an id")
}

/// The id of the question that a client is asked.
fn question(socket: &mut WebSocket) -> String {
    let question = socket.message();
    assert_eq!(question["target"], "Ask");
    question["invocationId"].as_str().expect("an id").to_owned()
}

fn mistyped(read: usize) -> String {
    format!(
        "{FAILED} Error trying to deserialize result to String. The JSON value could not be \
         converted to System.String. Path: $ | LineNumber: 0 | BytePositionInLine: {read}."
    )
}

#[test]
fn a_result_of_another_type_fails_the_call_alone() {
    let answers = [
        ("\"result\":12345", mistyped(5)),
        ("\"result\": [1, 2]", mistyped(1)),
        ("\"result\":\"\\ud800\"", mistyped(8)),
        ("\"result\":1,\"error\":\"no\"", format!("{FAILED} no")),
        ("\"error\":\"no\",\"result\":true", mistyped(4)),
    ];
    on_both("a_result_of_another_type_fails_the_call_alone", |address| {
        let mut socket = WebSocket::connected(address);
        let id = own_id(&mut socket);
        for (answer, error) in &answers {
            call(&mut socket, "a", "AskOther", json!([id, "?"]));
            let question = question(&mut socket);
            let head = format!("{{\"type\":3,\"invocationId\":\"{question}\",");
            socket.send(&format!("{head}{answer}}}\u{1e}"));
            let told = json!({ "type": 3, "invocationId": "a", "error": error });
            assert_eq!(socket.message(), told, "{answer}");
        }
    });
}

#[test]
fn a_result_is_an_int32_where_that_is_asked_for() {
    let ours = Conformance::start("");
    let (mut socket, _) = WebSocket::upgrade(address(&ours.url), "/testhub");
    socket.send("{\"protocol\":\"json\",\"version\":1}\u{1e}");
    assert_eq!(socket.message(), json!({}));
    call(&mut socket, "w", "GetCallerConnectionId", json!([]));
    let id = socket.message()["result"]
        .as_str()
        .expect("an id")
        .to_owned();
    let request =
        format!("GET /clientresult/{id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (result, said) in [
        ("1", "1"),
        (
            "1.5",
            "Error trying to deserialize result to Int32. The JSON value could not be converted to System.Int32. Path: $ | LineNumber: 0 | BytePositionInLine: 3.",
        ),
    ] {
        let answer = std::thread::scope(|scope| {
            let asked = scope.spawn(|| http(ours.address(), request.as_bytes()));
            let question = socket.message();
            let id = question["invocationId"].as_str().expect("an id");
            socket.send(&format!(
                "{{\"type\":3,\"invocationId\":\"{id}\",\"result\":{result}}}\u{1e}"
            ));
            asked.join().expect("an answer")
        });
        assert_eq!(answer.body, said);
    }
}

#[test]
fn an_answer_to_anothers_question_ends_the_connection() {
    on_both(
        "an_answer_to_anothers_question_ends_the_connection",
        |address| {
            let [mut thief, mut asked] = [(); 2].map(|()| WebSocket::connected(address));
            let (own, other) = (own_id(&mut thief), own_id(&mut asked));
            call(&mut asked, "a", "AskOther", json!([other, "?"]));
            let question = question(&mut asked);
            let answer = |result: &str| {
                format!(
                    "{{\"type\":3,\"invocationId\":\"{question}\",\"result\":\"{result}\"}}\u{1e}"
                )
            };
            thief.send(&answer("false"));
            let told = json!({ "type": 7, "allowReconnect": true, "error": format!("Connection closed with an error. InvalidOperationException: Connection ID '{own}' is not valid for invocation ID '{question}'.") });
            assert_eq!(thief.message(), told);
            asked.send(&answer("true"));
            let told = json!({ "type": 3, "invocationId": "a", "result": "true" });
            assert_eq!(asked.message(), told);
        },
    );
}

#[test]
fn a_name_that_is_not_text_is_passed_over() {
    on_both("a_name_that_is_not_text_is_passed_over", |address| {
        let mut socket = WebSocket::connected(address);
        socket.frame(0x82, b"{\"\xff\":1,\"type\":6}\x1e");
        own_id(&mut socket);
    });
}

#[test]
fn a_result_for_nobody_may_be_as_deep_as_it_likes() {
    on_both(
        "a_result_for_nobody_may_be_as_deep_as_it_likes",
        |address| {
            let mut socket = WebSocket::open(address);
            socket.send("{\"protocol\":\"messagepack\",\"version\":1}\u{1e}");
            assert_eq!(socket.next(), Frame::Binary(b"{}\x1e".to_vec()));
            let result = [&b"\x95\x03\x80\xa1z\x03"[..], &[0x91; 100], b"\x01"].concat();
            socket.frame(0x82, &[&[result.len() as u8], &result[..]].concat());
            socket.frame(0x82, b"\x0c\x96\x01\x80\xa11\xa4Nope\x90\x90");
            let Frame::Binary(told) = socket.next() else {
                panic!("the connection ended");
            };
            assert!(told.ends_with(b"Method does not exist."));
        },
    );
}
