//! How long the hub waits before it connects to its broker again.

use crate::broker::BrokerError;
use std::time::Duration;

pub(super) const FIRST_RETRY: Duration = Duration::from_millis(100);

/// How long to wait before the next attempt to connect, and which error was logged last.
pub(super) struct Backoff {
    pub(super) pause: Duration,
    /// Each kind of error is logged once, not at each attempt.
    pub(super) logged: Option<std::mem::Discriminant<BrokerError>>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            pause: FIRST_RETRY,
            logged: None,
        }
    }
}

/// A pause of half to one and a half times the given one, so that many hubs do not come at once.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause / 2 + pause * (crate::secret::arbitrary() % 256) as u32 / 256
}
