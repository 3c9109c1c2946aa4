//! How a client ends a stream of its own, or answers what it was asked.

use super::encoded::Encoded;
use super::error::ProtocolError;
use std::borrow::Cow;

/// What a Completion says. Whether that breaks the protocol can depend on what is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCompletion<'a> {
    Void,
    Result(Encoded<'a>),
    Error(Cow<'a, str>),
    /// A result that can't be read.
    Unreadable(ProtocolError),
    /// Too much: a breach, unless the result is not of the type that is waited for.
    Both {
        result: Encoded<'a>,
        error: Cow<'a, str>,
        /// .NET has bound the result already when it comes to the error.
        error_is_last: bool,
    },
}

impl ClientCompletion<'_> {
    /// The error that was sent.
    pub fn error(&self) -> Option<&str> {
        match self {
            ClientCompletion::Error(error) | ClientCompletion::Both { error, .. } => Some(error),
            ClientCompletion::Void
            | ClientCompletion::Result(_)
            | ClientCompletion::Unreadable(_) => None,
        }
    }

    /// Whether it breaks the protocol if no particular type is waited for.
    pub fn check(&self) -> Result<(), ProtocolError> {
        match self {
            ClientCompletion::Void | ClientCompletion::Result(_) | ClientCompletion::Error(_) => {
                Ok(())
            }
            ClientCompletion::Unreadable(error) => Err(error.clone()),
            ClientCompletion::Both { .. } => Err(ProtocolError::ErrorAndResult),
        }
    }
}
