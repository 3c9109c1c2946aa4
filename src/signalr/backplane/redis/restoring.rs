//! Which parts of the log are to be read again: one reader, and one part that waits, however many are asked for.

use super::log::LogPlace;
use std::sync::{Mutex, PoisonError};

/// The parts of the log that are to be read again.
#[derive(Debug, Default)]
pub(super) struct Restoring(Mutex<RestoreProgress>);

#[derive(Debug, Default)]
enum RestoreProgress {
    #[default]
    Idle,
    /// A task reads; behind which place, and to which, it is to read once more.
    Reading(Option<(LogPlace, LogPlace)>),
}

impl Restoring {
    /// Adds a part; whether a task has to be started for it.
    pub(super) fn add(&self, after: LogPlace, end: LogPlace) -> bool {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, idle) = match &*progress {
            RestoreProgress::Idle => ((after, end), true),
            RestoreProgress::Reading(None) => ((after, end), false),
            RestoreProgress::Reading(Some((first, last))) => {
                ((after.min(*first), end.max(*last)), false)
            }
        };
        *progress = RestoreProgress::Reading(Some(next));
        idle
    }

    /// The part to read next; without one the task ends.
    pub(super) fn next(&self) -> Option<(LogPlace, LogPlace)> {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match &mut *progress {
            RestoreProgress::Idle => None,
            RestoreProgress::Reading(next) => next.take(),
        };
        if next.is_none() {
            *progress = RestoreProgress::Idle;
        }
        next
    }
}
