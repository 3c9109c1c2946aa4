//! Counting messages by their digests, to tell those that were heard from those that were missed.

use super::{Counts, Log, LogMessage, LogState};
use std::hash::BuildHasher;

impl Log {
    /// What was heard since a count, by its digests.
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

    /// Whether a message is one of those counted, which it then is once less.
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
