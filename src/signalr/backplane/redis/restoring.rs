//! The ranges of the log to read again: one reader, and one waiting range that grows with each
//! request.

use super::log::LogPlace;
use std::sync::{Mutex, PoisonError};

/// The ranges of the log to read again.
#[derive(Debug, Default)]
pub(super) struct Restoring(Mutex<RestoreProgress>);

#[derive(Debug, Default)]
enum RestoreProgress {
    #[default]
    Idle,
    /// A task is reading; the range that it reads next.
    Reading(Option<(LogPlace, LogPlace)>),
}

impl Restoring {
    /// Adds a range. Returns whether the caller must start a task.
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

    /// The next range; without one the task ends.
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
