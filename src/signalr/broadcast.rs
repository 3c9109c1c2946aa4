//! One message for many, encoded once: the very bytes that every socket gets, frame head included.

use crate::json::write_string;
use crate::signalr::protocol::RECORD_SEPARATOR;
use crate::signalr::transport::websocket;
use bytes::Bytes;

/// A hub message ready for any number of connections.
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// A WebSocket text frame: head, then the JSON message with its separator.
    frame: Bytes,
    payload_at: usize,
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
        Self::from_json(&payload)
    }

    /// Takes a message that is already encoded, separator included.
    pub fn from_json(payload: &[u8]) -> Self {
        let frame = websocket::text_frame(payload);
        Broadcast { payload_at: frame.len() - payload.len(), frame: frame.into(), excluded: Vec::new() }
    }

    /// The JSON message with its separator.
    pub fn json(&self) -> &[u8] {
        &self.frame[self.payload_at..]
    }

    /// The WebSocket frame, shared.
    pub fn frame(&self) -> Bytes {
        self.frame.clone()
    }
}
