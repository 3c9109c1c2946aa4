//! What a hub missed while it could not hear: its peers of our kind say again what they published lately.
//!
//! Redis forgets a message as soon as it was published. So each hub keeps what it published for half
//! a minute; one whose listening connection was cut asks for all of that time, holds back what comes
//! anew meanwhile, and so delivers in order. What it had heard already it knows by a digest. ASP.NET
//! Core's hubs know nothing of these channels, and what they published meanwhile is lost as ever.

use super::Shared;
use crate::message_pack::{self, Reader};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long what was published is kept, and what was heard is known.
const KEPT: Duration = Duration::from_secs(30);
const KEPT_BYTES: usize = 16 << 20;
const KEPT_DIGESTS: usize = 200_000;
/// Messages held back while catching up; more are let pass, out of order.
const HELD: usize = 20_000;
/// How long peers may take to repeat.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(2);
/// How long peers that were cut off too may take to listen again.
const PEERS_BACK_WITHIN: Duration = Duration::from_secs(5);
/// Before the last sign of life: what was on its way then.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Replay {
    state: Mutex<State>,
    hasher: RandomState,
    peer_done: Notify,
    /// How many hubs of our kind there were when last counted, this one included.
    peers: AtomicUsize,
}

#[derive(Default)]
struct State {
    published: VecDeque<(Instant, String, Vec<u8>)>,
    bytes: usize,
    heard: VecDeque<(Instant, u64)>,
    alive: Option<Instant>,
    /// Since when nothing may have been heard.
    deaf_since: Option<Instant>,
    /// Set while catching up.
    catching_up: Option<CatchingUp>,
}

#[derive(Default)]
struct CatchingUp {
    /// What was heard since, to come after what is repeated.
    held: Vec<(String, Vec<u8>)>,
    repeated: Vec<(String, Vec<u8>)>,
    done: usize,
}

impl Replay {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was just published.
    pub(super) fn published(&self, messages: Vec<(String, Vec<u8>)>) {
        let mut state = self.lock();
        let now = Instant::now();
        for (channel, payload) in messages {
            state.bytes += payload.len();
            state.published.push_back((now, channel, payload));
        }
        while state.bytes > KEPT_BYTES || state.published.front().is_some_and(|(at, ..)| now - *at > KEPT) {
            let Some((_, _, payload)) = state.published.pop_front() else { break };
            state.bytes -= payload.len();
        }
    }

    /// So many hubs of our kind listen.
    pub(super) fn peers(&self, count: usize) {
        self.peers.store(count, Ordering::Relaxed);
    }

    /// The listening connection gave a sign of life.
    pub(super) fn alive(&self) {
        self.lock().alive = Some(Instant::now());
    }

    /// The listening connection is gone.
    pub(super) fn deaf(&self) {
        let mut state = self.lock();
        let since = state.alive.map(|alive| alive.checked_sub(MARGIN).unwrap_or(alive));
        state.deaf_since = state.deaf_since.or(since);
        state.catching_up = None;
    }

    /// Takes note of a message; false where it is held back for now.
    pub(super) fn hears(&self, channel: &str, payload: &[u8]) -> bool {
        if channel.contains(":internal:") {
            return true;
        }
        let digest = self.hasher.hash_one((channel, payload));
        let now = Instant::now();
        let mut state = self.lock();
        state.heard.push_back((now, digest));
        while state.heard.len() > KEPT_DIGESTS || state.heard.front().is_some_and(|(at, _)| now - *at > KEPT) {
            state.heard.pop_front();
        }
        match &mut state.catching_up {
            Some(catching_up) if catching_up.held.len() < HELD => {
                catching_up.held.push((channel.to_owned(), payload.to_vec()));
                false
            }
            _ => true,
        }
    }

    /// What is to be delivered at the end of catching up: what was missed, then what was held back.
    fn finish(&self) -> Vec<(String, Vec<u8>)> {
        let mut state = self.lock();
        state.deaf_since = None;
        let Some(CatchingUp { held, repeated, .. }) = state.catching_up.take() else { return Vec::new() };
        // As often as a message was heard, so often its repetition is none that was missed.
        let mut heard: HashMap<u64, usize> = HashMap::new();
        for (_, digest) in &state.heard {
            *heard.entry(*digest).or_default() += 1;
        }
        let missed = repeated.into_iter().filter(|(channel, payload)| {
            match heard.get_mut(&self.hasher.hash_one((channel.as_str(), payload.as_slice()))) {
                Some(times) if *times > 0 => {
                    *times -= 1;
                    false
                }
                _ => true,
            }
        });
        missed.chain(held).collect()
    }
}

