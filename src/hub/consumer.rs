//! From RabbitMQ to the backplane: read, fan out, and only then acknowledge; reconnect for ever.
//!
//! Messages are taken in batches in the order of the queue and sent in one round trip, so that
//! acknowledging after the fan-out costs no throughput. While the backplane is away nothing more is
//! taken: what waits stays in the broker.

use crate::broker::{Broker, BrokerError, Header, Message, TYPE_HEADER};
use crate::connection_string::amqp::BrokerAddress;
use crate::hub::methods::HarmonyHub;
use crate::hub::notification::{self, Outcome, TypeHeader};
use crate::hub::status::Status;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::server::Server;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const CONNECTION_NAME: &str = "Harmony.SignalR";
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PREFETCH: u16 = 512;
const BATCH: usize = 256;
/// Messages that are acknowledged together: so many, or as many as come within this time of the first.
const ACKNOWLEDGED_AT_ONCE: usize = 128;
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(5);
/// How long an orderly end of consuming may take.
const END_WITHIN: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// Messages remembered as fanned out, against a redelivery of the same.
const REMEMBERED: usize = 2048;

/// Consumes until `stop`; then finishes what is in hand.
pub struct Consumer {
    address: BrokerAddress,
    server: Arc<Server<HarmonyHub>>,
    status: Arc<Status>,
    stop: CancellationToken,
    remembered: VecDeque<u64>,
    hasher: RandomState,
}

impl Consumer {
    pub fn new(
        address: BrokerAddress,
        server: Arc<Server<HarmonyHub>>,
        status: Arc<Status>,
        stop: CancellationToken,
    ) -> Self {
        Consumer {
            address,
            server,
            status,
            stop,
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
        let mut pause = FIRST_RETRY;
        let mut complained = None;
        while !self.stop.is_cancelled() {
            let Err(error) = self.session(&mut pause, &mut complained).await else {
                return;
            };
            self.status.set_broker(false);
            // Said once for each kind of trouble, not once a try.
            let kind = std::mem::discriminant(&error);
            if complained != Some(kind) {
                complained = Some(kind);
                tracing::error!(endpoint = %self.address.endpoint, %error, "RabbitMQ can't be used; trying on");
            }
            self.wait(jittered(pause)).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// One connection, from its beginning to its end. `Ok` when told to stop.
    async fn session(
        &mut self,
        pause: &mut Duration,
        complained: &mut Option<std::mem::Discriminant<BrokerError>>,
    ) -> Result<(), BrokerError> {
        let connecting = Broker::connect(&self.address, CONNECTION_NAME, CONNECT_WITHIN);
        let broker = tokio::select! {
            broker = connecting => broker?,
            () = self.stop.cancelled() => return Ok(()),
        };
        broker.declare().await?;
        let mut messages = broker.consume(PREFETCH).await?;
        tracing::info!(endpoint = %self.address.endpoint, "RabbitMQ is connected");
        self.status.set_broker(true);
        (*pause, *complained) = (FIRST_RETRY, None);
        let (mut owed, mut stopping) = (Owed::default(), false);
        loop {
            let mut batch = tokio::select! {
                batch = messages.next_batch(BATCH) => batch?,
                () = tokio::time::sleep_until(owed.due), if owed.last.is_some() => {
                    owed.pay(&broker).await?;
                    continue;
                }
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    broker.stop_consuming().await?;
                    continue;
                }
            };
            if batch.is_empty() {
                if !stopping {
                    return Err(BrokerError::Lost("the queue was deleted".into()));
                }
                owed.pay(&broker).await?;
                broker.close().await;
                self.status.set_broker(false);
                return Ok(());
            }
            if !self.fan_out(&broker, &batch).await? {
                owed.pay(&broker).await?;
                broker.close().await;
                return Ok(());
            }
            owed.add(batch.len(), batch.pop());
            if owed.count >= ACKNOWLEDGED_AT_ONCE {
                owed.pay(&broker).await?;
            }
        }
    }

    /// Sends a batch on. False where the hub was told to stop before it could: the broker keeps the batch.
    async fn fan_out(&mut self, broker: &Broker, batch: &[Message]) -> Result<bool, BrokerError> {
        let mut outgoing = Vec::with_capacity(batch.len());
        let mut hashes = Vec::with_capacity(batch.len());
        for message in batch {
            self.status.consumed.fetch_add(1, Ordering::Relaxed);
            let header = type_header(message);
            match notification::read(header, &message.body) {
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
                Err(rejection) => {
                    let reason = rejection.to_string();
                    broker.set_aside(message, &reason).await?;
                    self.status.reject(&rejection, &reason);
                }
            }
        }
        if !outgoing.is_empty() && !self.publish(&outgoing).await {
            return Ok(false);
        }
        self.remembered.extend(hashes);
        let surplus = self.remembered.len().saturating_sub(REMEMBERED);
        self.remembered.drain(..surplus);
        Ok(true)
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

/// Acknowledgements that are due for what was fanned out: one for many costs the broker and us a fraction.
struct Owed {
    count: usize,
    last: Option<Message>,
    due: Instant,
}

impl Default for Owed {
    fn default() -> Self {
        Owed {
            count: 0,
            last: None,
            due: Instant::now(),
        }
    }
}

impl Owed {
    fn add(&mut self, count: usize, last: Option<Message>) {
        if self.count == 0 {
            self.due = Instant::now() + ACKNOWLEDGED_WITHIN;
        }
        self.count += count;
        self.last = last;
    }

    async fn pay(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        self.count = 0;
        match self.last.take() {
            Some(last) => broker.acknowledge_up_to(&last).await,
            None => Ok(()),
        }
    }
}

fn type_header(message: &Message) -> TypeHeader<'_> {
    match message.header(TYPE_HEADER) {
        Header::NoHeaders => TypeHeader::NoHeaders,
        Header::Missing => TypeHeader::Missing,
        Header::Text(text) => TypeHeader::Text(text),
        Header::Other => TypeHeader::NotText,
    }
}

/// A pause of half to one and a half times the given one, so that many hubs do not come at once.
fn jittered(pause: Duration) -> Duration {
    let [random] = crate::secret::random::<1>();
    pause / 2 + pause * u32::from(random) / 256
}
