//! From RabbitMQ to the backplane: read, fan out, and only then acknowledge; reconnect for ever.
//!
//! Messages are taken in batches in the order of the queue and sent in one round trip, so that
//! acknowledging after the fan-out costs no throughput. While the backplane is away nothing more is
//! taken: what waits stays in the broker.

mod backoff;
mod owed;
mod unsettled;

use crate::broker::aside::RejectedQueue;
use crate::broker::envelope::EnvelopeReader;
use crate::broker::message::{Damage, Header, Message};
use crate::broker::{Broker, BrokerError};
use crate::connection_string::amqp::BrokerAddress;
use crate::hub::intake;
use crate::hub::methods::HarmonyHub;
use crate::hub::notification::{NotificationLimits, Outcome, Rejection, TypeHeader};
use crate::hub::status::HubStatus;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::server::Server;
use backoff::{Backoff, FIRST_RETRY, jittered};
use owed::{BadMessage, Handled, Owed};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use unsettled::Unsettled;

const CONNECTION_NAME: &str = "Harmony.SignalR";
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PREFETCH: u16 = 512;
const BATCH: usize = 256;
/// Messages that are acknowledged together, at most.
const ACKNOWLEDGED_AT_ONCE: usize = 128;
/// How long an orderly end of consuming may take.
const END_WITHIN: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// Bodies up to this size are set aside whole.
const SET_ASIDE_WHOLE: usize = 16 << 20;
/// A connection that lasts this long resets the pause between attempts.
const OVERCOME_AFTER: Duration = Duration::from_secs(60);
/// Messages remembered as fanned out, against a redelivery of the same.
const REMEMBERED: usize = 2048;

/// Consumes until `stop`; then finishes what is in hand.
pub struct Consumer {
    address: BrokerAddress,
    server: Arc<Server<HarmonyHub>>,
    status: Arc<HubStatus>,
    stop: CancellationToken,
    limits: NotificationLimits,
    remembered: VecDeque<u64>,
    hasher: RandomState,
}

impl Consumer {
    pub fn new(
        address: BrokerAddress,
        server: Arc<Server<HarmonyHub>>,
        status: Arc<HubStatus>,
        stop: CancellationToken,
        limits: NotificationLimits,
    ) -> Self {
        Consumer {
            address,
            server,
            status,
            stop,
            limits,
            remembered: VecDeque::new(),
            hasher: RandomState::new(),
        }
    }

