//! Waiting for hubs that lag behind, and answering hubs that ask how far this one is.

use super::RedisBackplane;
use super::echo::{GOODBYE, SILENT_AFTER, write};
use super::log::{ENTRY_BYTES, LogMessage};
use super::shared::Shared;
use crate::task;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often a waiting hub asks again, because a question may be lost.
const ASKED_AGAIN: Duration = Duration::from_millis(250);

impl RedisBackplane {
    /// Tells the other hubs to stop waiting for this one. If that fails, they time out.
    pub async fn leave(&self) {
        self.shared.echoes.left.store(true, Ordering::Relaxed);
        let goodbye = write(GOODBYE, &self.shared.server);
        let _ = self
            .publish_to(&self.shared.channel("internal:log"), goodbye)
            .await;
    }
}

impl Shared {
    /// Returns once no hub is too far behind.
    pub(super) async fn await_laggards(&self) {
        let (began, mut complained) = (Instant::now(), false);
        loop {
            let answered = self.echoes.answered.notified();
            let Some(hub) = self.echoes.laggard(self.hub_count(), Instant::now()) else {
                return;
            };
            if !complained && hub != self.server && began.elapsed() > SILENT_AFTER {
                complained = true;
                tracing::warn!(hub, "publishing waits for a hub that does not keep up");
            }
            if tokio::time::timeout(ASKED_AGAIN, answered).await.is_err() {
                self.ask();
            }
        }
    }

    fn hub_count(&self) -> u64 {
        self.hubs.load(Ordering::Relaxed).max(1) as u64
    }

    /// Counts what Redis accepted, and asks a question if it is time.
    pub(super) fn published(&self, messages: Vec<LogMessage>) {
        let bytes = messages
            .iter()
            .map(|(channel, payload)| channel.len() + payload.len() + ENTRY_BYTES)
            .sum::<usize>();
        let (until, heard) = self.echoes.published(bytes as u64);
        self.log.published(messages, until, heard);
        if self.echoes.is_due(self.hub_count()) {
            self.ask();
        }
    }

    /// Asks all hubs to confirm what was published so far.
    pub(super) fn ask(&self) {
        self.publish_soon(
            self.channel("internal:log"),
            write(self.echoes.question(), &self.server),
        );
    }

    /// Another hub's question, or ours.
    pub(super) fn echo(self: &Arc<Self>, number: u64, server: &str) {
        if number == GOODBYE {
            return self.echoes.forget(server);
        }
        // Do not answer while catching up (the question is repeated) or after leaving.
        if self.log.is_catching_up() || self.echoes.left.load(Ordering::Relaxed) {
            return;
        }
        let (shared, server) = (self.clone(), server.to_owned());
        task::spawn(async move {
            shared.parts.delivery.settled().await;
            if server == shared.server {
                shared.echoes.answer(&server, number);
            } else {
                shared.publish_soon(
                    shared.channel(&format!("internal:mark:{server}")),
                    write(number, &shared.server),
                );
            }
        });
    }
}
