//! From RabbitMQ to the backplane: read, fan out, and only then acknowledge; reconnect for ever.
//!
//! Messages are taken in batches and sent in one round trip, so that acknowledging after the fan-out
//! costs no throughput. Those for the same clients keep the order of the queue. While the backplane
//! is away nothing more is taken: what waits stays in the broker.

mod backoff;
mod fan_out;
mod long_message;
mod owed;
mod unsettled;

use crate::broker::aside::RejectedQueue;
use crate::broker::envelope::EnvelopeReader;
use crate::broker::{Broker, BrokerError};
use crate::connection_string::amqp::BrokerAddress;
use crate::hub::methods::HarmonyHub;
use crate::hub::notification::NotificationLimits;
use crate::hub::status::HubStatus;
use crate::signalr::server::Server;
use backoff::{Backoff, jittered};
use fan_out::FanOut;
use long_message::LongMessage;
use owed::Owed;
use std::sync::Arc;
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

/// Consumes until `stop`; then finishes what is in hand.
pub struct Consumer {
    address: BrokerAddress,
    status: Arc<HubStatus>,
    stop: CancellationToken,
    /// Longer bodies are passed over.
    body_bytes: u64,
    fan_out: FanOut,
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
            fan_out: FanOut::new(server, status.clone(), stop.clone(), limits),
            status,
            stop,
            body_bytes: limits.body.max(SET_ASIDE_WHOLE) as u64,
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
            body_bytes: self.body_bytes,
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
        let mut long: Option<LongMessage> = None;
        loop {
            let handled = tokio::select! {
                batch = messages.next_batch(BATCH) => match batch? {
                    batch if !batch.is_empty() => self.fan_out.batch(batch, &mut long).await,
                    _ if !stopping => return Err(BrokerError::Lost("the queue was deleted".into())),
                    _ => match long.take() {
                        Some(last) => self.fan_out.end(last).await,
                        None => break,
                    },
                },
                Some(read) = read(&mut long) => self.fan_out.end(read).await,
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
            let Some(handled) = handled else {
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

    async fn wait(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
    }
}

/// A long message once it is read; `None` where there is none.
async fn read(long: &mut Option<LongMessage>) -> Option<LongMessage> {
    long.as_mut()?.wait().await;
    long.take()
}
