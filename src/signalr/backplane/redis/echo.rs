//! How far each hub behind the same Redis has read, so that no hub publishes faster than another
//! reads.
//!
//! A hub that publishes much sends a *question* from time to time, on a channel among its messages.
//! A hub that receives the question has received everything before it; it delivers that and answers
//! with its name. The publisher waits for hubs that lag. It stays close to a hub that answers. It
//! may run further ahead of a silent hub, but not so far that the log loses messages before the hub
//! returns; a hub that stays away is given up. ASP.NET Core's hubs do not answer; they are not
//! waited for.

use super::log::LOG_BYTES;
use crate::message_pack::{self, MessagePackError, MessagePackReader};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many bytes all hubs together may be ahead of a hub that answers: enough for a round trip,
/// and not more than may be lost if Redis dies.
const AHEAD: u64 = 4 << 20;
/// How many bytes they may be ahead of a silent hub: half of the log.
const AHEAD_OF_SILENT: u64 = LOG_BYTES as u64 / 2;
/// A hub asks after each sixteenth of the allowed lead.
const QUESTIONS: u64 = 16;
/// A hub that has not answered for this long is silent; later it is given up.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(2);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(20);
const GONE: usize = 16;
/// In place of a question's number: the named hub leaves.
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
    /// The hubs that left last; their answers may still arrive.
    gone: VecDeque<String>,
}

/// A hub that answered once.
struct Hearer {
    heard: u64,
    /// Since when its answer is missing.
    owes_since: Option<Instant>,
}

impl Echoes {
    fn lock(&self) -> MutexGuard<'_, EchoState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what was just published. Returns the total, and up to where all hubs have read.
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

    /// Whether it is time for a question, with this many hubs.
    pub(super) fn is_due(&self, hubs: u64) -> bool {
        let state = self.lock();
        state.published - state.asked >= AHEAD / hubs / QUESTIONS
    }

    /// The number of the next question; from now on all hubs owe an answer.
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

    /// A hub has read a question and everything before it.
    pub(super) fn answer(&self, hub: &str, number: u64) {
        let mut state = self.lock();
        if state.gone.iter().any(|gone| gone == hub) {
            return;
        }
        // Ignore answers about messages that were not published.
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

    /// A hub that is too far behind, if there is one.
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

/// The number and sender of a question or an answer; an error if the message is neither.
pub(super) fn read(bytes: &[u8]) -> Result<(u64, &str), MessagePackError> {
    let mut reader = MessagePackReader::new(bytes);
    reader.array()?;
    let number = reader
        .unsigned()?
        .map_err(|_| MessagePackError("a number of 0 or more"))?;
    Ok((number, reader.text()?))
}
