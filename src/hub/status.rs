//! What the hub knows of itself: health for orchestrators, counts for metrics.

use crate::broker::BrokerError;
use crate::hub::notification::Rejection;
use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What becomes of a message that can't be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RejectionOutcome {
    SetAside,
    Discarded,
}

/// Shared by the consumer, the health checks and the metrics.
#[derive(Default)]
pub struct HubStatus {
    broker: AtomicBool,
    pub consumed: AtomicU64,
    /// Of a type unknown or of no interest.
    pub ignored: AtomicU64,
    pub rejected: AtomicU64,
    /// Not delivered, and not set aside either, since RabbitMQ refused that.
    pub discarded: AtomicU64,
    /// Redelivered although they had been fanned out.
    pub duplicates: AtomicU64,
    seen: Mutex<HashSet<(Discriminant<Rejection>, RejectionOutcome)>>,
}

impl HubStatus {
    /// The source of notifications is there, or is lost.
    pub fn set_broker(&self, connected: bool) {
        self.broker.store(connected, Ordering::Release);
    }

    pub fn broker(&self) -> bool {
        self.broker.load(Ordering::Acquire)
    }

    /// Counts a message that was set aside, and logs the first of its kind.
    pub fn reject(&self, rejection: &Rejection, reason: &str) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        if self.is_new(rejection, RejectionOutcome::SetAside) {
            tracing::warn!(
                reason,
                "a message was set aside; more of its kind are only counted"
            );
        }
    }

    /// Counts a message that could not even be set aside, and logs the first of its kind.
    pub fn discard(&self, rejection: &Rejection, refused: &BrokerError) {
        self.discarded.fetch_add(1, Ordering::Relaxed);
        if self.is_new(rejection, RejectionOutcome::Discarded) {
            let reason = rejection.to_string();
            tracing::error!(
                reason,
                %refused,
                "a message was dropped, because it could not be set aside; more of its kind are only counted"
            );
        }
    }

    fn is_new(&self, rejection: &Rejection, fate: RejectionOutcome) -> bool {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((discriminant(rejection), fate))
    }
}
