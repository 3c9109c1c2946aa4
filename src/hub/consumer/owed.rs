//! Acknowledgements to RabbitMQ, many at once.

use crate::broker::message::Message;
use crate::broker::{Broker, BrokerError};
use crate::hub::intake;
use crate::hub::notification::Rejection;
use std::time::Duration;
use tokio::time::Instant;

/// How long the first of them may wait for more.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(5);

/// A message that could not be delivered, and why.
pub(super) type BadMessage = (Message, Rejection);

/// Messages that are acknowledged together.
#[derive(Default)]
pub(super) struct Handled {
    pub(super) count: usize,
    /// The tag of the last.
    pub(super) last: Option<u64>,
    /// Those of them to be set aside.
    pub(super) rejected: Vec<BadMessage>,
}

impl Handled {
    /// Whether there is something to set aside, and nothing long: what comes next can wait for it.
    pub(super) fn is_quickly_set_aside(&self) -> bool {
        let is_long = |(message, _): &BadMessage| intake::takes_long(&message.body);
        !self.rejected.is_empty() && !self.rejected.iter().any(is_long)
    }

    /// Adds the next message by its tag, and the message itself where it is to be set aside.
    pub(super) fn add(&mut self, tag: u64, rejected: Option<BadMessage>) {
        self.count += 1;
        self.last = Some(tag);
        self.rejected.extend(rejected);
    }

    pub(super) fn append(&mut self, later: Handled) {
        self.count += later.count;
        self.last = later.last.or(self.last);
        self.rejected.extend(later.rejected);
    }
}

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
    pub(super) fn add(&mut self, handled: impl Into<Option<Handled>>) {
        let Some(handled) = handled.into() else {
            return;
        };
        if self.count == 0 {
            self.due = Instant::now() + ACKNOWLEDGED_WITHIN;
        }
        self.count += handled.count;
        self.last = handled.last.or(self.last);
    }

    pub(super) async fn pay(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        self.count = 0;
        match self.last.take() {
            Some(last) => broker.acknowledge_up_to(last).await,
            None => Ok(()),
        }
    }
}
