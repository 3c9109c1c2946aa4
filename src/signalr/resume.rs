//! The receiving side of a connection that may be resumed: what came is counted, acknowledged, and
//! not taken twice (protocol.md, "Stateful reconnect"). The sending side is the outbox's replay.

use crate::signalr::protocol::{ClientMessage, ProtocolError};
use std::time::Duration;
use tokio::time::Instant;

/// How often new messages are acknowledged.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_secs(1);

pub struct Resume {
    /// The number of the next counted message.
    next: i64,
    /// The highest that was taken, and the highest that was acknowledged; below all numbers before
    /// there is one.
    received: i64,
    acknowledged: i64,
    acknowledge_at: Instant,
}

impl Resume {
    pub fn new(now: Instant) -> Self {
        Resume {
            next: 1,
            received: i64::MIN,
            acknowledged: i64::MIN,
            acknowledge_at: now + ACKNOWLEDGE_EVERY,
        }
    }

    /// Whether a message is new; one that came before the client changed sockets is not.
    pub fn is_new(&self, message: &ClientMessage<'_>) -> bool {
        !message.is_counted() || self.next > self.received
    }

    /// Counts a message.
    pub fn count(&mut self, message: &ClientMessage<'_>) {
        if message.is_counted() {
            self.received = self.received.max(self.next);
            self.next += 1;
        }
    }

    /// The client tells the number of its next message.
    pub fn sequence(&mut self, number: i64) -> Result<(), ProtocolError> {
        if number > self.next {
            return Err(ProtocolError::Sequence);
        }
        self.next = number;
        Ok(())
    }

    /// What is to be acknowledged now.
    pub fn acknowledge(&mut self, now: Instant) -> Option<i64> {
        if now < self.acknowledge_at {
            return None;
        }
        self.acknowledge_at = now + ACKNOWLEDGE_EVERY;
        (self.received > self.acknowledged).then(|| {
            self.acknowledged = self.received;
            self.received
        })
    }

    /// When to ask again; `None` while nothing new came.
    pub fn wakes_at(&self) -> Option<Instant> {
        (self.received > self.acknowledged).then_some(self.acknowledge_at)
    }
}
