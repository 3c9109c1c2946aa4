//! Whether a client may reconnect, for requests that ask before its new socket is there.

use std::sync::atomic::{AtomicBool, Ordering};

/// Open until the handshake renounces it or the connection is over.
#[derive(Default)]
pub struct WayBack {
    closed: AtomicBool,
}

impl WayBack {
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}
