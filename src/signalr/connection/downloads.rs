//! Streams that methods send to the client.

use super::Connection;
use crate::signalr::hub::Hub;
use crate::signalr::protocol::{Completed, ServerMessage};
use std::task::Context;

/// Bytes that may wait for a client before its streams pause.
const STREAM_ROOM: usize = 64 << 10;

impl<H: Hub> Connection<H> {
    /// Whether streams are sent, which pause while much waits in the outbox.
    pub fn is_sending_streams(&self) -> bool {
        let work = self.work.as_ref();
        work.is_some_and(|work| work.streams.is_sending())
    }

    pub(super) fn poll_streams(&mut self, context: &mut Context<'_>) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        let outbox = &self.client.outbox;
        work.streams.poll(
            context,
            self.server.options.detailed_errors,
            || outbox.waiting_bytes() < STREAM_ROOM,
            |message| self.send(message),
        );
        self.work = Some(work);
    }

    /// The client wants no more of a stream.
    pub(super) fn cancel(&mut self, id: &str) {
        let work = self.work.as_mut();
        if work.is_some_and(|work| work.streams.cancel(id)) {
            self.send(&ServerMessage::Completion {
                id,
                outcome: Completed::Void,
            });
        }
    }
}
