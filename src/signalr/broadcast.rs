//! One message for many, encoded once a protocol: the very bytes that every socket gets, frame head
//! included.

use crate::json::write_string;
use crate::signalr::frame;
use crate::signalr::protocol::{Protocol, RECORD_SEPARATOR, ServerMessage, transcode};
use crate::signalr::value::{NamingPolicy, Value};
use bytes::Bytes;
use std::sync::OnceLock;

/// A hub message ready for any number of connections. A form that it came without is made from the
/// other when the first client wants it.
#[derive(Debug, Clone, Default)]
pub struct Broadcast {
    /// A WebSocket text frame: head, then the JSON message with its separator.
    json: OnceLock<Bytes>,
    /// A binary frame: head, then the length and the message.
    message_pack: OnceLock<Bytes>,
    /// Connections that are left out.
    pub excluded: Vec<String>,
}

impl Broadcast {
    /// Encodes the invocation of `target` on clients; `arguments` are JSON values.
    pub fn invocation(target: &str, arguments: &[&[u8]]) -> Self {
        let size: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        let mut payload = Vec::with_capacity(size + target.len() + 48);
        payload.extend_from_slice(b"{\"type\":1,\"target\":");
        write_string(&mut payload, target);
        payload.extend_from_slice(b",\"arguments\":[");
        for (index, argument) in arguments.iter().enumerate() {
            if index > 0 {
                payload.push(b',');
            }
            payload.extend_from_slice(argument);
        }
        payload.extend_from_slice(b"]}");
        payload.push(RECORD_SEPARATOR);
        Self::framed(&[(Protocol::Json, &payload)])
    }

    /// Encodes an invocation in both protocols, for arguments that JSON alone could not hold.
    pub fn of(id: Option<&str>, target: &str, arguments: &[Value], naming: NamingPolicy) -> Self {
        let message = ServerMessage::Invocation {
            id,
            target,
            arguments,
        };
        let [json, message_pack] = [Protocol::Json, Protocol::MessagePack]
            .map(|protocol| protocol.write(&message, naming));
        Self::framed(&[
            (Protocol::Json, &json),
            (Protocol::MessagePack, &message_pack),
        ])
    }

    /// Takes messages that are already encoded, framing included.
    pub fn framed(forms: &[(Protocol, &[u8])]) -> Self {
        let broadcast = Broadcast::default();
        for (protocol, payload) in forms {
            // The first of a protocol counts.
            let _ = broadcast.form(*protocol).set(protocol.frame(payload));
        }
        broadcast
    }

    pub fn except(mut self, excluded: Vec<String>) -> Self {
        self.excluded = excluded;
        self
    }

    /// How many bytes it holds, before forms are made that it came without.
    pub fn size(&self) -> usize {
        [&self.json, &self.message_pack]
            .into_iter()
            .filter_map(OnceLock::get)
            .map(Bytes::len)
            .max()
            .unwrap_or_default()
    }

    fn form(&self, protocol: Protocol) -> &OnceLock<Bytes> {
        match protocol {
            Protocol::Json => &self.json,
            Protocol::MessagePack => &self.message_pack,
        }
    }

    /// The message in a protocol, with its framing; `None` where it came without that one.
    pub fn payload(&self, protocol: Protocol) -> Option<&[u8]> {
        self.form(protocol).get().map(|frame| frame::payload(frame))
    }

    /// The WebSocket frame, shared. Empty, and so nothing, where what came can't be said in the
    /// protocol.
    pub fn frame(&self, protocol: Protocol) -> &Bytes {
        let made = || {
            let other = match protocol {
                Protocol::Json => self
                    .payload(Protocol::MessagePack)
                    .and_then(transcode::to_json),
                Protocol::MessagePack => self
                    .payload(Protocol::Json)
                    .and_then(transcode::to_message_pack),
            };
            other
                .map(|payload| protocol.frame(&payload))
                .unwrap_or_default()
        };
        self.form(protocol).get_or_init(made)
    }
}
