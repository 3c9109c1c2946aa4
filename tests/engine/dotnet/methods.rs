//! Conversations with running methods, over each transport in both protocols: calls, broadcasts,
//! questions to the caller and to another client, answers, streams where none are taken, cancellations, and an
//! end of some kind while methods run. Both hubs answer alike.
//!
//! What is said in one burst runs side by side, so the answers to it are compared in any order. A
//! burst is over when everything it is owed has come.

use super::{compare, wanted};
use crate::harness::raw::{Answer, WebSocket, connect, http, masked, read_answer};
use crate::harness::services::{Part, has};
use crate::harness::{Random, unique};
use rmp_serde::encode::to_vec_named as pack;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long an answer may take that is owed.
const OWED_WITHIN: Duration = Duration::from_secs(10);

/// One client over one transport.
struct Client<'a> {
    address: &'a str,
    path: String,
    link: Link,
    packed: bool,
    /// Bytes of hub messages that were not looked at yet.
    bytes: Vec<u8>,
    ended: bool,
}

enum Link {
    /// The socket, and bytes of frames that are not whole.
    WebSocket(TcpStream, Vec<u8>),
    Events(TcpStream, Vec<u8>),
    Polls,
}

impl<'a> Client<'a> {
    fn new(address: &'a str, transport: &str, packed: bool) -> Self {
        let request = b"POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        let negotiated: Value = serde_json::from_str(&http(address, request).body).expect("JSON");
        let token = negotiated["connectionToken"].as_str().expect("a token");
        let path = format!("/signalRHub?id={token}");
        let mut client = Client {
            link: Link::Polls,
            address,
            path,
            packed,
            bytes: Vec::new(),
            ended: false,
        };
        client.link = match transport {
            "websocket" => {
                let (socket, answer) = WebSocket::upgrade(address, &client.path);
                assert_eq!(answer.status, 101);
                Link::WebSocket(socket.stream, Vec::new())
            }
            "events" => {
                let mut stream = client.request("GET", "Accept: text/event-stream\r\n", b"");
                assert_eq!(read_answer(&mut stream, true).status, 200);
                Link::Events(stream, Vec::new())
            }
            _ => {
                assert_eq!(client.ask("GET", b"").status, 200);
                Link::Polls
            }
        };
        let protocol = if packed { "messagepack" } else { "json" };
        client.write(format!("{{\"protocol\":\"{protocol}\",\"version\":1}}\u{1e}").as_bytes());
        let deadline = Instant::now() + OWED_WITHIN;
        while !client.bytes.starts_with(b"{}\x1e") {
            assert!(client.read(deadline), "a handshake's answer");
        }
        client.bytes.drain(..3);
        client
    }

    fn request(&self, method: &str, headers: &str, body: &[u8]) -> TcpStream {
        let mut stream = connect(self.address);
        let length = body.len();
        let path = &self.path;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        let sent = stream.write_all(&[head.as_bytes(), body].concat());
        sent.expect("a request");
        stream
    }

    fn ask(&self, method: &str, body: &[u8]) -> Answer {
        read_answer(&mut self.request(method, "", body), false)
    }

    fn write(&mut self, bytes: &[u8]) {
        match &mut self.link {
            // A hub that has closed already takes no more.
            Link::WebSocket(stream, _) => {
                let first = if self.packed { 0x82 } else { 0x81 };
                let _ = stream.write_all(&masked(first, bytes));
            }
            Link::Events(..) | Link::Polls => drop(self.ask("POST", bytes)),
        }
    }

    fn say(&mut self, messages: &[Value]) {
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|message| encoded(message, self.packed))
            .collect();
        self.write(&bytes);
    }

    /// Reads some bytes; false if none came in time, or the connection is over.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.ended || left.is_zero() {
            return false;
        }
        let mut buffer = [0; 16 << 10];
        match &mut self.link {
            Link::WebSocket(stream, rest) => {
                stream.set_read_timeout(Some(left)).expect("a time-out");
                match stream.read(&mut buffer) {
                    Ok(length @ 1..) => rest.extend_from_slice(&buffer[..length]),
                    Ok(0) => self.ended = true,
                    _ => return false,
                }
                self.ended |= take_frames(rest, &mut self.bytes);
            }
            Link::Events(stream, rest) => {
                stream.set_read_timeout(Some(left)).expect("a time-out");
                match stream.read(&mut buffer) {
                    Ok(length @ 1..) => rest.extend_from_slice(&buffer[..length]),
                    Ok(0) => self.ended = true,
                    _ => return false,
                }
                self.ended |= take_events(rest, &mut self.bytes);
            }
            Link::Polls => {
                let mut stream = self.request("GET", "", b"");
                stream.set_read_timeout(Some(left)).expect("a time-out");
                if stream.peek(&mut [0]).is_err() {
                    return false;
                }
                let raw = poll(&mut stream);
                self.ended = raw.0 != 200;
                if raw.0 == 200 {
                    self.bytes.extend_from_slice(&raw.1);
                }
            }
        }
        true
    }

    /// The next whole message that is no ping.
    fn next(&mut self, deadline: Instant) -> Option<Value> {
        loop {
            if let Some(message) = decoded(&mut self.bytes, self.packed) {
                if kind(&message) != 6 {
                    return Some(message);
                }
                continue;
            }
            if !self.read(deadline) {
                return None;
            }
        }
    }

    fn hear(&mut self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + OWED_WITHIN;
        let mut heard = Vec::new();
        while heard.len() < count
            && let Some(message) = self.next(deadline)
        {
            heard.push(message);
        }
        heard
    }

    /// What comes until the end.
    fn farewell(&mut self) -> Vec<Value> {
        let deadline = Instant::now() + OWED_WITHIN;
        let mut said = Vec::new();
        while let Some(message) = self.next(deadline) {
            said.push(message);
        }
        said.push(if self.ended { "over" } else { "not over" }.into());
        said
    }
}

