//! What the engine counts; plain atomics, so that counting costs nothing on the way.

use std::sync::atomic::AtomicU64;

/// Totals since the start; [`telemetry`](crate::telemetry) gives them their public names.
#[derive(Default)]
pub struct Metrics {
    pub connections_opened: AtomicU64,
    pub connections_closed: AtomicU64,
    pub invocations: AtomicU64,
    /// Broadcasts queued for a connection.
    pub delivered: AtomicU64,
    /// Connections closed because they did not read.
    pub too_slow: AtomicU64,
    /// Connections turned away because there were too many.
    pub turned_away: AtomicU64,
    /// Messages from other servers dropped because this one could not keep up.
    pub dropped: AtomicU64,
}
