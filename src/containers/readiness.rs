//! Whether a server truly answers: asked from the host, in the words that the hub will use.

use crate::broker::{Broker, BrokerError};
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::redis::{GreetingError, greet};
use std::time::Duration;

/// A first try may meet a server that only just starts; the pause between tries.
const POLL: Duration = Duration::from_millis(40);

/// A server that does not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("{0}")]
    Unreachable(String),
    #[error("it refuses the credentials")]
    Refused,
    #[error("it is {0}; at least {1} is needed")]
    TooOld(String, &'static str),
    #[error("its user lacks a right: {0}")]
    Denied(String),
    #[error("its virtual host cannot be used: {0}")]
    VirtualHost(String),
    #[error("a queue or exchange has other properties than Harmony's: {0}")]
    Topology(String),
    #[error("it takes no messages: {0} (an alarm of RabbitMQ's)")]
    Blocked(String),
    #[error("it is asked once the plan was agreed to")]
    NotAsked,
    #[error("{0}")]
    Other(String),
}

impl NotReady {
    /// How to get a RabbitMQ to work, where more than starting it is needed.
    pub fn rabbitmq_advice(&self, address: &BrokerAddress) -> Option<String> {
        let BrokerAddress {
            endpoint,
            username,
            virtual_host,
            ..
        } = address;
        Some(match self {
            NotReady::Refused if username == "guest" && !endpoint.is_loopback() => {
                "RabbitMQ accepts 'guest' from its own machine only: create another user and set \
                 BrokerConfiguration:Username and :Password"
                    .to_owned()
            }
            NotReady::Refused => {
                "set the right credentials in BrokerConfiguration:Username and :Password".to_owned()
            }
            NotReady::VirtualHost(_) if virtual_host.to_ascii_uppercase().contains("%2F") => {
                format!(
                    "spell it as it is, not as in a URL: {}",
                    decoded(virtual_host)
                )
            }
            NotReady::VirtualHost(_) => format!(
                "create it: rabbitmqctl add_vhost '{virtual_host}' && {}",
                grant(address)
            ),
            NotReady::Denied(_) => format!("give the user its rights: {}", grant(address)),
            NotReady::Topology(_) => {
                "delete the named queue or exchange with its messages, or use another virtual host"
                    .to_owned()
            }
            NotReady::Blocked(_) => {
                "free memory or disk on RabbitMQ's machine, or change vm_memory_high_watermark or \
                 disk_free_limit; 'rabbitmq-diagnostics alarms' shows the reason"
                    .to_owned()
            }
            NotReady::Unreachable(_)
            | NotReady::TooOld(..)
            | NotReady::NotAsked
            | NotReady::Other(_) => return None,
        })
    }
}

fn grant(address: &BrokerAddress) -> String {
    let BrokerAddress {
        username,
        virtual_host,
        ..
    } = address;
    format!("rabbitmqctl set_permissions -p '{virtual_host}' '{username}' '.*' '.*' '.*'")
}

/// A virtual host with its slashes.
fn decoded(virtual_host: &str) -> String {
    virtual_host.replace("%2F", "/").replace("%2f", "/")
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
            BrokerError::Denied(why) => NotReady::Denied(why),
            BrokerError::VirtualHost(why) => NotReady::VirtualHost(why),
            BrokerError::Topology(why) => NotReady::Topology(why),
            BrokerError::Blocked(why) => NotReady::Blocked(why),
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

/// Redis's version; `None` where it does not say.
pub async fn redis_version(options: &RedisOptions, within: Duration) -> Option<String> {
    let greeting = greet(options, within).await.ok()?;
    Some(greeting.version).filter(|version| !version.is_empty())
}

/// RabbitMQ's version; `None` where it does not say.
pub async fn rabbitmq_version(address: &BrokerAddress, within: Duration) -> Option<String> {
    Broker::version(address, within).await
}

/// Asks RabbitMQ once: the AMQP handshake with the credentials, the topology, then its alarms.
pub async fn ask_rabbitmq(address: &BrokerAddress, within: Duration) -> Result<(), NotReady> {
    let broker = Broker::connect(address, "harmony", within).await?;
    let result = match broker.declare().await {
        Ok(()) => broker.check_alarms().await,
        refused => refused,
    };
    broker.close().await;
    Ok(result?)
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
#[derive(Debug, PartialEq, Eq)]
pub enum RabbitMqEnd<G> {
    Gone(G),
    /// It is up, and does not know these credentials: more waiting would not help.
    Refused,
    /// It is up, and waiting would not change what it says.
    NotUsable(NotReady),
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
                // Users and virtual hosts are there before the first connection is taken.
                Err(NotReady::Refused | NotReady::VirtualHost(_) | NotReady::Denied(_)) => {
                    return Err(RabbitMqEnd::Refused);
                }
                Err(lasting @ (NotReady::Topology(_) | NotReady::Blocked(_))) => {
                    return Err(RabbitMqEnd::NotUsable(lasting));
                }
                Err(_) => {}
            },
            gone = &mut gone => return Err(RabbitMqEnd::Gone(gone)),
        }
        tokio::time::sleep(POLL).await;
    }
}
