//! Hub messages apart from their encoding (protocol.md, "Messages").

use super::client_completion::ClientCompletion;
use super::encoded::Encoded;
use super::error::ProtocolError;
use crate::signalr::value::Value;
use std::borrow::Cow;

/// Ends every JSON message, and the handshake of every protocol.
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// A message from a client.
#[derive(Debug, PartialEq)]
pub enum ClientMessage<'a> {
    Invocation {
        invocation_id: Option<Cow<'a, str>>,
        target: Cow<'a, str>,
        arguments: Encoded<'a>,
        /// Streams that the client will send, by their ids; looked at once the arguments are good.
        streams: Result<Vec<Cow<'a, str>>, ProtocolError>,
        /// The client wants a stream back.
        streaming: bool,
    },
    /// An item of a stream that the client sends.
    StreamItem {
        id: Cow<'a, str>,
        item: Encoded<'a>,
    },
    /// A stream of the client's ends, or it answers what it was asked.
    Completion {
        id: Cow<'a, str>,
        outcome: ClientCompletion<'a>,
    },
    /// The client wants no more of a stream.
    Cancel {
        id: Cow<'a, str>,
    },
    Ping,
    Close,
    /// The highest message received, counted by both sides (protocol.md, "Stateful reconnect").
    Ack(i64),
    /// The number of the next counted message.
    Sequence(i64),
    /// Of a type unknown to this server.
    Ignored,
}

impl ClientMessage<'_> {
    /// Whether it counts in the sequence that stateful reconnects go by.
    pub fn is_counted(&self) -> bool {
        matches!(
            self,
            Self::Invocation { .. }
                | Self::StreamItem { .. }
                | Self::Completion { .. }
                | Self::Cancel { .. }
        )
    }
}

/// A message to a client.
#[derive(Debug, Clone, Copy)]
pub enum ServerMessage<'a> {
    /// With an id where an answer is wanted.
    Invocation {
        id: Option<&'a str>,
        target: &'a str,
        arguments: &'a [Value],
    },
    StreamItem {
        id: &'a str,
        item: &'a Value,
    },
    Completion {
        id: &'a str,
        outcome: Completed<'a>,
    },
    Ping,
    Close {
        error: Option<&'a str>,
        allow_reconnect: bool,
    },
    Ack(i64),
    Sequence(i64),
}

/// How an invocation or a stream ended.
#[derive(Debug, Clone, Copy)]
pub enum Completed<'a> {
    /// A stream's end.
    Void,
    Result(&'a Value),
    Error(&'a str),
}

/// What stands at the head of what came.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// A whole message without its framing, and how many bytes it took with it.
    Message(&'a [u8], usize),
    Partial,
}
