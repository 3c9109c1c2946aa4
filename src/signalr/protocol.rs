//! Hub messages and the handshake, apart from how they are encoded.

pub mod json;

use std::borrow::Cow;

/// Ends every JSON message, and the handshake of every protocol.
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// A message from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    Invocation {
        invocation_id: Option<Cow<'a, str>>,
        target: Cow<'a, str>,
        /// The arguments' array as it came, checked but not bound.
        arguments: &'a [u8],
        /// How many streams the client announces.
        streams: usize,
        /// The client wants a stream back.
        streaming: bool,
    },
    Ping,
    Close,
    /// Concerns something that this server never started, or is of a type unknown to it.
    Ignored,
}

/// A message that breaks the protocol: the connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("Error reading JSON.")]
    Json(#[from] crate::json::JsonError),
    #[error("Missing required property '{0}'.")]
    Missing(&'static str),
    #[error("Expected '{0}' to be of type {1}.")]
    Type(&'static str, &'static str),
    #[error("The 'error' and 'result' properties are mutually exclusive.")]
    ErrorAndResult,
}

/// A client's first message, after which both speak the protocol that it names.
#[derive(Debug, PartialEq, Eq)]
pub struct Handshake<'a> {
    pub protocol: Cow<'a, str>,
    pub version: i32,
}

/// The highest protocol version that this server speaks.
const HIGHEST_VERSION: i32 = 2;

impl<'a> Handshake<'a> {
    /// Reads the message, without its separator, and checks that the server can go along.
    /// An error is the text for the client (spec: signalr.md C).
    pub fn read(message: &'a [u8]) -> Result<Self, String> {
        let unexpected = |_| "An unexpected error occurred during connection handshake.".to_owned();
        let handshake = json::read_handshake(message).map_err(unexpected)?;
        if !handshake.protocol.eq_ignore_ascii_case("json") {
            return Err(format!("The protocol '{}' is not supported.", handshake.protocol));
        }
        if handshake.version > HIGHEST_VERSION {
            let Handshake { protocol, version } = &handshake;
            return Err(format!("The server does not support version {version} of the '{protocol}' protocol."));
        }
        Ok(handshake)
    }
}
