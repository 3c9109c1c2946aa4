//! A log of recent messages in Redis, from which a hub that was disconnected reads what it missed.
//!
//! Redis keeps no published message. Hubs of this program therefore append each message to a
//! stream, in one transaction with publishing it. ASP.NET Core's hubs do not; their messages are
//! lost to a hub that is disconnected, as in .NET.
//!
//! Every few seconds a hub makes Redis publish a *mark* to it: the end of the log at that moment.
//! Redis keeps the order, so a message received before the mark is in the log before that end, and
//! a message received after it is behind. After a lost connection a hub reads on from its last
//! mark. It recognises messages that it received since the mark by their digests, and holds new
//! messages back until it has caught up, which keeps the order.
//!
//! A restarted Redis has lost its log; its *epoch* is another. Each hub then appends its last
//! messages again and tells the other hubs where they are.

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

/// How long messages stay in the log, and how many bytes and entries it holds.
const KEPT_SECONDS: usize = 60;
pub(super) const LOG_BYTES: usize = 64 << 20;
const LOG_ENTRIES: usize = 400_000;
/// The memory that an entry of the stream uses beside its message.
pub(super) const ENTRY_BYTES: usize = 64;
/// How long a hub keeps its own messages after all hubs have read them, and the digests of received
/// messages.
const OWN_KEPT: Duration = Duration::from_secs(10);
const OWN_KEPT_BYTES: usize = 16 << 20;
const HEARD_KEPT: Duration = Duration::from_secs(30);
const DIGESTS: usize = 400_000;
/// How many messages are held while catching up; further ones are delivered out of order.
const HELD: usize = 20_000;
const HELD_BYTES: usize = 64 << 20;
/// How many entries one command reads or appends at most.
pub(super) const CHUNK: usize = 256;

/// The end of the log at one moment.
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
    /// Redis, or its user, allows no streams: messages are only published.
    pub(super) unavailable: AtomicBool,
    /// Redis was out of memory at the last mark.
    pub(super) full: AtomicBool,
}

#[derive(Default)]
pub(super) struct LogState {
    /// What this hub published lately.
    pub(super) own: VecDeque<OwnMessage>,
    own_bytes: usize,
    /// The place of its newest own message in the log, and the epoch that it published in.
    pub(super) own_last: LogPlace,
    pub(super) own_epoch: String,
    heard: VecDeque<(Instant, u64)>,
    /// How many messages were received in all.
    pub(super) heard_count: usize,
    pub(super) mark: Option<(Mark, usize)>,
    pub(super) catching_up: Option<CatchingUp>,
    /// The mean size of a message, from which the length of the log is computed.
    mean: usize,
}

/// A message that this hub published.
pub(super) struct OwnMessage {
    at: Instant,
    /// How many bytes the hub had published then, this message included.
    until: u64,
    pub(super) message: LogMessage,
}

/// From losing the connection until everything missed is delivered.
#[derive(Default)]
pub(super) struct CatchingUp {
    pub(super) held: VecDeque<LogMessage>,
    pub(super) held_bytes: usize,
    /// The number of the mark that was requested after all channels were subscribed again; other
    /// marks, such as a late one of the old connection, are ignored.
    awaited: Option<u64>,
    /// That mark, and how many messages were held before it.
    pub(super) end: Option<(Mark, usize)>,
}

impl Log {
    /// `name` is the prefix of the hub's channels; the braces put all keys into one cluster slot.
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

    /// In the slot of the log, so that one node of a cluster keeps both.
    pub(super) fn token_key(&self, token: &str) -> String {
        format!("{}:token:{token}", self.key)
    }

    pub(super) fn is_available(&self) -> bool {
        !self.unavailable.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps published messages in case Redis loses its log: all that some hub has not read, and
    /// some of the others. `until` is how much was published in all, `heard` how much all hubs have
    /// read.
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

    /// Starts to wait for the mark that ends the missed range, and returns its number; `None` if
    /// nothing was missed.
    pub(super) fn await_mark(&self) -> Option<u64> {
        let mut state = self.lock();
        let catching_up = state.catching_up.as_mut()?;
        catching_up.end = None;
        // Not 0: regular marks have that number.
        let number = crate::secret::arbitrary() % (1 << 32) + 1;
        catching_up.awaited = Some(number);
        Some(number)
    }

    /// The subscribing connection is lost: from now on messages are held.
    pub(super) fn deaf(&self) {
        if self.is_available() {
            // Keep the messages that are held already.
            let mut state = self.lock();
            let catching_up = state.catching_up.get_or_insert_default();
            (catching_up.awaited, catching_up.end) = (None, None);
        }
    }

    pub(super) fn is_catching_up(&self) -> bool {
        self.lock().catching_up.is_some()
    }

    /// Records a received message. Returns false if the message is held for now.
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

    /// Forgets the last received message, because it could not be queued.
    pub(super) fn unheard(&self) {
        let mut state = self.lock();
        if state.heard.pop_back().is_some() {
            state.heard_count -= 1;
        }
    }

    /// Handles a mark, in order with the messages.
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

    /// The first message that was held before the awaited mark. It is kept until
    /// [`let_go`](Self::let_go), because its delivery may be interrupted.
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

    /// Drops the first held message after its delivery.
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

    /// The range of the log to read, and the digests of messages in it that were received. `None`
    /// if nothing was missed, or if that is unknown.
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
