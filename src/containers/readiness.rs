//! Whether a server truly answers: asked from the host, in the words that the hub will use.

use crate::broker::{Broker, BrokerError};
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::redis::{GreetingError, greet};
use std::time::Duration;

/// A first try may meet a server that only just starts; the pause between tries.
const POLL: Duration = Duration::from_millis(40);

/// A server that does not answer as it should.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotReady {
    #[error("{0}")]
    Unreachable(String),
    #[error("it refuses the credentials")]
    Refused,
    #[error("it is {0}; at least {1} is needed")]
    TooOld(String, &'static str),
    #[error("{0}")]
    Other(String),
}

impl From<GreetingError> for NotReady {
    fn from(error: GreetingError) -> Self {
        match error {
            GreetingError::Unreachable(why) => NotReady::Unreachable(why),
            GreetingError::Refused(_) => NotReady::Refused,
            GreetingError::TooOld(_) => NotReady::TooOld("an older Redis".into(), "Redis 6.0"),
        }
    }
}

impl From<BrokerError> for NotReady {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unreachable(why) => NotReady::Unreachable(why),
            BrokerError::Refused => NotReady::Refused,
            other => NotReady::Other(other.to_string()),
        }
    }
}

/// Asks Redis once: AUTH, PING.
pub async fn ask_redis(options: &RedisOptions, within: Duration) -> Result<(), NotReady> {
    greet(options, within)
        .await
        .map(drop)
        .map_err(NotReady::from)
}

/// Asks a RabbitMQ that is somebody else's: its version too.
pub async fn ask_foreign_rabbitmq(
    address: &BrokerAddress,
    within: Duration,
) -> Result<(), NotReady> {
    ask_rabbitmq(address, within).await?;
    let version = Broker::version(address, within).await.unwrap_or_default();
    let mut numbers = version
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < (3, 8) => Err(NotReady::TooOld(
            format!("RabbitMQ {version}"),
            "RabbitMQ 3.8",
        )),
        _ => Ok(()),
    }
}

/// Asks RabbitMQ once: the AMQP handshake with the credentials, then the topology.
pub async fn ask_rabbitmq(address: &BrokerAddress, within: Duration) -> Result<(), NotReady> {
    let broker = Broker::connect(address, "harmony", within).await?;
    let declared = broker.declare().await;
    broker.close().await;
    Ok(declared?)
}

/// Waits until Redis answers. Ends early only when `gone` does: the container died.
pub async fn await_redis<G>(
    options: &RedisOptions,
    gone: impl Future<Output = G>,
) -> Result<(), G> {
    let mut gone = std::pin::pin!(gone);
    loop {
        tokio::select! {
            result = ask_redis(options, Duration::from_secs(2)) => if result.is_ok() { return Ok(()) },
            gone = &mut gone => return Err(gone),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Why waiting for RabbitMQ ended.
#[derive(Debug)]
pub enum RabbitMqEnd<G> {
    Gone(G),
    /// It is up, and does not know these credentials: more waiting would not help.
    Refused,
}

/// Waits until RabbitMQ answers.
pub async fn await_rabbitmq<G>(
    address: &BrokerAddress,
    gone: impl Future<Output = G>,
) -> Result<(), RabbitMqEnd<G>> {
    let mut gone = std::pin::pin!(gone);
    loop {
        tokio::select! {
            result = ask_rabbitmq(address, Duration::from_secs(5)) => match result {
                Ok(()) => return Ok(()),
                // Users are known before the first connection is taken.
                Err(NotReady::Refused) => return Err(RabbitMqEnd::Refused),
                Err(_) => {}
            },
            gone = &mut gone => return Err(RabbitMqEnd::Gone(gone)),
        }
        tokio::time::sleep(POLL).await;
    }
}
