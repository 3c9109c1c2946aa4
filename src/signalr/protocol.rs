//! Hub messages and the handshake, apart from how they are encoded; and the two protocols that encode them.

pub mod json;
pub mod message_pack;

use crate::message_pack::MessagePackError;
use crate::signalr::transport::websocket;
use crate::signalr::value::{Naming, Value};
use bytes::Bytes;
use std::borrow::Cow;

/// Ends every JSON message, and the handshake of every protocol.
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// How a client's messages are encoded; the handshake chooses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Json,
    MessagePack,
}

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
        outcome: Result<Option<Encoded<'a>>, Cow<'a, str>>,
    },
    /// The client wants no more of a stream.
    Cancel {
        id: Cow<'a, str>,
    },
    Ping,
    Close,
    /// The highest message received, counted by both sides (spec: signalr.md E).
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

/// A value, or an array of arguments, as it came: checked, not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded<'a> {
    Json(&'a [u8]),
    MessagePack(&'a [u8]),
}

impl Encoded<'_> {
    /// The value; `None` where it can't be held, such as text that is not UTF-8.
    pub fn value(&self) -> Option<Value> {
        match self {
            Encoded::Json(bytes) => Value::from_json(bytes).ok(),
            Encoded::MessagePack(bytes) => Value::from_message_pack(bytes).ok(),
        }
    }

    /// Exactly `N` arguments.
    pub fn arguments<const N: usize>(&self) -> Option<[Value; N]> {
        match self.value()? {
            Value::Array(items) => items.try_into().ok(),
            _ => None,
        }
    }

    /// Exactly `N` arguments that are texts or null.
    pub fn texts<const N: usize>(&self) -> Option<[Option<String>; N]> {
        match self {
            Encoded::Json(bytes) => json::bind_texts(bytes),
            Encoded::MessagePack(_) => {
                let mut texts: [Option<String>; N] = [const { None }; N];
                for (text, value) in texts.iter_mut().zip(self.arguments::<N>()?) {
                    *text = match value {
                        Value::Null => None,
                        Value::Text(value) => Some(value),
                        _ => return None,
                    };
                }
                Some(texts)
            }
        }
    }
}

/// A message that breaks the protocol: the connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("Error reading JSON.")]
    Json(#[from] crate::json::JsonError),
    #[error("Reading a message failed: {0}.")]
    MessagePack(#[from] MessagePackError),
    #[error("Missing required property '{0}'.")]
    Missing(&'static str),
    #[error("Null or empty {0}.")]
    Empty(&'static str),
    #[error("Expected '{0}' to be of type {1}.")]
    Type(&'static str, &'static str),
    #[error("The 'error' and 'result' properties are mutually exclusive.")]
    ErrorAndResult,
    #[error("Invalid invocation result kind.")]
    ResultKind,
    #[error(
        "The maximum message size of {0}B was exceeded. The message size can be configured in AddHubOptions."
    )]
    TooLarge(usize),
    #[error("Sequence ID greater than amount of messages we've received.")]
    Sequence,
}

/// What stands at the head of what came.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// A whole message without its framing, and how many bytes it took with it.
    Message(&'a [u8], usize),
    Partial,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Json => "json",
            Protocol::MessagePack => "messagepack",
        }
    }

    /// The protocol of a name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        [Protocol::Json, Protocol::MessagePack]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    /// Cuts the first message off, or says that more must come; `maximum` counts its framing too.
    pub fn cut(self, bytes: &[u8], maximum: usize) -> Result<Cut<'_>, ProtocolError> {
        match self {
            Protocol::Json => match memchr::memchr(RECORD_SEPARATOR, bytes) {
                Some(length) if length < maximum => Ok(Cut::Message(&bytes[..length], length + 1)),
                None if bytes.len() <= maximum => Ok(Cut::Partial),
                _ => Err(ProtocolError::TooLarge(maximum)),
            },
            Protocol::MessagePack => message_pack::cut(bytes, maximum),
        }
    }

    /// Reads one message, without its framing.
    pub fn read(self, message: &[u8]) -> Result<ClientMessage<'_>, ProtocolError> {
        match self {
            Protocol::Json => json::read(message),
            Protocol::MessagePack => message_pack::read(message),
        }
    }

    /// A message with its framing.
    pub fn write(self, message: &ServerMessage<'_>, naming: Naming) -> Vec<u8> {
        match self {
            Protocol::Json => json::write(message, naming),
            Protocol::MessagePack => message_pack::write(message),
        }
    }

    /// A message's bytes with their framing.
    pub fn with_framing(self, message: &[u8]) -> Vec<u8> {
        match self {
            Protocol::Json => [message, &[RECORD_SEPARATOR]].concat(),
            Protocol::MessagePack => message_pack::framed(message),
        }
    }

    /// The WebSocket frame that carries framed messages.
    pub fn frame(self, payload: &[u8]) -> Bytes {
        match self {
            Protocol::Json => websocket::text_frame(payload).into(),
            Protocol::MessagePack => websocket::binary_frame(payload).into(),
        }
    }
}

/// A client's first message, after which both speak the protocol that it names.
#[derive(Debug, PartialEq, Eq)]
pub struct Handshake {
    pub protocol: Protocol,
    pub version: i32,
}

/// The highest protocol version that this server speaks; the first with stateful reconnects.
pub const HIGHEST_VERSION: i32 = 2;

impl Handshake {
    /// Reads the message, without its separator, and checks that the server can go along.
    /// An error is the text for the client, and what is behind it (spec: signalr.md C).
    pub fn read(
        message: &[u8],
        offered: &[Protocol],
        binary: bool,
    ) -> Result<Self, (String, Option<ProtocolError>)> {
        let (name, version) = json::read_handshake(message).map_err(|error| {
            (
                "An unexpected error occurred during connection handshake.".to_owned(),
                Some(error),
            )
        })?;
        let protocol = Protocol::named(&name).filter(|protocol| offered.contains(protocol));
        let refuse = |text: String| Err((text, None));
        match protocol {
            None => refuse(format!("The protocol '{name}' is not supported.")),
            Some(Protocol::MessagePack) if !binary => refuse(
                "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.".into(),
            ),
            Some(_) if version > HIGHEST_VERSION => {
                refuse(format!("The server does not support version {version} of the '{name}' protocol."))
            }
            Some(protocol) => Ok(Handshake { protocol, version }),
        }
    }
}
