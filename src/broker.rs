//! RabbitMQ: the one door to it. Harmony's topology, consuming, publishing, setting aside
//! (hub/contract.md, "RabbitMQ").

pub mod aside;
pub mod envelope;
mod error;
mod look;
pub mod message;
mod publish;
pub mod rejected;
mod topology;
mod transport;

use crate::connection_string::amqp::BrokerAddress;
use crate::socket::{self, ByteStream};
use crate::tls::client::{VERSIONS, connector, secure};
use envelope::EnvelopeReader;
pub use error::BrokerError;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, ExchangeKind};
use message::{Message, Messages};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use topology::ROUTING_KEYS;
pub use topology::{EXCHANGE, QUEUE, REJECTED_QUEUE, TYPE_HEADER};
use transport::{Guarded, InFlight};

const CONSUMER: &str = "harmony";
/// The largest frame, as RabbitMQ has it by default.
const FRAME_BYTES: u32 = 128 << 10;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Waits for an answer, but not for ever: a connection that is dead without saying so has to be
/// given up.
async fn answered<T>(
    answer: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(BrokerError::Lost(format!(
            "no answer within {ANSWER_WITHIN:?}"
        ))),
    }
}

/// A connection with one channel.
pub struct Broker {
    connection: Connection,
    channel: Channel,
    in_flight: Arc<InFlight>,
}

impl Broker {
    /// Connects and authenticates, within a time.
    pub async fn connect(
        address: &BrokerAddress,
        name: &str,
        within: Duration,
    ) -> Result<Self, BrokerError> {
        Self::connect_for(address, name, within, EnvelopeReader::Operator).await
    }

    /// Connects as [`connect`](Self::connect) does, for a reader.
    pub async fn connect_for(
        address: &BrokerAddress,
        name: &str,
        within: Duration,
        reader: EnvelopeReader,
    ) -> Result<Self, BrokerError> {
        tokio::time::timeout(within, Self::open(address, name, reader))
            .await
            .map_err(|_| BrokerError::Unreachable(format!("no answer within {within:?}")))?
    }

