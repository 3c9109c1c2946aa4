//! What the hub knows of itself: health for orchestrators, counts for metrics.

use crate::hub::notification::Rejection;
use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared by the consumer, the health checks and the metrics.
#[derive(Default)]
pub struct Status {
    broker: AtomicBool,
    pub consumed: AtomicU64,
    /// Of a type unknown or of no interest.
    pub ignored: AtomicU64,
    pub rejected: AtomicU64,
    /// Redelivered although they had been fanned out.
    pub duplicates: AtomicU64,
    seen: Mutex<HashSet<Discriminant<Rejection>>>,
}

impl Status {
    /// The source of notifications is there, or is lost.
    pub fn set_broker(&self, connected: bool) {
        self.broker.store(connected, Ordering::Release);
    }

    pub fn broker(&self) -> bool {
        self.broker.load(Ordering::Acquire)
    }

    /// Counts a rejected message, and logs the first of its kind.
    pub fn reject(&self, rejection: &Rejection, reason: &str) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        if self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(discriminant(rejection))
        {
            tracing::warn!(
                reason,
                "a message was set aside; more of its kind are only counted"
            );
        }
    }
}
