//! Messages as RabbitMQ delivers them, and what of them the contract is concerned with.

use super::envelope::{BODY_BYTES_HEADER, UNREADABLE_HEADER};
use super::error::BrokerError;
use super::topology::TYPE_HEADER;
use super::transport::InFlight;
use futures_util::{FutureExt, StreamExt};
use lapin::types::{AMQPValue, LongString, ShortString};
use lapin::{BasicProperties, Consumer};
use std::sync::Arc;

/// Bodies that one batch takes, beside its first.
const BATCH_BYTES: usize = 4 << 20;

/// Messages as they come.
pub struct Messages {
    consumer: Consumer,
    in_flight: Arc<InFlight>,
}

impl Messages {
    pub(super) fn new(consumer: Consumer, in_flight: Arc<InFlight>) -> Self {
        Messages {
            consumer,
            in_flight,
        }
    }

    /// Waits for one message and takes what else is there, up to `most`. Empty once consuming has
    /// ended.
    pub async fn next_batch(&mut self, most: usize) -> Result<Vec<Message>, BrokerError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut next = self.consumer.next().await;
        while let Some(delivery) = next {
            let message = Message::new(delivery?, Some(self.in_flight.clone()));
            bytes += message.body.len();
            batch.push(message);
            if batch.len() == most || bytes >= BATCH_BYTES {
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
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    /// Where its body is counted until it is handled.
    in_flight: Option<Arc<InFlight>>,
    counted: usize,
}

impl Message {
    pub(super) fn new(
        delivery: lapin::message::Delivery,
        in_flight: Option<Arc<InFlight>>,
    ) -> Self {
        Message {
            tag: delivery.delivery_tag,
            redelivered: delivery.redelivered,
            counted: delivery.data.len(),
            body: delivery.data,
            routing_key: delivery.routing_key,
            properties: delivery.properties,
            in_flight,
        }
    }

    /// The number by which it is acknowledged.
    pub fn tag(&self) -> u64 {
        self.tag
    }

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

    /// The type of the notification.
    pub fn type_header(&self) -> Header<'_> {
        self.header(TYPE_HEADER)
    }

    /// What of it could not be read, where something could not.
    pub fn damage(&self) -> Option<Damage> {
        if let Some(bytes) = self.number(BODY_BYTES_HEADER) {
            return Some(Damage::BodyPassedOver(bytes));
        }
        self.number(UNREADABLE_HEADER)
            .map(|_| Damage::HeadersUnreadable)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.properties.headers().as_ref()?.inner().get(name) {
            Some(AMQPValue::LongLongInt(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.release(self.counted);
        }
    }
}

/// What of a message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A body of so many bytes, which is too large to be read.
    BodyPassedOver(i64),
    HeadersUnreadable,
}

/// A header's value, as far as the contract is concerned.
pub enum Header<'m> {
    NoHeaders,
    Missing,
    Text(&'m [u8]),
    Other,
}
