//! Conversations with running methods, over each transport in both protocols: calls, broadcasts,
//! questions to the caller and to another client, answers, streams where none are taken,
//! cancellations, and an end of some kind while methods run. Both hubs answer alike.
//!
//! What is said in one burst runs side by side, so the answers to it are compared in any order. A
//! burst is over when everything it is owed has come.

mod client;

use super::{Cases, compare, wanted};
use crate::harness::parts::{Part, has};
use crate::harness::raw::masked;
use crate::harness::{Random, unique};
use client::{Client, Link};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

/// How long an answer may take that is owed.
const OWED_WITHIN: Duration = Duration::from_secs(10);

fn kind(message: &Value) -> u64 {
    let kind = message.get("type").unwrap_or(&message[0]);
    kind.as_u64().unwrap_or_default()
}

fn id(message: &Value) -> &Value {
    message.get("invocationId").unwrap_or(&message[2])
}

/// The id of a question, which is an invocation that wants an answer.
fn question(message: &Value) -> Option<&str> {
    (kind(message) == 1).then(|| id(message).as_str())?
}

/// Without the ids that no two hubs share.
fn plain(message: &Value, ids: &[String]) -> Value {
    let mut text = message.to_string();
    if let Some(id) = question(message) {
        text = text.replace(id, "question");
    }
    for id in ids {
        text = text.replace(id, "an id");
    }
    text.into()
}

/// What one conversation is made of, as both hubs see it.
struct Talk<'a> {
    client: Client<'a>,
    peer: Client<'a>,
    ids: [String; 2],
    /// A group that the client alone is in.
    board: String,
    next: u64,
    /// Questions that were not answered, to the client and to the peer.
    open: VecDeque<String>,
    peer_open: VecDeque<String>,
    peer_is_gone: bool,
}

fn call(id: &str, target: &str, arguments: Value) -> Value {
    json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments })
}

/// A broadcast to a group that the client is in.
fn told(board: &str, id: &str) -> Value {
    call(id, "SendGroup", json!([board, "Told", "x"]))
}

fn answer(question: &str, how: &str) -> Value {
    match how {
        "refuse" => json!({ "type": 3, "invocationId": question, "error": "no" }),
        "nothing" => json!({ "type": 3, "invocationId": question }),
        _ => json!({ "type": 3, "invocationId": question, "result": "4" }),
    }
}

impl<'a> Talk<'a> {
    fn new(address: &'a str, transport: &str, packed: bool) -> Self {
        let mut clients = [
            Client::new(address, transport, packed),
            Client::new(address, "websocket", false),
        ];
        let ids = clients.each_mut().map(|client| {
            client.say(&[call("who", "WhoAmI", json!([]))]);
            let heard = client.hear(1);
            let result = heard[0].get("result").unwrap_or(&heard[0][4]);
            result.as_str().expect("an id").to_owned()
        });
        let [mut client, peer] = clients;
        // Other conversations go on beside this one.
        let board = unique("board");
        client.say(&[call("in", "ListenForBoardEvents", json!([board]))]);
        client.hear(1);
        Talk {
            client,
            peer,
            ids,
            board,
            next: 0,
            open: VecDeque::new(),
            peer_open: VecDeque::new(),
            peer_is_gone: false,
        }
    }

    /// Says a burst, and hears all that it is owed.
    fn burst(&mut self, words: &str) -> Vec<Value> {
        let (mut messages, mut owed, mut peer_owed) = (Vec::new(), 0, 0);
        let mut peer_says = Vec::new();
        for word in words.split(' ') {
            self.next += 1;
            let id = self.next.to_string();
            match word {
                "call" => messages.push(call(&id, "WhoAmI", json!([]))),
                "tell" => {
                    messages.push(told(&self.board, &id));
                    owed += 1;
                }
                "ask" => messages.push(call(&id, "AskOther", json!([self.ids[0], "?"]))),
                "unknown" => messages.push(call(&id, "Nope", json!([1]))),
                "wrong" => messages.push(call(&id, "WhoAmI", json!(["x"]))),
                "mistyped" => messages.push(call(&id, "AskOther", json!([1, "x"]))),
                "streamed" => {
                    let mut message = call(&id, "WhoAmI", json!([]));
                    message["type"] = 4.into();
                    messages.push(message);
                }
                "with-stream" => {
                    let mut message = call(&id, "WhoAmI", json!([]));
                    message["streamIds"] = json!([format!("s{id}")]);
                    messages.push(message);
                }
                "ask-peer" if !self.peer_is_gone => {
                    messages.push(call(&id, "AskOther", json!([self.ids[1], "?"])));
                    peer_owed += 1;
                    continue;
                }
                "answer" | "refuse" | "nothing" => match self.open.pop_front() {
                    Some(question) => messages.push(answer(&question, word)),
                    None => continue,
                },
                "peer-answer" | "peer-refuse" => match self.peer_open.pop_front() {
                    Some(question) => peer_says.push(answer(&question, &word[5..])),
                    None => continue,
                },
                "quiet" => {
                    messages.push(json!({ "type": 1, "target": "WhoAmI", "arguments": [] }));
                    continue;
                }
                "cancel" => {
                    let last = self.next.saturating_sub(1).to_string();
                    messages.push(json!({ "type": 5, "invocationId": last }));
                    continue;
                }
                "stray" => {
                    messages.push(answer("nobody", "answer"));
                    continue;
                }
                _ => {
                    messages.push(json!({ "type": 6 }));
                    continue;
                }
            }
            owed += 1;
        }
        self.client.say(&messages);
        self.peer.say(&peer_says);
        for message in self.peer.hear(peer_owed) {
            let id = question(&message).unwrap_or_default();
            self.peer_open.push_back(id.to_owned());
        }
        self.heard(owed)
    }

