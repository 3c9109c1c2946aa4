//! How a hub method fails.

/// A method failed. The log says why; the client is only told that it failed, unless the error is a
/// `HubException` or the server sends detailed errors (protocol.md, "Error texts").
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct HubError {
    /// The name of .NET's exception.
    kind: &'static str,
    message: String,
}

const SHOWN: &str = "HubException";

impl HubError {
    pub fn new(message: impl Into<String>) -> Self {
        HubError::of("Exception", message)
    }

    /// An error that the client is told about.
    pub fn shown(message: impl Into<String>) -> Self {
        HubError::of(SHOWN, message)
    }

    /// An error under the name of a .NET exception.
    pub fn of(kind: &'static str, message: impl Into<String>) -> Self {
        HubError {
            kind,
            message: message.into(),
        }
    }

    /// The message without the exception's name.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The end of the error's text for the client.
    pub(crate) fn suffix(&self, detailed: bool) -> String {
        if detailed || self.kind == SHOWN {
            format!(" {self}")
        } else {
            String::new()
        }
    }
}
