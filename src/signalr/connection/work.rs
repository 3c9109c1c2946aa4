//! What a client has under way: methods that run, streams, and messages that wait for them.
//!
//! This is the one place that says what waits for what (drawn in protocol.md, "What waits for
//! what"). A message that has to wait is kept as it came; messages behind it are still looked at,
//! and those that concern something under way are acted on at once.

use super::running::RunningInvocation;
use crate::signalr::protocol::ClientMessage;
use crate::signalr::streams::Streams;

/// Methods of one client that may run at a time, those included that need no slot.
const MAXIMUM_RUNNING: usize = 1024;

/// Made when a client calls its first method, and dropped when nothing is under way.
#[derive(Default)]
pub(super) struct ClientWork {
    pub(super) running: Vec<RunningInvocation>,
    /// An invocation that waits for a slot.
    pub(super) held: Option<RunningInvocation>,
    /// Messages with their framing that wait behind it, or for an upload with room.
    pub(super) waiting: Vec<u8>,
    pub(super) streams: Streams,
}

impl ClientWork {
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && !self.is_blocked() && self.streams.is_empty()
    }

    /// What of the client's input waits for methods.
    pub(super) fn input_bytes(&self) -> usize {
        self.waiting.capacity() + self.streams.queued_bytes()
    }

    /// Whether a message waits, and new invocations behind it.
    pub(super) fn is_blocked(&self) -> bool {
        self.held.is_some() || !self.waiting.is_empty()
    }

    /// Whether a method may start now. Calls with streams, and those that wait for a client's
    /// result, hold no slot.
    pub(super) fn has_room_for(&self, invocation: &RunningInvocation, slots: usize) -> bool {
        if self.running.len() >= MAXIMUM_RUNNING {
            return false;
        }
        let holders = self.running.iter().filter(|running| running.holds_slot());
        invocation.slot.is_none() || holders.count() < slots
    }

    /// Whether a message may be acted on although others wait: it concerns what is under way, or
    /// the connection itself. `is_owed` tells whether a client's result is waited for.
    pub(super) fn may_overtake(
        &self,
        message: &ClientMessage<'_>,
        is_owed: impl Fn(&str) -> bool,
    ) -> bool {
        match message {
            ClientMessage::Invocation { .. } => false,
            ClientMessage::StreamItem { id, .. } => self.streams.takes(id),
            ClientMessage::Completion { id, .. } => self.streams.takes(id) || is_owed(id),
            ClientMessage::Cancel { id } => self.streams.is_running(id),
            ClientMessage::Ping
            | ClientMessage::Close
            | ClientMessage::Ack(_)
            | ClientMessage::Sequence(_)
            | ClientMessage::Ignored => true,
        }
    }

    /// Keeps a message until what it waits for has happened.
    pub(super) fn keep(&mut self, message: &ClientMessage<'_>, framed: &[u8]) {
        if let ClientMessage::StreamItem { id, .. } | ClientMessage::Completion { id, .. } = message
        {
            self.streams.hold_back(id);
        }
        self.waiting.extend_from_slice(framed);
    }
}
