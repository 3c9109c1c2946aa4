//! How a client breaks the protocol.

use crate::message_pack::MessagePackError;

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
