//! What waits in all outboxes together: a crowd that does not read must not fill the memory.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Who has no more than this waiting is never to blame.
const FAIR: usize = 64 << 10;
/// What a frame costs beside its bytes.
pub(super) const FRAME: usize = std::mem::size_of::<bytes::Bytes>();

/// Bytes that wait, over all connections. Counted when a queue grows long or is not emptied, not for each frame.
pub struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
}

impl Backlog {
    /// `limit`: bytes that may wait in all outboxes; a frame that several wait for counts for each.
    pub fn new(limit: usize) -> Self {
        Backlog {
            bytes: AtomicUsize::new(0),
            limit,
        }
    }

    pub(super) fn recount(&self, before: &mut usize, now: usize) {
        if now >= *before {
            self.bytes.fetch_add(now - *before, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(*before - now, Ordering::Relaxed);
        }
        *before = now;
    }

    /// Whether a queue with so many bytes has to go.
    pub(super) fn is_too_much(&self, waiting: usize) -> bool {
        waiting > FAIR && self.bytes.load(Ordering::Relaxed) > self.limit
    }
}
