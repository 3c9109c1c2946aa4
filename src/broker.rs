//! RabbitMQ: the one door to it. Harmony's topology, consuming, publishing, setting aside
//! (spec: harmony-contract.md 5).

pub mod rejected;

use crate::connection_string::amqp::BrokerAddress;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
    ExchangeKind,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const EXCHANGE: &str = "harmony_notifications";
pub const QUEUE: &str = "notifications.signalr";
const ROUTING_KEYS: [&str; 2] = ["notifications.signalr", "notifications"];
/// The header that names a notification's type.
pub const TYPE_HEADER: &str = "notification_type";
const CONSUMER: &str = "harmony";
/// The largest frame; the client keeps room for 32 of them each way, and with the usual 128 KB had eight megabytes.
const FRAME_BYTES: u32 = 16 << 10;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why RabbitMQ can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    #[error("nobody answers: {0}")]
    Unreachable(String),
    #[error("it refuses the user or the password")]
    Refused,
    #[error("the user may not use the virtual host: {0}")]
    VirtualHost(String),
    #[error("an exchange or queue exists with other properties: {0}")]
    Topology(String),
    #[error("it did not take a message")]
    NotTaken,
    #[error("the connection is lost: {0}")]
    Lost(String),
}

impl From<lapin::Error> for BrokerError {
    fn from(error: lapin::Error) -> Self {
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return match error.kind() {
                ErrorKind::IOError(io) => BrokerError::Unreachable(io.to_string()),
                _ => BrokerError::Lost(error.to_string()),
            };
        };
        let text = protocol.get_message().to_string();
        match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => BrokerError::Refused,
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => BrokerError::Topology(text),
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => BrokerError::VirtualHost(text),
            _ => BrokerError::Lost(text),
        }
    }
}

/// Waits for an answer, but not for ever: a connection that is dead without saying so has to be given up.
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
}

impl Broker {
    /// Connects and authenticates, within a time.
    pub async fn connect(
        address: &BrokerAddress,
        name: &str,
        within: Duration,
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
        let connecting = async {
            let connection = Connection::connect_uri(uri, properties).await?;
            let channel = connection.create_channel().await?;
            Ok::<_, lapin::Error>((connection, channel))
        };
        let (connection, channel) = tokio::time::timeout(within, connecting)
            .await
            .map_err(|_| BrokerError::Unreachable(format!("no answer within {within:?}")))??;
        Ok(Broker {
            connection,
            channel,
        })
    }

    /// RabbitMQ's version, as it introduces itself before anybody has to say who they are; `None` where it doesn't.
    pub async fn version(address: &BrokerAddress, within: Duration) -> Option<String> {
        const PROTOCOL: &[u8] = b"AMQP\x00\x00\x09\x01";
        // A key of its properties, then the type and the length of a long string.
        const KEY: &[u8] = b"\x07versionS";
        const MOST: usize = 16 << 10;
        let introduction = async {
            let mut stream =
                TcpStream::connect((address.endpoint.host.as_str(), address.endpoint.port))
                    .await
                    .ok()?;
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
        Ok(Messages {
            consumer: answered(async { Ok(consuming.await?) }).await?,
        })
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

    /// Acknowledges a message and all before it.
    pub async fn acknowledge_up_to(&self, message: &Message) -> Result<(), BrokerError> {
        answered(async {
            Ok(self
                .channel
                .basic_ack(message.tag, BasicAckOptions { multiple: true })
                .await?)
        })
        .await
    }

    /// Publishes a notification as Harmony.Api does; returns once RabbitMQ has it.
    pub async fn publish(&self, notification_type: &str, body: &[u8]) -> Result<(), BrokerError> {
        self.declare_exchange().await?;
        let mut headers = FieldTable::default();
        headers.insert(
            TYPE_HEADER.into(),
            AMQPValue::LongString(notification_type.into()),
        );
        let properties = BasicProperties::default()
            .with_content_type("text/plain".into())
            .with_delivery_mode(2)
            .with_headers(headers);
        self.send(EXCHANGE.into(), ROUTING_KEYS[0].into(), body, properties)
            .await
    }

    async fn send(
        &self,
        exchange: ShortString,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), BrokerError> {
        self.channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let options = BasicPublishOptions::default();
        let confirmation = self
            .channel
            .basic_publish(exchange, key, options, body, properties)
            .await?
            .await?;
        if matches!(confirmation, Confirmation::Nack(_)) {
            Err(BrokerError::NotTaken)
        } else {
            Ok(())
        }
    }

    /// Says goodbye; what is unacknowledged goes back into the queue.
    pub async fn close(self) {
        // A broker that is gone has nothing to be told.
        let _ = answered(async { Ok(self.connection.close(200, "bye".into()).await?) }).await;
    }
}

/// Messages as they come.
pub struct Messages {
    consumer: Consumer,
}

impl Messages {
    /// Waits for one message and takes what else is there, up to `most`. Empty once consuming has ended.
    pub async fn next_batch(&mut self, most: usize) -> Result<Vec<Message>, BrokerError> {
        let mut batch = Vec::new();
        let mut next = self.consumer.next().await;
        while let Some(delivery) = next {
            batch.push(Message::from(delivery?));
            if batch.len() == most {
                break;
            }
            next = self.consumer.next().now_or_never().flatten();
        }
        Ok(batch)
    }
}

/// One message.
#[derive(Debug)]
pub struct Message {
    tag: u64,
    /// It was delivered before, to us or to another, and not acknowledged.
    pub redelivered: bool,
    pub body: Vec<u8>,
    routing_key: ShortString,
    properties: BasicProperties,
}

impl From<lapin::message::Delivery> for Message {
    fn from(delivery: lapin::message::Delivery) -> Self {
        Message {
            tag: delivery.delivery_tag,
            redelivered: delivery.redelivered,
            body: delivery.data,
            routing_key: delivery.routing_key,
            properties: delivery.properties,
        }
    }
}

/// A header's value, as far as the contract is concerned.
pub enum Header<'m> {
    NoHeaders,
    Missing,
    Text(&'m [u8]),
    Other,
}

impl Message {
    pub fn header(&self, name: &str) -> Header<'_> {
        let Some(headers) = self.properties.headers() else {
            return Header::NoHeaders;
        };
        match headers.inner().get(name) {
            None => Header::Missing,
            Some(AMQPValue::LongString(text)) => Header::Text(LongString::as_bytes(text)),
            Some(AMQPValue::ByteArray(bytes)) => Header::Text(bytes.as_slice()),
            Some(_) => Header::Other,
        }
    }
}
