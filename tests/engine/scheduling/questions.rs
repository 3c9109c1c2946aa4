//! Methods that ask clients.

use super::{Talker, call, on_both, result};
use crate::harness::raw::Frame;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};

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
