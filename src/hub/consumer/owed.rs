//! Acknowledgements to RabbitMQ, many at once.

use crate::broker::{Broker, BrokerError};
use std::time::Duration;
use tokio::time::Instant;

/// How long the first of them may wait for more.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(5);

/// Acknowledgements that are due for what was fanned out: one for many costs the broker and us a
/// fraction.
pub(super) struct Owed {
    pub(super) count: usize,
    /// The tag of the last.
    pub(super) last: Option<u64>,
    pub(super) due: Instant,
}

impl Default for Owed {
    fn default() -> Self {
        Owed {
            count: 0,
            last: None,
            due: Instant::now(),
        }
    }
}

impl Owed {
    pub(super) fn add(&mut self, count: usize, last: Option<u64>) {
        if self.count == 0 {
            self.due = Instant::now() + ACKNOWLEDGED_WITHIN;
        }
        self.count += count;
        self.last = last;
    }

    pub(super) async fn pay(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        self.count = 0;
        match self.last.take() {
            Some(last) => broker.acknowledge_up_to(last).await,
            None => Ok(()),
        }
    }
}
