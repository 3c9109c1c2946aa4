//! What clients do over half transports, in any order: polls, posts, streams, ends.

use super::both_slowly;
use crate::harness::Random;
use crate::harness::parts::{Part, has};
use crate::harness::raw::{Answer, WebSocket, connect, http, read_answer};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a hub has to say it has said by then.
const SOON: Duration = Duration::from_millis(250);

/// One client with a token.
struct Client<'a> {
    address: &'a str,
    path: String,
    events: Option<TcpStream>,
    /// Kept open.
    sockets: Vec<WebSocket>,
    /// What came over the stream of events.
    heard: Vec<u8>,
}

/// What an answer says: an error has words, data has messages, which are looked at all together.
fn outcome(what: &str, answer: &Answer, heard: &mut String) -> Value {
    let kind = answer.header("content-type").unwrap_or_default();
    let is_data = answer.status == 200 && what == "poll";
    if is_data {
        *heard += &answer.body;
    }
    // Whether an end is noticed before or behind the look at the table, nobody cares.
    let body = if is_data || answer.status == 404 {
        ""
    } else {
        &answer.body
    };
    format!("{what} {} {kind} {body}", answer.status).into()
}

impl Client<'_> {
    fn send(&self, line: &str, headers: &str, body: &[u8]) -> TcpStream {
        let mut stream = connect(self.address);
        let head = format!(
            "{line} {} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n",
            self.path,
            body.len()
        );
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .expect("a request");
        stream
    }

    /// Does one thing; `None` where a poll still waits for something to come.
    fn act(&mut self, word: &[u8]) -> Option<Answer> {
        let (line, headers, body) = match word {
            b"poll" => ("GET", "", &b""[..]),
            b"events" => ("GET", "Accept: text/event-stream\r\n", &b""[..]),
            b"delete" => ("DELETE", "", &b""[..]),
            b"websocket" => {
                let (socket, answer) = WebSocket::upgrade(self.address, &self.path);
                self.sockets.push(socket);
                return Some(answer);
            }
            body => ("POST", "", body),
        };
        let mut stream = self.send(line, headers, body);
        if word == b"poll" {
            stream.set_read_timeout(Some(SOON)).expect("a time-out");
            stream.peek(&mut [0]).ok()?;
        }
        let opens = word == b"events" && self.events.is_none();
        let answer = read_answer(&mut stream, opens);
        if opens && answer.status == 200 {
            stream.set_read_timeout(Some(SOON)).expect("a time-out");
            self.events = Some(stream);
        }
        self.listen();
        Some(answer)
    }

    /// Hears what there is, and the end where there is one, so that what is done next comes after
    /// it.
    fn listen(&mut self) {
        let Some(stream) = &mut self.events else {
            return;
        };
        let mut buffer = [0; 4096];
        let before = self.heard.len();
        while !self.heard.ends_with(b"0\r\n\r\n")
            && let Ok(length @ 1..) = stream.read(&mut buffer)
        {
            self.heard.extend_from_slice(&buffer[..length]);
            let now = String::from_utf8_lossy(&self.heard[before..]);
            if now.contains("{}") || now.contains("\"type\":3") {
                break;
            }
        }
    }
}

fn client(address: &str, words: &[Vec<u8>]) -> Vec<Value> {
    let negotiated = http(address, b"POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    let negotiated: Value = serde_json::from_str(&negotiated.body).expect("JSON");
    let path = format!(
        "/signalRHub?id={}",
        negotiated["connectionToken"].as_str().expect("a token")
    );
    let mut client = Client {
        address,
        path,
        events: None,
        sockets: Vec::new(),
        heard: Vec::new(),
    };
    let (mut said, mut heard) = (Vec::new(), String::new());
    for word in words {
        let what = match &word[..] {
            b"poll" | b"events" | b"delete" | b"websocket" => {
                std::str::from_utf8(word).expect("text")
            }
            _ => "post",
        };
        match client.act(word) {
            // Whether .NET takes what is posted behind an end that was not fetched depends on the
            // moment, as the recordings show.
            Some(Answer {
                status: 200 | 404, ..
            }) if what == "post" && client.events.is_none() => {}
            None => said.push(format!("{what} waits").into()),
            Some(answer) => said.push(outcome(what, &answer, &mut heard)),
        }
    }
    if client.events.is_some() {
        client.listen();
        let text = String::from_utf8_lossy(&client.heard);
        // Chunks begin where they will; a line that is a length is none of ours.
        let lines = text
            .split("\r\n")
            .filter(|line| !line.is_empty() && u32::from_str_radix(line, 16).is_err());
        heard.extend(lines.map(|line| line.trim_start_matches("data: ").trim_start_matches(":")));
        said.push(format!("events end: {}", text.ends_with("0\r\n\r\n")).into());
    }
    said.extend(
        heard
            .split_terminator('\u{1e}')
            .filter(|message| *message != "{\"type\":6}")
            .map(Value::from),
    );
    said
}

const HANDSHAKE: &[u8] = b"{\"protocol\":\"json\",\"version\":1}\x1e";
const MESSAGES: [&[u8]; 8] = [
    b"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Nope\",\"arguments\":[]}\x1e",
    b"{\"type\":1,\"invocationId\":\"2\",\"target\":\"ListenForBoardEvents\",\"arguments\":[\"b\"]}\x1e",
    b"{\"type\":6}\x1e",
    b"{\"type\":7}\x1e",
    b"x\x1e",
    b"",
    b"{\"type\":1,\"invocationId\":\"3\",",
    b"\"target\":\"Nope\",\"arguments\":[]}\x1e",
];

fn words(random: &mut Random) -> Vec<Vec<u8>> {
    let polls = random.one_in(2);
    let fetch: &[u8] = if polls { b"poll" } else { b"events" };
    let mut words: Vec<Vec<u8>> = Vec::new();
    if !random.one_in(8) {
        words.push(fetch.into());
    }
    if !random.one_in(8) {
        let handshake: &[u8] = random.pick::<&[u8]>(&[
            HANDSHAKE,
            HANDSHAKE,
            HANDSHAKE,
            b"{\"protocol\":\"messagepack\",\"version\":1}\x1e",
            b"{}\x1e",
            b"{\"protocol\":\"json\",\"version\":9}\x1e",
        ]);
        words.push(handshake.into());
        words.extend(polls.then(|| b"poll".to_vec()));
    }
    for _ in 0..random.below(5) {
        match random.below(10) {
            0 => words.push(b"delete".to_vec()),
            1 => words.push(b"websocket".to_vec()),
            2 => words.push(if polls {
                b"events".to_vec()
            } else {
                b"poll".to_vec()
            }),
            3 => words.push(fetch.into()),
            _ => {
                words.push(random.pick(&MESSAGES).to_vec());
                words.extend(polls.then(|| b"poll".to_vec()));
            }
        }
    }
    words.extend(polls.then(|| b"poll".to_vec()));
    words
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn half_transports_are_answered_alike() {
    if !has("half_transports_are_answered_alike", &[Part::Peer]) {
        return;
    }
    both_slowly(words, client);
}
