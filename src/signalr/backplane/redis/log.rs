//! A log in Redis of what was published lately, from which a hub that could not hear reads what it missed.
//!
//! Redis forgets a message as soon as it was published. Hubs of our kind therefore append each to a stream, in one
//! transaction with publishing it; ASP.NET Core's know nothing of that, and what they publish is lost to who does not
//! listen, as ever. Every few seconds a hub has Redis publish a *mark* to it alone: the log's end at that moment. Redis
//! does one thing after another, so what is heard before a mark is in the log before that end, and what is heard after
//! it is behind. One whose listening connection was cut thus knows where to read on; what it had heard since the last
//! mark it tells by digests, and what comes anew meanwhile is held back, so that order is kept.
//!
//! A Redis that was started anew has lost its log, and says so by another epoch: each hub then appends again what it
//! published last, and tells the others where that stands.

mod append;
mod counts;
mod pages;
mod place;
mod refusal;

pub(super) use place::LogPlace;
pub(super) use refusal::{is_forbidden, is_full};

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a message stays in the log, and how much of them.
const KEPT_SECONDS: usize = 60;
pub(super) const LOG_BYTES: usize = 64 << 20;
const LOG_ENTRIES: usize = 400_000;
/// What a stream needs for an entry beside its message.
pub(super) const ENTRY_BYTES: usize = 64;
/// How long a hub keeps what it published itself although all have heard it, and knows what it heard.
const OWN_KEPT: Duration = Duration::from_secs(10);
const OWN_KEPT_BYTES: usize = 16 << 20;
const HEARD_KEPT: Duration = Duration::from_secs(30);
const DIGESTS: usize = 400_000;
/// Messages held back while catching up; more are let pass, out of order.
const HELD: usize = 20_000;
const HELD_BYTES: usize = 64 << 20;
/// Entries that one command reads or appends, at most.
pub(super) const CHUNK: usize = 256;

/// The log's end at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: String,
    pub(super) end: LogPlace,
}

/// Channel and payload.
pub(super) type LogMessage = (String, Vec<u8>);

/// Counts how often each message was there.
pub(super) type Counts = HashMap<u64, usize>;

pub(super) struct Log {
    key: String,
    epoch_key: String,
    state: Mutex<LogState>,
    hasher: RandomState,
    pub(super) marked: Notify,
    /// This Redis, or this user of it, has no streams: messages are published and no more.
    pub(super) unavailable: AtomicBool,
    /// Redis had no room for the last mark.
    pub(super) full: AtomicBool,
}

#[derive(Default)]
pub(super) struct LogState {
    /// What this hub published lately.
    pub(super) own: VecDeque<OwnMessage>,
    own_bytes: usize,
    /// The newest place that it was told for a message of its own, and the epoch that it published in.
    pub(super) own_last: LogPlace,
    pub(super) own_epoch: String,
    heard: VecDeque<(Instant, u64)>,
    /// Heard in all, also those no longer known.
    pub(super) heard_count: usize,
    pub(super) mark: Option<(Mark, usize)>,
    pub(super) catching_up: Option<CatchingUp>,
    /// The mean size of messages, by which the log's length is measured.
    mean: usize,
}

/// A message that this hub published.
pub(super) struct OwnMessage {
    at: Instant,
    /// How much it had published then, this one included.
    until: u64,
    pub(super) message: LogMessage,
}

/// From being cut off until everything missed is delivered.
#[derive(Default)]
pub(super) struct CatchingUp {
    pub(super) held: VecDeque<LogMessage>,
    pub(super) held_bytes: usize,
    /// The number of the mark that was asked for when everything was subscribed again; others say nothing of that,
    /// such as one that still comes from the connection before.
    awaited: Option<u64>,
    /// That mark, and how many were held back before it.
    pub(super) end: Option<(Mark, usize)>,
}

