//! Messages that could not be delivered: set aside with their reason, looked at, sent again.

use super::{Broker, BrokerError, EXCHANGE, Header, Message, ROUTING_KEYS, TYPE_HEADER};
use lapin::ErrorKind;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use std::time::{SystemTime, UNIX_EPOCH};

/// Our own queue for what can't be delivered; bounded, the oldest going first.
pub const REJECTED_QUEUE: &str = "notifications.signalr.rejected";
const REJECTED_AT_MOST: i32 = 10_000;
/// Headers of ours on what was set aside.
const REASON_HEADER: &str = "x-harmony-reason";
const ROUTING_KEY_HEADER: &str = "x-harmony-routing-key";
const REJECTED_AT_HEADER: &str = "x-harmony-rejected-at";

impl Broker {
    /// Puts a message into the queue of the rejected, with its own headers and the reason.
    pub async fn set_aside(&self, message: &Message, reason: &str) -> Result<(), BrokerError> {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(REJECTED_AT_MOST));
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(REJECTED_QUEUE.into(), durable, arguments)
            .await?;
        let mut headers = message.properties.headers().clone().unwrap_or_default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
        headers.insert(
            ROUTING_KEY_HEADER.into(),
            AMQPValue::LongString(message.routing_key.to_string().into()),
        );
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        headers.insert(
            REJECTED_AT_HEADER.into(),
            AMQPValue::LongLongInt(now.cast_signed()),
        );
        let properties = message
            .properties
            .clone()
            .with_headers(headers)
            .with_delivery_mode(2);
        self.send("".into(), REJECTED_QUEUE.into(), &message.body, properties)
            .await
    }

    /// The rejected that wait, oldest first, at most so many; they are held until [`close`](Self::close),
    /// which puts back those that were not removed.
    pub async fn rejected(&self, most: usize) -> Result<Vec<Rejected>, BrokerError> {
        let mut found = Vec::new();
        while found.len() < most {
            match self
                .channel
                .basic_get(REJECTED_QUEUE.into(), BasicGetOptions::default())
                .await
            {
                Ok(Some(message)) => found.push(Rejected {
                    message: Message::from(message.delivery),
                }),
                Ok(None) => break,
                // Where nothing was ever rejected there is no queue.
                Err(error) if matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))) =>
                {
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// Sends a rejected message the way it came first; returns once RabbitMQ has it.
    pub async fn retry(&self, rejected: &Rejected) -> Result<(), BrokerError> {
        self.declare_exchange().await?;
        let mut headers = FieldTable::default();
        for (name, value) in rejected
            .message
            .properties
            .headers()
            .iter()
            .flat_map(FieldTable::inner)
        {
            if ![REASON_HEADER, ROUTING_KEY_HEADER, REJECTED_AT_HEADER].contains(&name.as_str()) {
                headers.insert(name.clone(), value.clone());
            }
        }
        let key = rejected
            .routing_key()
            .unwrap_or_else(|| ROUTING_KEYS[0].to_owned());
        self.send(
            EXCHANGE.into(),
            key.into(),
            &rejected.message.body,
            rejected.message.properties.clone().with_headers(headers),
        )
        .await
    }

    /// Removes a rejected message for good.
    pub async fn remove(&self, rejected: &Rejected) -> Result<(), BrokerError> {
        Ok(self
            .channel
            .basic_ack(rejected.message.tag, BasicAckOptions { multiple: false })
            .await?)
    }
}

/// A message that could not be delivered.
#[derive(Debug)]
pub struct Rejected {
    message: Message,
}

impl Rejected {
    pub fn body(&self) -> &[u8] {
        &self.message.body
    }

    pub fn reason(&self) -> Option<String> {
        self.text(REASON_HEADER)
    }

    pub fn notification_type(&self) -> Option<String> {
        self.text(TYPE_HEADER)
    }

    /// The key that it was published with.
    pub fn routing_key(&self) -> Option<String> {
        self.text(ROUTING_KEY_HEADER)
    }

    /// Seconds since 1970.
    pub fn rejected_at(&self) -> Option<i64> {
        match self
            .message
            .properties
            .headers()
            .as_ref()?
            .inner()
            .get(REJECTED_AT_HEADER)
        {
            Some(AMQPValue::LongLongInt(seconds)) => Some(*seconds),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.message.header(name) {
            Header::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }
}