    /// The peer breaks the protocol: all that waits for it fails.
    fn peer_breaks(&mut self) -> Vec<Value> {
        self.peer.write(b"x\x1e");
        self.peer_is_gone = true;
        let owed = std::mem::take(&mut self.peer_open).len();
        self.heard(owed)
    }

    fn heard(&mut self, owed: usize) -> Vec<Value> {
        let heard = self.client.hear(owed);
        let questions = heard.iter().filter_map(question);
        self.open.extend(questions.map(str::to_owned));
        let mut heard: Vec<_> = heard
            .iter()
            .map(|message| plain(message, &self.ids))
            .collect();
        heard.sort_by_key(Value::to_string);
        heard
    }

    fn end(&mut self, how: &str) -> Vec<Value> {
        let invalid = json!({ "type": 3, "invocationId": "z", "result": 1, "error": "e" });
        match how {
            "close" => self.client.say(&[json!({ "type": 7 })]),
            "tell-and-close" => {
                let told = told(&self.board, "last");
                self.client.say(&[told, json!({ "type": 7 })]);
            }
            "garbage" if self.client.packed => self.client.write(b"\x01\xc1"),
            "garbage" => self.client.write(b"x\x1e"),
            // Of MessagePack .NET waits for as much as it takes, ours believes the length.
            "big" if self.client.packed => {
                let body = [&b"\xe8\x81\x02"[..], &[0xc0; 33_000]].concat();
                self.client.write(&body);
            }
            "big" => self.client.write(&[b'x'; 33_000]),
            "invalid" => self.client.say(&[invalid]),
            _ => match &mut self.client.link {
                Link::WebSocket(stream, _) => {
                    let _ = stream.write_all(&masked(0x88, &1000u16.to_be_bytes()));
                }
                // The stream of events just ends.
                Link::Events(..) => return Vec::new(),
                Link::Polls => drop(self.client.ask("DELETE", b"")),
            },
        }
        // Where a goodbye may come or not: to one who left.
        let said = self.client.farewell();
        let said = said
            .iter()
            .filter(|said| how != "leave" || said.is_string());
        said.map(|message| plain(message, &self.ids)).collect()
    }
}

const WORDS: [&str; 22] = [
    "call",
    "call",
    "call",
    "tell",
    "tell",
    "ask",
    "ask",
    "ask",
    "ask-peer",
    "ask-peer",
    "answer",
    "answer",
    "answer",
    "refuse",
    "nothing",
    "peer-answer",
    "peer-refuse",
    "unknown",
    "wrong",
    "streamed",
    "with-stream",
    "mistyped",
];
const SILENT: [&str; 4] = ["quiet", "cancel", "stray", "ping"];
const ENDS: [&str; 6] = [
    "close",
    "tell-and-close",
    "garbage",
    "big",
    "invalid",
    "leave",
];
const WAYS: [&str; 5] = [
    "websocket json",
    "websocket messagepack",
    "polls json",
    "polls messagepack",
    "events json",
];

fn words(random: &mut Random) -> Vec<Vec<u8>> {
    let mut words = vec![random.pick(&WAYS).as_bytes().to_vec()];
    for _ in 0..1 + random.below(5) {
        if random.one_in(12) {
            words.push(b"peer-breaks".to_vec());
            continue;
        }
        let burst: Vec<_> = (0..1 + random.below(6))
            .map(|_| {
                if random.one_in(5) {
                    *random.pick(&SILENT)
                } else {
                    *random.pick(&WORDS)
                }
            })
            .collect();
        words.push(burst.join(" ").into_bytes());
    }
    words.push(random.pick(&ENDS).as_bytes().to_vec());
    words
}

fn converse(address: &str, words: &[Vec<u8>]) -> Vec<Value> {
    let texts: Vec<_> = words
        .iter()
        .map(|word| std::str::from_utf8(word).expect("text"))
        .collect();
    let [way, bursts @ .., end] = &texts[..] else {
        panic!("a conversation has a way and an end");
    };
    let (transport, protocol) = way.split_once(' ').expect("a way");
    let mut talk = Talk::new(address, transport, protocol == "messagepack");
    let mut said = Vec::new();
    for burst in bursts {
        said.push(Value::from(match *burst {
            "peer-breaks" => talk.peer_breaks(),
            burst => talk.burst(burst),
        }));
    }
    said.push(talk.end(end).into());
    said
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn running_methods_are_served_alike() {
    if !has("running_methods_are_served_alike", &[Part::Peer]) {
        return;
    }
    let cases = Cases {
        count: wanted("HARMONY_CASES", 1000) / 5,
        at_a_time: 8,
        variables: &[],
    };
    compare(&[], cases, words, converse);
}