impl Log {
    /// `name` is what all of the hub's channels begin with; in braces all keys have one slot.
    pub(super) fn new(name: &str) -> Self {
        Log {
            key: format!("{{{name}}}:log"),
            epoch_key: format!("{{{name}}}:epoch"),
            state: Mutex::default(),
            hasher: RandomState::new(),
            marked: Notify::new(),
            unavailable: AtomicBool::new(false),
            full: AtomicBool::new(false),
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Beside the log, so that in a cluster one node keeps both.
    pub(super) fn token_key(&self, token: &str) -> String {
        format!("{}:token:{token}", self.key)
    }

    pub(super) fn is_available(&self) -> bool {
        !self.unavailable.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was just published, against a Redis that loses its log: all that not everybody has heard, and some
    /// of the rest. `until` counts what was published in all, `heard` what of that all have heard.
    pub(super) fn published(&self, messages: Vec<LogMessage>, until: u64, heard: u64) {
        let mut state = self.lock();
        let at = Instant::now();
        for message in messages {
            state.own_bytes += message.1.len();
            state.own.push_back(OwnMessage { at, until, message });
        }
        while let Some(oldest) = state.own.front()
            && oldest.until <= heard
            && (state.own_bytes > OWN_KEPT_BYTES || at - oldest.at > OWN_KEPT)
        {
            state.own_bytes -= oldest.message.1.len();
            state.own.pop_front();
        }
    }

    /// From now on a mark is awaited that tells where what was missed ends; its number. `None` where nothing was missed.
    pub(super) fn await_mark(&self) -> Option<u64> {
        let mut state = self.lock();
        let catching_up = state.catching_up.as_mut()?;
        catching_up.end = None;
        // Never 0, which no one awaits.
        let number = crate::secret::arbitrary() % (1 << 32) + 1;
        catching_up.awaited = Some(number);
        Some(number)
    }

    /// The listening connection is gone: what comes next is held back.
    pub(super) fn deaf(&self) {
        if self.is_available() {
            // What was held back already stays so.
            let mut state = self.lock();
            let catching_up = state.catching_up.get_or_insert_default();
            (catching_up.awaited, catching_up.end) = (None, None);
        }
    }

    pub(super) fn is_catching_up(&self) -> bool {
        self.lock().catching_up.is_some()
    }

    /// Takes note of a message; false where it is held back for now.
    pub(super) fn hears(&self, channel: &str, payload: &[u8]) -> bool {
        if !self.is_available() {
            return true;
        }
        let mut state = self.lock();
        if let Some(catching_up) = &mut state.catching_up
            && catching_up.held.len() < HELD
            && catching_up.held_bytes < HELD_BYTES
        {
            catching_up.held_bytes += payload.len();
            catching_up
                .held
                .push_back((channel.to_owned(), payload.to_vec()));
            return false;
        }
        self.note(&mut state, channel, payload);
        true
    }

    pub(super) fn note(&self, state: &mut LogState, channel: &str, payload: &[u8]) {
        let now = Instant::now();
        state
            .heard
            .push_back((now, self.hasher.hash_one((channel, payload))));
        state.heard_count += 1;
        while state.heard.len() > DIGESTS
            || state
                .heard
                .front()
                .is_some_and(|(at, _)| now - *at > HEARD_KEPT)
        {
            state.heard.pop_front();
        }
    }

    /// The message heard last could not be taken after all.
    pub(super) fn unheard(&self) {
        let mut state = self.lock();
        if state.heard.pop_back().is_some() {
            state.heard_count -= 1;
        }
    }

    /// A mark, in its place among the messages.
    pub(super) fn mark(&self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or_default();
        let [epoch, end, number] = text.split(' ').collect::<Vec<_>>()[..] else {
            return;
        };
        let (Some(end), Ok(number)) = (LogPlace::read(end), number.parse::<u64>()) else {
            return;
        };
        let mut state = self.lock();
        let (mark, heard) = (
            Mark {
                epoch: epoch.to_owned(),
                end,
            },
            state.heard_count,
        );
        match &mut state.catching_up {
            Some(catching_up) if catching_up.awaited == Some(number) => {
                catching_up.end = Some((mark, catching_up.held.len()))
            }
            Some(_) => {}
            None => state.mark = Some((mark, heard)),
        }
        drop(state);
        self.marked.notify_one();
    }

    /// The first of those that were held back before the awaited mark. It stays until it is [let go](Self::let_go):
    /// delivering it may be broken off.
    pub(super) fn held_before_mark(&self) -> Option<LogMessage> {
        match &self.lock().catching_up {
            Some(CatchingUp {
                held,
                end: Some((_, 1..)),
                ..
            }) => held.front().cloned(),
            _ => None,
        }
    }

    /// Holds the first of those held back no longer.
    pub(super) fn let_go(&self) {
        if let Some(catching_up) = &mut self.lock().catching_up {
            if let Some((_, payload)) = catching_up.held.pop_front() {
                catching_up.held_bytes -= payload.len();
            }
            if let Some((_, before)) = &mut catching_up.end {
                *before = before.saturating_sub(1);
            }
        }
    }

    /// Behind which place the log is to be read, to which, and what of that was heard; `None` where nothing was
    /// missed, or where that can't be known.
    pub(super) fn gap(&self) -> Option<(Option<LogPlace>, LogPlace, Counts)> {
        let state = self.lock();
        let (end, _) = state.catching_up.as_ref()?.end.clone()?;
        // The first connection of all missed nothing.
        let (mark, count) = state.mark.clone()?;
        let same = mark.epoch == end.epoch && mark.end <= end.end;
        Some((
            same.then_some(mark.end),
            end.end,
            Log::heard_since(&state, if same { count } else { 0 }),
        ))
    }
}
