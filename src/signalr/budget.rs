//! What clients make the server hold, counted together: a crowd must not fill the memory, whichever
//! way it takes. Each way has a limit of its own as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who holds no more than this, or than an equal share, is never to blame.
const FAIR: usize = 64 << 10;

/// Bytes that are held, over all holders. They count when they are many or stay, not for each
/// message.
pub struct MemoryBudget {
    bytes: AtomicUsize,
    holders: AtomicUsize,
    limit: usize,
}

impl MemoryBudget {
    /// Of so many bytes; what several clients wait for counts for each.
    pub fn new(limit: usize) -> Self {
        MemoryBudget {
            bytes: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            limit,
        }
    }

    /// Counts anew what one holder holds.
    pub(super) fn recount(&self, before: &mut usize, now: usize) {
        match (*before, now) {
            (0, 1..) => self.holders.fetch_add(1, Ordering::Relaxed),
            (1.., 0) => self.holders.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        if now >= *before {
            self.bytes.fetch_add(now - *before, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(*before - now, Ordering::Relaxed);
        }
        *before = now;
    }

    /// Whether a holder of so many bytes has to go.
    pub(super) fn is_too_much(&self, own: usize) -> bool {
        let share = || self.limit / self.holders.load(Ordering::Relaxed).max(1);
        self.bytes.load(Ordering::Relaxed) > self.limit && own > FAIR.min(share())
    }

    /// What is held now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What one holder holds, counted for as long as this lives.
pub(super) struct Account {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Account {
    pub(super) fn new(budget: Arc<MemoryBudget>) -> Self {
        Account { budget, bytes: 0 }
    }

    /// Counts anew; false if that is too much.
    pub(super) fn set(&mut self, now: usize) -> bool {
        let grew = now > self.bytes;
        if now != self.bytes {
            self.budget.recount(&mut self.bytes, now);
        }
        !(grew && self.budget.is_too_much(now))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.recount(&mut self.bytes, 0);
    }
}