    /// Consumes until told to stop, and then for as long as what is in hand takes, within a time.
    pub async fn run(self) {
        let stop = self.stop.clone();
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(END_WITHIN).await;
        };
        tokio::select! {
            () = self.consume() => {}
            () = overdue => tracing::warn!("RabbitMQ does not let go in time; it keeps what was not acknowledged"),
        }
    }

    async fn consume(mut self) {
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            let began = Instant::now();
            let Err(error) = self.session(&mut backoff).await else {
                break;
            };
            self.status.set_broker(false);
            if began.elapsed() > OVERCOME_AFTER {
                backoff.logged = None;
            }
            let kind = Some(std::mem::discriminant(&error));
            if backoff.logged != kind {
                backoff.logged = kind;
                tracing::error!(endpoint = %self.address.endpoint, %error, "RabbitMQ can't be used; trying on");
            }
            self.wait(jittered(backoff.pause)).await;
            backoff.pause = (backoff.pause * 2).min(LAST_RETRY);
        }
    }

    /// One connection, from its beginning to its end. `Ok` when told to stop.
    async fn session(&mut self, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let audience = EnvelopeReader::Hub {
            body_bytes: self.limits.body.max(SET_ASIDE_WHOLE) as u64,
        };
        let connecting =
            Broker::connect_for(&self.address, CONNECTION_NAME, CONNECT_WITHIN, audience);
        let broker = tokio::select! {
            broker = connecting => broker?,
            () = self.stop.cancelled() => return Ok(()),
        };
        broker.declare().await?;
        let mut messages = broker.consume(PREFETCH).await?;
        tracing::info!(endpoint = %self.address.endpoint, "RabbitMQ is connected");
        self.status.set_broker(true);
        let mut unsettled = Unsettled::new(RejectedQueue::new(self.address.clone()));
        let (mut owed, mut stopping) = (Owed::default(), false);
        loop {
            let batch = tokio::select! {
                batch = messages.next_batch(BATCH) => batch?,
                settled = unsettled.settled(), if unsettled.is_busy() => {
                    owed.add(settled?.report(&broker, &self.status).await?);
                    continue;
                }
                () = tokio::time::sleep_until(owed.due), if owed.last.is_some() => {
                    owed.pay(&broker).await?;
                    // Only a message that got through shows that all is well.
                    *backoff = Backoff::default();
                    continue;
                }
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    broker.stop_consuming().await?;
                    continue;
                }
            };
            if batch.is_empty() {
                if stopping {
                    break;
                }
                return Err(BrokerError::Lost("the queue was deleted".into()));
            }
            let Some(handled) = self.fan_out(batch).await else {
                break;
            };
            let is_quick = handled.is_quickly_set_aside();
            owed.add(unsettled.add(handled));
            if is_quick {
                unsettled
                    .settle_all(&broker, &self.status, &mut owed)
                    .await?;
            }
            if owed.count >= ACKNOWLEDGED_AT_ONCE {
                owed.pay(&broker).await?;
                *backoff = Backoff::default();
            }
        }
        unsettled
            .settle_all(&broker, &self.status, &mut owed)
            .await?;
        owed.pay(&broker).await?;
        unsettled.close().await;
        broker.close().await;
        self.status.set_broker(false);
        Ok(())
    }

    /// Sends a batch on. `None` where the hub was told to stop before it could: the broker keeps
    /// the batch.
    async fn fan_out(&mut self, mut batch: Vec<Message>) -> Option<Handled> {
        let (count, last) = (batch.len(), batch.last().map(Message::tag));
        let mut outgoing = Vec::with_capacity(count);
        let mut hashes = Vec::with_capacity(count);
        let mut rejections = Vec::new();
        for (place, message) in batch.iter_mut().enumerate() {
            // Those before a long one do not wait for it.
            if intake::takes_long(&message.body) && !self.send(&mut outgoing, &mut hashes).await {
                return None;
            }
            self.status.consumed.fetch_add(1, Ordering::Relaxed);
            match self.read(message).await {
                Ok(Outcome::Deliver {
                    group,
                    event,
                    argument,
                }) => {
                    let hash = self.hasher.hash_one((&group, event, &argument));
                    if message.redelivered && self.remembered.contains(&hash) {
                        self.status.duplicates.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    hashes.push(hash);
                    outgoing.push((
                        Recipients::Group(group.into()),
                        Broadcast::invocation(event, &[&argument]),
                    ));
                }
                Ok(Outcome::Drop) => {
                    self.status.ignored.fetch_add(1, Ordering::Relaxed);
                }
                Err(rejection) => rejections.push((place, rejection)),
            }
        }
        if !self.send(&mut outgoing, &mut hashes).await {
            return None;
        }
        // From the last on, so that places stay what they are.
        let rejected = rejections.into_iter().rev();
        let mut rejected: Vec<BadMessage> = rejected
            .map(|(place, rejection)| (batch.swap_remove(place), rejection))
            .collect();
        rejected.reverse();
        Some(Handled {
            count,
            last,
            rejected,
        })
    }

    /// Publishes what is ready, and remembers it. False when told to stop before it could.
    async fn send(
        &mut self,
        outgoing: &mut Vec<(Recipients, Broadcast)>,
        hashes: &mut Vec<u64>,
    ) -> bool {
        if !outgoing.is_empty() && !self.publish(outgoing).await {
            return false;
        }
        outgoing.clear();
        self.remembered.extend(hashes.drain(..));
        let surplus = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..surplus);
        true
    }

    async fn read(&self, message: &mut Message) -> Result<Outcome, Rejection> {
        match message.damage() {
            Some(Damage::BodyPassedOver(bytes)) => return Err(Rejection::BodyNotRead(bytes)),
            Some(Damage::HeadersUnreadable) => return Err(Rejection::Headers),
            None => {}
        }
        let mut body = std::mem::take(&mut message.body);
        let outcome = intake::read(type_header(message), &mut body, &self.limits).await;
        message.body = body;
        outcome
    }

    /// Publishes, however long the backplane takes to come back. False when told to stop meanwhile.
    async fn publish(&self, outgoing: &[(Recipients, Broadcast)]) -> bool {
        let mut pause = FIRST_RETRY;
        loop {
            match self.server.backplane().publish(outgoing).await {
                Ok(()) => return true,
                Err(_) if self.stop.is_cancelled() => return false,
                Err(error) if pause == FIRST_RETRY => {
                    tracing::error!(%error, "messages wait in RabbitMQ until the backplane is back");
                }
                Err(_) => {}
            }
            self.wait(jittered(pause)).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn wait(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
    }
}

fn type_header(message: &Message) -> TypeHeader<'_> {
    match message.type_header() {
        Header::NoHeaders => TypeHeader::NoHeaders,
        Header::Missing => TypeHeader::Missing,
        Header::Text(text) => TypeHeader::Text(text),
        Header::Other => TypeHeader::NotText,
    }
}
