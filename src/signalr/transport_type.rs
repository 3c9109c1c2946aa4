//! The three transports of SignalR.

/// What carries a connection's messages (protocol.md, "Transports").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportType {
    WebSockets,
    ServerSentEvents,
    LongPolling,
}

impl TransportType {
    /// The name in negotiations and refusals.
    pub fn name(self) -> &'static str {
        match self {
            TransportType::WebSockets => "WebSockets",
            TransportType::ServerSentEvents => "ServerSentEvents",
            TransportType::LongPolling => "LongPolling",
        }
    }
}
