//! What ends a connection whatever its client says, and what counts as its client's fault.

use super::{Connection, Ending};
use crate::signalr::hub::Hub;
use crate::signalr::protocol::ProtocolError;
use std::sync::atomic::Ordering;

impl<H: Hub> Connection<H> {
    /// Why the connection ends whatever its client says.
    pub(super) fn told_to_end(&self) -> Option<Ending> {
        if self.server.is_stopping() {
            return Some(Ending::Stopping);
        }
        if self.ends {
            return Some(Ending::Left);
        }
        if self.client.is_aborted() {
            return Some(Ending::Asked);
        }
        if self.client.outbox.overflowed() {
            self.server.metrics.too_slow.fetch_add(1, Ordering::Relaxed);
            self.client.outbox.clear();
            return Some(Ending::Slow);
        }
        None
    }

    /// The client broke the protocol.
    pub(super) fn breach(&self, error: ProtocolError) -> Ending {
        self.server.metrics.breaches.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(connection = &*self.client.id, %error, "a message breaks the protocol");
        Ending::Breach(error)
    }
}
