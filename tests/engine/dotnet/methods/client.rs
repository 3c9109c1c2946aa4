//! One client of either hub: a transport and a protocol, written and read by hand.

use super::{OWED_WITHIN, kind};
use crate::harness::raw::{Answer, WebSocket, connect, http, masked, read_answer};
use rmp_serde::encode::to_vec_named as pack;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// One client over one transport.
pub(super) struct Client<'a> {
    pub(super) address: &'a str,
    pub(super) path: String,
    pub(super) link: Link,
    pub(super) packed: bool,
    /// Bytes of hub messages that were not looked at yet.
    pub(super) bytes: Vec<u8>,
    pub(super) ended: bool,
}

pub(super) enum Link {
    /// The socket, and bytes of frames that are not whole.
    WebSocket(TcpStream, Vec<u8>),
    Events(TcpStream, Vec<u8>),
    Polls,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a str, transport: &str, packed: bool) -> Self {
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

    pub(super) fn request(&self, method: &str, headers: &str, body: &[u8]) -> TcpStream {
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

    pub(super) fn ask(&self, method: &str, body: &[u8]) -> Answer {
        read_answer(&mut self.request(method, "", body), false)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        match &mut self.link {
            // A hub that has closed already takes no more.
            Link::WebSocket(stream, _) => {
                let first = if self.packed { 0x82 } else { 0x81 };
                let _ = stream.write_all(&masked(first, bytes));
            }
            Link::Events(..) | Link::Polls => drop(self.ask("POST", bytes)),
        }
    }

    pub(super) fn say(&mut self, messages: &[Value]) {
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|message| encoded(message, self.packed))
            .collect();
        self.write(&bytes);
    }

    /// Reads some bytes; false if none came in time, or the connection is over.
    pub(super) fn read(&mut self, deadline: Instant) -> bool {
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
    pub(super) fn next(&mut self, deadline: Instant) -> Option<Value> {
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

    pub(super) fn hear(&mut self, count: usize) -> Vec<Value> {
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
    pub(super) fn farewell(&mut self) -> Vec<Value> {
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
pub(super) fn encoded(message: &Value, packed: bool) -> Vec<u8> {
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
pub(super) fn decoded(bytes: &mut Vec<u8>, packed: bool) -> Option<Value> {
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