impl Shared {
    /// Asks all hubs of our kind for what was published while this one may have been deaf, and delivers it.
    pub(super) async fn catch_up(self: &Arc<Self>) {
        let since = {
            let mut state = self.replay.lock();
            let Some(since) = state.deaf_since else { return };
            state.catching_up = Some(CatchingUp::default());
            since
        };
        let peers = self.ask_for_replay(since).await;
        let all_done = async {
            while self.replay.lock().catching_up.as_ref().is_some_and(|catching_up| catching_up.done < peers) {
                self.replay.peer_done.notified().await;
            }
        };
        if tokio::time::timeout(CATCH_UP_WITHIN, all_done).await.is_err() {
            tracing::warn!(peers, "not every hub repeated in time what was published while this one could not hear");
        }
        for (channel, payload) in self.replay.finish() {
            if let Some((target, broadcast)) = self.read(&channel, &payload) {
                self.parts.delivery.send(target, broadcast).await;
            }
        }
    }

    /// How many hubs were reached, this one included: what it published itself it may have missed too.
    async fn ask_for_replay(&self, since: Instant) -> usize {
        let milliseconds = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut request = Vec::new();
        message_pack::write_array(&mut request, 2);
        message_pack::write_text(&mut request, &self.server);
        message_pack::write_integer(&mut request, milliseconds);
        // The connection for publishing may have been cut too, and comes back by itself.
        let mut publisher = self.publisher.subscribe();
        let connected = tokio::time::timeout(CATCH_UP_WITHIN, publisher.wait_for(Option::is_some)).await;
        let Some(mut redis) = connected.ok().and_then(|found| found.ok().and_then(|found| found.clone())) else { return 0 };
        // A peer that was cut off as well has to be back to be asked.
        let wanted = self.replay.peers.load(Ordering::Relaxed);
        let back = async {
            while super::listening(self, &mut redis, "internal:replay").await.is_ok_and(|peers| peers < wanted) {
                tokio::time::sleep(super::FIRST_RETRY).await;
            }
        };
        let _ = tokio::time::timeout(PEERS_BACK_WITHIN, back).await;
        let mut command = ::redis::cmd("PUBLISH");
        command.arg(self.channel("internal:replay")).arg(request);
        tokio::time::timeout(CATCH_UP_WITHIN, command.query_async(&mut redis)).await.ok().and_then(Result::ok).unwrap_or(0)
    }

    /// A hub asks for what this one published lately.
    pub(super) fn repeat(self: &Arc<Self>, request: &[u8]) {
        let mut reader = Reader::new(request);
        let read = reader.array().and_then(|_| Ok((reader.text()?.to_owned(), reader.integer()?)));
        let Ok((server, milliseconds)) = read else { return };
        let age = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
        let channel = self.channel(&format!("internal:replayed:{server}"));
        let shared = self.clone();
        tokio::spawn(async move {
            let Ok(mut redis) = shared.publisher() else { return };
            let mut pipeline = ::redis::pipe();
            {
                let state = shared.replay.lock();
                for (_, original, payload) in state.published.iter().filter(|(at, ..)| at.elapsed() <= age) {
                    let mut message = Vec::with_capacity(payload.len() + original.len() + 16);
                    message_pack::write_array(&mut message, 2);
                    message_pack::write_text(&mut message, original);
                    message_pack::write_binary(&mut message, payload);
                    pipeline.cmd("PUBLISH").arg(&channel).arg(message).ignore();
                }
            }
            // The end, so that nobody waits longer.
            let mut end = Vec::new();
            message_pack::write_array(&mut end, 0);
            pipeline.cmd("PUBLISH").arg(&channel).arg(end).ignore();
            if let Err(error) = pipeline.query_async::<()>(&mut redis).await {
                tracing::warn!(%error, "what another hub missed could not be repeated");
            }
        });
    }

    /// A message that this hub may have missed, or a peer's last.
    pub(super) fn repeated(&self, message: &[u8]) {
        let mut reader = Reader::new(message);
        let items = reader.array().unwrap_or_default();
        let mut state = self.replay.lock();
        let Some(catching_up) = &mut state.catching_up else { return };
        if items == 0 {
            catching_up.done += 1;
            drop(state);
            self.replay.peer_done.notify_one();
            return;
        }
        if let (Ok(channel), Ok(payload)) = (reader.text(), reader.binary())
            && catching_up.repeated.len() < KEPT_DIGESTS
        {
            catching_up.repeated.push((channel.to_owned(), payload.to_vec()));
        }
    }
}
