//! Hub messages and the handshake, apart from how they are encoded; and the two protocols that
//! encode them.

pub mod client_completion;
pub mod encoded;
pub mod error;
pub mod json;
pub mod message;
pub mod message_pack;
pub mod transcode;

pub use client_completion::ClientCompletion;
pub use encoded::{BindingError, Encoded};
pub use error::ProtocolError;
pub use message::{ClientMessage, Completed, Cut, RECORD_SEPARATOR, ServerMessage};

use crate::signalr::frame;
use crate::signalr::value::NamingPolicy;
use bytes::Bytes;

/// How a client's messages are encoded; the handshake chooses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Json,
    MessagePack,
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
    pub fn write(self, message: &ServerMessage<'_>, naming: NamingPolicy) -> Vec<u8> {
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
            Protocol::Json => frame::text_frame(payload).into(),
            Protocol::MessagePack => frame::binary_frame(payload).into(),
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
    /// An error is the text for the client, and its reason (protocol.md, "Handshake").
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
