//! Counts messages by their digests, to tell received messages from missed ones.

use super::{Counts, Log, LogMessage, LogState};
use std::hash::BuildHasher;

impl Log {
    /// The digests of the messages received after the first `count`.
    pub(in crate::signalr::backplane::redis) fn heard_since(
        state: &LogState,
        count: usize,
    ) -> Counts {
        let known = state
            .heard_count
            .saturating_sub(count)
            .min(state.heard.len());
        let mut counts = Counts::new();
        state
            .heard
            .iter()
            .skip(state.heard.len() - known)
            .for_each(|(_, digest)| *counts.entry(*digest).or_default() += 1);
        counts
    }

    /// Counts a message.
    pub(in crate::signalr::backplane::redis) fn count(
        &self,
        counts: &mut Counts,
        (channel, payload): &LogMessage,
    ) {
        *counts
            .entry(self.hasher.hash_one((channel.as_str(), payload.as_slice())))
            .or_default() += 1;
    }

    /// Whether a message was counted; removes one of its counts.
    pub(in crate::signalr::backplane::redis) fn take(
        &self,
        counts: &mut Counts,
        (channel, payload): &LogMessage,
    ) -> bool {
        match counts.get_mut(&self.hasher.hash_one((channel.as_str(), payload.as_slice()))) {
            Some(times) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }
}