    async fn open(
        address: &BrokerAddress,
        name: &str,
        reader: EnvelopeReader,
    ) -> Result<Self, BrokerError> {
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: address.username.clone(),
                    password: address.password.reveal().to_owned(),
                },
                host: address.endpoint.host.clone(),
                port: address.endpoint.port,
            },
            vhost: address.virtual_host.clone(),
            query: AMQPQueryString {
                heartbeat: Some(10),
                frame_max: Some(FRAME_BYTES),
                ..AMQPQueryString::default()
            },
        };
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let guarded = Guarded::new(socket(address).await?, reader);
        let in_flight = guarded.in_flight();
        let once = Mutex::new(Some(transport::for_library(guarded)));
        let connect = async move |_: AMQPUri, _| {
            let socket = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            // It asks once, since it is told to leave reconnecting to us.
            socket
                .map(AsyncTcpStream::Plain)
                .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected).into())
        };
        let connection =
            Connection::connector(uri, transport::runtime(), connect, properties).await?;
        let channel = connection.create_channel().await?;
        Ok(Broker {
            connection,
            channel,
            in_flight,
        })
    }

    /// RabbitMQ's version, as it introduces itself before anybody has to say who they are; `None`
    /// where it doesn't.
    pub async fn version(address: &BrokerAddress, within: Duration) -> Option<String> {
        const PROTOCOL: &[u8] = b"AMQP\x00\x00\x09\x01";
        // A key of its properties, then the type and the length of a long string.
        const KEY: &[u8] = b"\x07versionS";
        const MOST: usize = 16 << 10;
        let introduction = async {
            let mut stream = socket(address).await.ok()?;
            stream.write_all(PROTOCOL).await.ok()?;
            let mut bytes = Vec::new();
            loop {
                if let Some(at) = memchr::memmem::find(&bytes, KEY)
                    && let Some((length, rest)) = bytes[at + KEY.len()..].split_first_chunk()
                    && let Some(version) =
                        rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
                {
                    return Some(String::from_utf8_lossy(version).into_owned());
                }
                if bytes.len() > MOST || stream.read_buf(&mut bytes).await.ok()? == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(within, introduction).await.ok()?
    }

    /// Declares exactly what Harmony's applications declare; a hub of either kind may come first.
    pub async fn declare(&self) -> Result<(), BrokerError> {
        answered(self.declare_all()).await
    }

    async fn declare_all(&self) -> Result<(), BrokerError> {
        self.declare_exchange().await?;
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(QUEUE.into(), durable, FieldTable::default())
            .await?;
        for key in ROUTING_KEYS {
            let (queue, exchange) = (QUEUE.into(), EXCHANGE.into());
            self.channel
                .queue_bind(
                    queue,
                    exchange,
                    key.into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
        }
        Ok(())
    }

    async fn declare_exchange(&self) -> Result<(), BrokerError> {
        let options = ExchangeDeclareOptions::default();
        Ok(self
            .channel
            .exchange_declare(
                EXCHANGE.into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await?)
    }

    /// Starts consuming; at most `prefetch` messages are out unacknowledged.
    pub async fn consume(&self, prefetch: u16) -> Result<Messages, BrokerError> {
        answered(async {
            Ok(self
                .channel
                .basic_qos(prefetch, BasicQosOptions::default())
                .await?)
        })
        .await?;
        let options = BasicConsumeOptions::default();
        let consuming = self.channel.basic_consume(
            QUEUE.into(),
            CONSUMER.into(),
            options,
            FieldTable::default(),
        );
        let consumer = answered(async { Ok(consuming.await?) }).await?;
        Ok(Messages::new(consumer, self.in_flight.clone()))
    }

    /// Ends consuming; what was delivered already still comes.
    pub async fn stop_consuming(&self) -> Result<(), BrokerError> {
        answered(async {
            Ok(self
                .channel
                .basic_cancel(CONSUMER.into(), BasicCancelOptions::default())
                .await?)
        })
        .await
    }

    /// Acknowledges a message, by its tag, and all before it.
    pub async fn acknowledge_up_to(&self, tag: u64) -> Result<(), BrokerError> {
        answered(async {
            Ok(self
                .channel
                .basic_ack(tag, BasicAckOptions { multiple: true })
                .await?)
        })
        .await
    }

    /// Gives a message up: RabbitMQ drops it, or dead-letters it where a policy says so.
    pub async fn discard(&self, message: &Message) -> Result<(), BrokerError> {
        answered(async {
            Ok(self
                .channel
                .basic_nack(message.tag(), BasicNackOptions::default())
                .await?)
        })
        .await
    }

    /// Says goodbye; what is unacknowledged goes back into the queue.
    pub async fn close(self) {
        // What blocks the connection blocks its end too.
        if self.connection.status().blocked() {
            return;
        }
        // A broker that is gone has nothing to be told.
        let _ = answered(async { Ok(self.connection.close(200, "bye".into()).await?) }).await;
    }
}

/// A socket to RabbitMQ.
async fn socket(address: &BrokerAddress) -> Result<Box<dyn ByteStream>, BrokerError> {
    let unreachable = |error: std::io::Error| BrokerError::Unreachable(error.to_string());
    let socket = socket::connect(&address.endpoint, None)
        .await
        .map_err(unreachable)?;
    let Some(tls) = &address.tls else {
        return Ok(socket);
    };
    let name = tls.server_name.as_ref().unwrap_or(&address.endpoint.host);
    let connector = connector(tls.authorities.as_deref(), VERSIONS)
        .map_err(|error| BrokerError::Tls(error.to_string()))?;
    secure(socket, &connector, name)
        .await
        .map_err(|error| BrokerError::Tls(error.to_string()))
}