/// A poll's status and its body, byte by byte.
fn poll(stream: &mut TcpStream) -> (u16, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return (0, Vec::new());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).expect("a status").parse();
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("a body");
    (status.expect("a number"), body)
}

/// Takes whole frames; true if one of them closes.
fn take_frames(rest: &mut Vec<u8>, bytes: &mut Vec<u8>) -> bool {
    loop {
        let (head, length) = match rest[..] {
            [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
            [_, 126, ..] | [] | [_] => return false,
            [_, length, ..] => (2, usize::from(length)),
        };
        if rest.len() < head + length {
            return false;
        }
        match rest[0] & 0x0f {
            8 => return true,
            0..=2 => bytes.extend_from_slice(&rest[head..head + length]),
            _ => {}
        }
        rest.drain(..head + length);
    }
}

/// Takes whole chunks of a stream of events; true if one of them ends it.
fn take_events(rest: &mut Vec<u8>, bytes: &mut Vec<u8>) -> bool {
    loop {
        let Some(at) = rest.windows(2).position(|two| two == b"\r\n") else {
            return false;
        };
        let text = String::from_utf8_lossy(&rest[..at]).into_owned();
        let length = usize::from_str_radix(text.trim(), 16).expect("a length");
        if rest.len() < at + 2 + length + 2 {
            return false;
        }
        let data = rest[at + 2..at + 2 + length].to_vec();
        rest.drain(..at + 2 + length + 2);
        if length == 0 {
            return true;
        }
        // Hub messages hold no line ends; what is left of an event is its frame.
        let text = String::from_utf8_lossy(&data).replace("data: ", "");
        let text = text.replace(":\r\n", "").replace("\r\n", "");
        bytes.extend_from_slice(text.as_bytes());
    }
}

/// A message as its protocol has it, from its members in JSON.
fn encoded(message: &Value, packed: bool) -> Vec<u8> {
    if !packed {
        return format!("{message}\u{1e}").into_bytes();
    }
    let member = |name: &str| message[name].clone();
    let id = member("invocationId");
    let array = match kind(message) {
        kind @ (1 | 4) => json!([
            kind,
            {},
            id,
            member("target"),
            member("arguments"),
            message.get("streamIds").cloned().unwrap_or(json!([])),
        ]),
        3 => match (message.get("error"), message.get("result")) {
            (Some(error), Some(_)) => json!([3, {}, id, 9, error]),
            (Some(error), None) => json!([3, {}, id, 1, error]),
            (None, Some(result)) => json!([3, {}, id, 3, result]),
            (None, None) => json!([3, {}, id, 2]),
        },
        5 => json!([5, {}, id]),
        7 => json!([7, null, false]),
        kind => json!([kind]),
    };
    let body = pack(&array).expect("MessagePack");
    let mut length = body.len();
    let mut framed = Vec::new();
    while length > 0x7f {
        framed.push(length as u8 | 0x80);
        length >>= 7;
    }
    framed.push(length as u8);
    framed.extend(body);
    framed
}

/// Takes the first whole message.
fn decoded(bytes: &mut Vec<u8>, packed: bool) -> Option<Value> {
    if !packed {
        let at = bytes.iter().position(|byte| *byte == 0x1e)?;
        let message = serde_json::from_slice(&bytes[..at]).expect("JSON");
        bytes.drain(..=at);
        return Some(message);
    }
    let head = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let seven = |(place, byte): (usize, &u8)| usize::from(byte & 0x7f) << (place * 7);
    let length: usize = bytes[..head].iter().enumerate().map(seven).sum();
    let message = rmp_serde::from_slice(bytes.get(head..head + length)?).expect("MessagePack");
    bytes.drain(..head + length);
    Some(message)
}

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
    compare(&[], wanted("HARMONY_CASES", 1000) / 5, 8, words, converse);
}
