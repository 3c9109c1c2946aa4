//! Sends messages on, those for the same clients in the order of the queue, and remembers them.

use super::backoff::{FIRST_RETRY, jittered};
use super::long_message::{LongMessage, Read, read};
use super::owed::{BadMessage, Handled};
use crate::broker::message::Message;
use crate::hub::intake;
use crate::hub::methods::HarmonyHub;
use crate::hub::notification::{NotificationLimits, Outcome};
use crate::hub::status::HubStatus;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::server::Server;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Messages remembered as fanned out, against a redelivery of the same.
const REMEMBERED: usize = 2048;

/// The way from messages to the backplane.
pub(super) struct FanOut {
    server: Arc<Server<HarmonyHub>>,
    status: Arc<HubStatus>,
    stop: CancellationToken,
    limits: NotificationLimits,
    remembered: VecDeque<u64>,
    hasher: RandomState,
    /// What is ready to be sent, and the hash of each.
    outgoing: Vec<(Recipients, Broadcast)>,
    hashes: Vec<u64>,
}

impl FanOut {
    pub(super) fn new(
        server: Arc<Server<HarmonyHub>>,
        status: Arc<HubStatus>,
        stop: CancellationToken,
        limits: NotificationLimits,
    ) -> Self {
        FanOut {
            server,
            status,
            stop,
            limits,
            remembered: VecDeque::new(),
            hasher: RandomState::new(),
            outgoing: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// Sends a batch on, but for a long message and what has to wait for it; gives back what may be
    /// acknowledged. `None` where the hub was told to stop before it could: the broker keeps the
    /// batch.
    pub(super) async fn batch(
        &mut self,
        batch: Vec<Message>,
        long: &mut Option<LongMessage>,
    ) -> Option<Handled> {
        let mut handled = Handled::default();
        for mut message in batch {
            self.status.consumed.fetch_add(1, Ordering::Relaxed);
            if intake::takes_long(&message.body) {
                // Those before it do not wait for it.
                self.send().await?;
                if let Some(before) = long.take() {
                    handled.append(self.end(before).await?);
                }
                *long = Some(LongMessage::start(message, self.limits));
                continue;
            }
            let read = read(&mut message, &self.limits).await;
            if let Ok(Outcome::Deliver { group, .. }) = &read
                && let Some(before) = long.take_if(|long| long.holds_up(group))
            {
                handled.append(self.end(before).await?);
            }
            let lot = long.as_mut().map_or(&mut handled, |long| &mut long.behind);
            lot.add(message.tag(), self.prepare(message, read));
        }
        self.send().await?;
        Some(handled)
    }

    /// Sends a long message on once it is read.
    pub(super) async fn end(&mut self, long: LongMessage) -> Option<Handled> {
        let (message, read, behind) = long.end().await?;
        let mut handled = Handled::default();
        handled.add(message.tag(), self.prepare(message, read));
        self.send().await?;
        handled.append(behind);
        Some(handled)
    }

    /// Makes a message ready to be sent, or gives it back with the reason why it can't be.
    fn prepare(&mut self, message: Message, read: Read) -> Option<BadMessage> {
        match read {
            Ok(Outcome::Deliver {
                group,
                event,
                argument,
            }) => {
                let hash = self.hasher.hash_one((&group, event, &argument));
                if message.redelivered && self.remembered.contains(&hash) {
                    self.status.duplicates.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                self.hashes.push(hash);
                self.outgoing.push((
                    Recipients::Group(group.into()),
                    Broadcast::invocation(event, &[&argument]),
                ));
                None
            }
            Ok(Outcome::Drop) => {
                self.status.ignored.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(rejection) => Some((message, rejection)),
        }
    }

    /// Publishes what is ready, and remembers it. `None` when told to stop before it could.
    async fn send(&mut self) -> Option<()> {
        if !self.outgoing.is_empty() {
            self.publish().await?;
        }
        self.outgoing.clear();
        self.remembered.extend(self.hashes.drain(..));
        let surplus = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..surplus);
        Some(())
    }

    /// Publishes, however long the backplane takes to come back. `None` when told to stop meanwhile.
    async fn publish(&self) -> Option<()> {
        let mut pause = FIRST_RETRY;
        loop {
            match self.server.backplane().publish(&self.outgoing).await {
                Ok(()) => return Some(()),
                Err(_) if self.stop.is_cancelled() => return None,
                Err(error) if pause == FIRST_RETRY => {
                    tracing::error!(%error, "messages wait in RabbitMQ until the backplane is back");
                }
                Err(_) => {}
            }
            let _ = tokio::time::timeout(jittered(pause), self.stop.cancelled()).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}
