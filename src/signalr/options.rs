//! What a server can be set to.

use crate::secret::{RandomSource, system_random};
use crate::signalr::gate::GateLimits;
use crate::signalr::outbox::OutboxLimits;
use crate::signalr::protocol::Protocol;
use crate::signalr::registry::GroupLimits;
use crate::signalr::transport_type::TransportType;
use crate::signalr::value::NamingPolicy;
use std::time::Duration;

/// A server's options; the defaults are ASP.NET Core's where it has the option (protocol.md,
/// "Limits and times").
#[derive(Debug, Clone)]
pub struct Options {
    pub keep_alive: Duration,
    pub client_timeout: Duration,
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer a close frame.
    pub close_timeout: Duration,
    /// How long a socket may accept no bytes.
    pub send_timeout: Duration,
    /// How long a negotiated connection may stay unopened, and a resumable one without a socket.
    pub disconnect_timeout: Duration,
    /// Bytes of one message, framing included.
    pub maximum_message: usize,
    pub maximum_connections: usize,
    /// Connections that were negotiated and not opened yet.
    pub maximum_negotiated: usize,
    /// Groups that one client may be in, and the bytes of their names.
    pub groups: GroupLimits,
    pub gate: GateLimits,
    /// Messages that one client may send in a second; the server reads no more before the next.
    pub messages_per_second: u32,
    /// Invocations of one client that run at a time; further ones wait.
    pub parallel_invocations: usize,
    pub outbox: OutboxLimits,
    /// Bytes that all clients together may make the server hold; above it those who hold much go.
    pub held_bytes: usize,
    pub protocols: Vec<Protocol>,
    pub transports: Vec<TransportType>,
    pub naming: NamingPolicy,
    /// Whether clients are told the reasons of errors.
    pub detailed_errors: bool,
    /// Bytes kept for a client that may reconnect to its connection; `None` if none may.
    pub resume: Option<usize>,
    /// What the ids of connections are made from.
    pub random: RandomSource,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            keep_alive: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(15),
            close_timeout: Duration::from_secs(5),
            send_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(15),
            maximum_message: 32_768,
            maximum_connections: 200_000,
            maximum_negotiated: 100_000,
            groups: GroupLimits::default(),
            gate: GateLimits::default(),
            messages_per_second: 10_000,
            parallel_invocations: 1,
            outbox: OutboxLimits::default(),
            held_bytes: 1 << 30,
            protocols: vec![Protocol::Json, Protocol::MessagePack],
            transports: vec![
                TransportType::WebSockets,
                TransportType::ServerSentEvents,
                TransportType::LongPolling,
            ],
            naming: NamingPolicy::Camel,
            detailed_errors: false,
            resume: Some(100_000),
            random: system_random,
        }
    }
}
