//! How far each hub that shares the Redis has heard, so that none publishes faster than another reads.
//!
//! A hub that publishes much *asks* now and then, on a channel among its messages: who hears the question has heard all
//! that was published before it, delivers that, and then answers with its name. Who lags is waited for: a hub that
//! answers may be little behind, one that fell silent much more, so that the log still has all of it when it comes
//! back, and one that stays away is given up. Of ASP.NET Core's hubs, which do not answer, nothing is known, as ever.

use super::log::LOG_BYTES;
use crate::message_pack::{self, MessagePackError, MessagePackReader};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Bytes that all hubs together may be ahead of one that answers: enough for the way there and back, little enough
/// for what a Redis that dies may take with it.
const AHEAD: u64 = 4 << 20;
/// Bytes that they may be ahead of one that is silent: half of what the log holds.
const AHEAD_OF_SILENT: u64 = LOG_BYTES as u64 / 2;
/// A question is asked after a sixteenth of what a hub may be ahead.
const QUESTIONS: u64 = 16;
/// Who has owed an answer for so long is silent, and then given up.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(2);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20);
const GONE: usize = 16;
/// In place of a question's number: the hub that is named leaves.
pub(super) const GOODBYE: u64 = u64::MAX;

#[derive(Default)]
pub(super) struct Echoes {
    state: Mutex<EchoState>,
    pub(super) answered: Notify,
    /// This hub has said goodbye.
    pub(super) left: AtomicBool,
}

#[derive(Default)]
struct EchoState {
    /// Bytes that this hub has published, which also number its questions.
    published: u64,
    asked: u64,
    hubs: HashMap<String, Hearer>,
    /// Those that left last, of whom an answer may still be on its way.
    gone: VecDeque<String>,
}

/// A hub that answered once.
struct Hearer {
    heard: u64,
    /// Since when it owes an answer.
    owes_since: Option<Instant>,
}

impl Echoes {
    fn lock(&self) -> MutexGuard<'_, EchoState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what was just published; the count until now, and up to where all have heard.
    pub(super) fn published(&self, bytes: u64) -> (u64, u64) {
        let mut state = self.lock();
        state.published += bytes;
        (
            state.published,
            state
                .hubs
                .values()
                .map(|hub| hub.heard)
                .min()
                .unwrap_or(state.published),
        )
    }

    /// Whether it is time for a question, among so many hubs.
    pub(super) fn is_due(&self, hubs: u64) -> bool {
        let state = self.lock();
        state.published - state.asked >= AHEAD / hubs / QUESTIONS
    }

    /// The next question's number. All owe an answer from now on.
    pub(super) fn question(&self) -> u64 {
        let mut state = self.lock();
        state.asked = state.published;
        let now = Instant::now();
        state
            .hubs
            .values_mut()
            .for_each(|hub| _ = hub.owes_since.get_or_insert(now));
        state.asked
    }

    /// A hub has heard a question, and all before it.
    pub(super) fn answer(&self, hub: &str, number: u64) {
        let mut state = self.lock();
        if state.gone.iter().any(|gone| gone == hub) {
            return;
        }
        // Nobody has heard what was not published.
        let number = number.min(state.published);
        let owes_since = (number < state.asked).then(Instant::now);
        match state.hubs.get_mut(hub) {
            Some(known) => {
                *known = Hearer {
                    heard: number.max(known.heard),
                    owes_since,
                }
            }
            None => {
                _ = state.hubs.insert(
                    hub.to_owned(),
                    Hearer {
                        heard: number,
                        owes_since,
                    },
                )
            }
        }
        drop(state);
        self.answered.notify_waiters();
    }

    pub(super) fn forget(&self, hub: &str) {
        let mut state = self.lock();
        state.hubs.remove(hub);
        state.gone.push_back(hub.to_owned());
        if state.gone.len() > GONE {
            state.gone.pop_front();
        }
        drop(state);
        self.answered.notify_waiters();
    }

    /// A hub that others may not be further ahead of.
    pub(super) fn laggard(&self, hubs: u64, now: Instant) -> Option<String> {
        let mut state = self.lock();
        let owes = |hub: &Hearer| hub.owes_since.map_or(Duration::ZERO, |since| now - since);
        state.hubs.retain(|_, hub| owes(hub) < GIVEN_UP_AFTER);
        let lags = |hub: &Hearer| {
            let ahead = if owes(hub) < SILENT_AFTER {
                AHEAD
            } else {
                AHEAD_OF_SILENT
            };
            state.published - hub.heard >= ahead / hubs
        };
        state
            .hubs
            .iter()
            .find(|(_, hub)| lags(hub))
            .map(|(name, _)| name.clone())
    }
}

/// A question, or the answer to one.
pub(super) fn write(number: u64, server: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(server.len() + 12);
    message_pack::write_array(&mut out, 2);
    message_pack::write_unsigned(&mut out, number);
    message_pack::write_text(&mut out, server);
    out
}

/// A question's number and who asked it, or an answer's and who gave it; an error where something else was said.
pub(super) fn read(bytes: &[u8]) -> Result<(u64, &str), MessagePackError> {
    let mut reader = MessagePackReader::new(bytes);
    reader.array()?;
    let number = reader
        .unsigned()?
        .map_err(|_| MessagePackError("a number of 0 or more"))?;
    Ok((number, reader.text()?))
}
