//! Why a connection ends, and what its client is told.

use crate::signalr::protocol::{ProtocolError, ServerMessage};

/// Why a connection ends (protocol.md, "Ends").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The handshake was refused, and the client told why.
    Refused,
    /// The client closed it, or the hub aborted it.
    Asked,
    /// The client ended its transport.
    Left,
    /// The client broke the protocol.
    Breach(ProtocolError),
    /// The client fell silent, or its token expired.
    Lapsed(&'static str),
    /// The client did not read what was sent to it.
    Slow,
    /// All clients together make the server hold too much, and this one no little of it.
    TooMuch,
    /// The backplane or the hub refused the client.
    Unreachable,
    /// The server stops.
    Stopping,
    /// The peer is gone; nobody is left to tell.
    Gone,
}

const ERROR: &str = "Connection closed with an error.";

impl Ending {
    /// Gives `send` the Close message for the client, if it gets one.
    pub(super) fn tell(&self, detailed: bool, send: impl FnOnce(&ServerMessage<'_>)) {
        let reason = match self {
            Ending::Breach(error) => Some(format!("{}: {error}", error.exception())),
            Ending::Lapsed(reason) => Some(format!("OperationCanceledException: {reason}")),
            _ => None,
        };
        let (error, allow_reconnect) = match self {
            Ending::Refused | Ending::Gone => return,
            Ending::Asked => (None, false),
            Ending::Left | Ending::Stopping => (None, true),
            Ending::Unreachable => (Some(ERROR.to_owned()), false),
            Ending::Slow => (
                Some(format!("{ERROR} It does not read what is sent to it.")),
                true,
            ),
            Ending::TooMuch => (
                Some(format!(
                    "{ERROR} The server holds too much for its clients."
                )),
                true,
            ),
            Ending::Breach(_) | Ending::Lapsed(_) => {
                let reason = reason.filter(|_| detailed);
                let with_reason = |reason| format!("{ERROR} {reason}");
                (Some(reason.map_or(ERROR.to_owned(), with_reason)), true)
            }
        };
        send(&ServerMessage::Close {
            error: error.as_deref(),
            allow_reconnect,
        });
    }
}
