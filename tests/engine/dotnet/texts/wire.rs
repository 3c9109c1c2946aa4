//! One client on a WebSocket, and all that its hub sends, byte by byte.

use super::CUT;
use super::made::QUESTION;
use crate::harness::raw::{Frame, WebSocket};
use rmp_serde::encode::to_vec_named as pack;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a hub may take to answer or to end.
const LONGEST: Duration = Duration::from_secs(20);

/// One connection, and all that came on it.
pub(super) struct Wire {
    socket: WebSocket,
    packed: bool,
    pub(super) heard: Vec<u8>,
    ended: Option<String>,
}

impl Wire {
    pub(super) fn open(address: &str, handshake: &[u8], packed: bool) -> Self {
        let mut socket = WebSocket::open(address);
        socket.frame(0x82, handshake);
        Wire {
            socket,
            packed,
            heard: Vec::new(),
            ended: None,
        }
    }

    /// With a good handshake that was answered.
    pub(super) fn connected(address: &str, packed: bool) -> Self {
        let protocol = if packed { "messagepack" } else { "json" };
        let handshake = format!("{{\"protocol\":\"{protocol}\",\"version\":1}}\u{1e}");
        let mut wire = Wire::open(address, handshake.as_bytes(), packed);
        wire.hear_until(|heard| heard == b"{}\x1e");
        wire.heard.clear();
        wire
    }

    pub(super) fn say(&mut self, message: &[u8]) {
        self.socket.frame(0x82, message);
    }

    pub(super) fn call(&mut self, id: &str, target: &str, arguments: Value) {
        self.say(&match self.packed {
            true => framed(&pack(&json!([1, {}, id, target, arguments, []])).expect("MessagePack")),
            false => {
                let call = json!({ "type": 1, "invocationId": id, "target": target, "arguments": arguments });
                format!("{call}\u{1e}").into_bytes()
            }
        });
    }

    pub(super) fn close(&mut self) {
        self.say(if self.packed {
            b"\x04\x93\x07\xc0\xc2"
        } else {
            b"{\"type\":7}\x1e"
        });
    }

    pub(super) fn hear_until(&mut self, enough: impl Fn(&[u8]) -> bool) {
        // One that never ends has said what it says, but for pings.
        let began = Instant::now();
        while self.ended.is_none() && !enough(&self.heard) {
            if began.elapsed() > LONGEST {
                self.ended = Some("silence".to_owned());
                break;
            }
            match self.socket.next() {
                // Pings come by the clock.
                Frame::Text(text) => {
                    let text = text.replace("{\"type\":6}\u{1e}", "");
                    self.heard.extend_from_slice(text.as_bytes());
                }
                Frame::Binary(bytes) if bytes == b"\x02\x91\x06" => {}
                Frame::Binary(bytes) => self.heard.extend(bytes),
                Frame::End => self.ended = Some(CUT.to_owned()),
                other => self.ended = Some(format!("{other:?}")),
            }
        }
    }

    /// Hears a message with an id behind `before`, and forgets it.
    pub(super) fn hear_id(&mut self, before: &[u8]) -> String {
        let id = |heard: &[u8]| {
            let at = heard
                .windows(before.len())
                .position(|some| some == before)?;
            let behind = &heard[at + before.len()..];
            match (before.last(), behind) {
                (Some(b'"'), _) => {
                    let end = behind.iter().position(|byte| *byte == b'"')?;
                    behind.get(..end)
                }
                (_, [head, rest @ ..]) => rest.get(..usize::from(head & 0x1f)),
                _ => None,
            }
            .map(|id| String::from_utf8_lossy(id).into_owned())
        };
        self.hear_until(|heard| id(heard).is_some());
        let heard = std::mem::take(&mut self.heard);
        id(&heard).unwrap_or_else(|| panic!("no id in {}", heard.escape_ascii()))
    }

    /// Its own id, as the hub knows it.
    pub(super) fn own_id(&mut self) -> String {
        self.call("w", "WhoAmI", json!([]));
        self.hear_id(match self.packed {
            true => b"\x95\x03\x80\xa1w\x03",
            false => b"\"result\":\"",
        })
    }

    /// The id of the question that it is asked.
    pub(super) fn question(&mut self) -> String {
        self.hear_id(match self.packed {
            true => b"\x96\x01\x80",
            false => b"\"invocationId\":\"",
        })
    }

    /// Of a connection that broke, takes the call's completion out.
    pub(super) fn forget_completion_before_breach(&mut self) {
        let has = |heard: &[u8], text: &[u8]| heard.windows(text.len()).any(|some| some == text);
        if !has(&self.heard, b"Connection closed with an error.") {
            return;
        }
        let messages = std::mem::take(&mut self.heard);
        let completion: &[u8] = match self.packed {
            true => b"\x95\x03\x80\xa1a",
            false => b"\"invocationId\":\"a\"",
        };
        let kept = whole_messages(&messages, self.packed).into_iter();
        let kept = kept.filter(|message| !has(message, completion));
        self.heard = kept.flatten().copied().collect();
    }

    /// What was heard until the end, with the ids that no two hubs share taken out.
    pub(super) fn farewell(mut self, ids: &[(&str, &str)]) -> Vec<Value> {
        self.hear_until(|_| false);
        let mut said = self.heard.escape_ascii().to_string();
        for (id, name) in ids {
            said = said.replace(&id.escape_default().to_string(), name);
        }
        vec![without_ids(&said).into(), self.ended.into()]
    }
}

/// `WhoAmI` answers with an id.
fn without_ids(said: &str) -> String {
    let mut pieces = said.split("\"result\\\":\\\"").map(str::to_owned);
    let mut out = pieces.next().unwrap_or_default();
    for piece in pieces {
        let id = piece.split("\\\"").next().unwrap_or_default();
        let rest = if id.len() == QUESTION.len() {
            piece.replacen(id, "an id", 1)
        } else {
            piece
        };
        out += "\"result\\\":\\\"";
        out += &rest;
    }
    // A MessagePack result: its kind, and the head of a text as long as an id.
    let mut pieces = out.split("\\x03\\xb6").map(str::to_owned);
    let mut packed = pieces.next().unwrap_or_default();
    for piece in pieces {
        packed += "\\x03\\xb6an id";
        packed += piece.get(QUESTION.len()..).unwrap_or_default();
    }
    packed
}

/// Each message with its framing.
fn whole_messages(bytes: &[u8], packed: bool) -> Vec<&[u8]> {
    if !packed {
        return bytes.split_inclusive(|byte| *byte == 0x1e).collect();
    }
    let (mut messages, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let head = rest
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .expect("a length")
            + 1;
        let seven = |(place, byte): (usize, &u8)| usize::from(byte & 0x7f) << (place * 7);
        let length: usize = rest[..head].iter().enumerate().map(seven).sum();
        let (message, after) = rest.split_at(head + length);
        messages.push(message);
        rest = after;
    }
    messages
}

/// A message behind its length.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let (mut out, mut length) = (Vec::new(), message.len());
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [out, message.to_vec()].concat()
}
