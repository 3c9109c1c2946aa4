//! What the engine counts; plain atomics, so that counting costs nothing on the way.

use std::sync::atomic::AtomicU64;

/// Totals since the start; [`telemetry`](crate::telemetry) gives them their public names.
#[derive(Default)]
pub struct Metrics {
    pub connections_opened: AtomicU64,
    pub connections_closed: AtomicU64,
    pub invocations: AtomicU64,
    /// Hub methods that failed.
    pub invocations_failed: AtomicU64,
    /// Broadcasts queued for a connection.
    pub delivered: AtomicU64,
    /// Connections closed because they did not read.
    pub too_slow: AtomicU64,
    /// Connections closed because all clients together made the server hold too much.
    pub held_too_much: AtomicU64,
    /// Connections turned away because there were too many.
    pub turned_away: AtomicU64,
    /// Connections that have not said what they want: now, and refused because there were too many
    /// of them.
    pub half_open: AtomicU64,
    pub refused_half_open: AtomicU64,
    /// Connections refused because their address had too many.
    pub refused_address: AtomicU64,
    /// Negotiations refused because too many connections waited to be opened.
    pub refused_negotiations: AtomicU64,
    /// Joins refused because the connection was in too many groups, or in groups with too long
    /// names.
    pub refused_joins: AtomicU64,
    /// Long polls that wait for something to say.
    pub polls: AtomicU64,
    /// Connections that ended in something that is no HTTP, was too large or came too slowly.
    pub bad_requests: AtomicU64,
    /// Times that a client sent more messages than it may in a second, and had to wait.
    pub throttled: AtomicU64,
    /// Connections ended because they broke the protocol, or sent too large a message.
    pub breaches: AtomicU64,
    /// Messages from other servers dropped because this one could not keep up.
    pub dropped: AtomicU64,
}
