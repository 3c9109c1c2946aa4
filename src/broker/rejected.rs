//! Messages that were set aside: looked at, sent again, removed.

use super::envelope::{BODY_BYTES_HEADER, OMITTED_HEADER, OWN_PREFIX};
use super::message::{Header, Message};
use super::topology::{REASON_HEADER, REJECTED_AT_HEADER, ROUTING_KEY_HEADER};
use super::{Broker, BrokerError, EXCHANGE, REJECTED_QUEUE, ROUTING_KEYS, TYPE_HEADER};
use lapin::ErrorKind;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;

impl Broker {
    /// The rejected that wait, oldest first, at most so many; they are held until
    /// [`close`](Self::close), which puts back those that were not removed.
    pub async fn rejected(&self, most: usize) -> Result<Vec<Rejected>, BrokerError> {
        let mut found = Vec::new();
        while found.len() < most {
            match self
                .channel
                .basic_get(REJECTED_QUEUE.into(), BasicGetOptions::default())
                .await
            {
                Ok(Some(message)) => found.push(Rejected {
                    message: Message::new(message.delivery, None),
                }),
                Ok(None) => break,
                // Where nothing was ever rejected there is no queue.
                Err(error) if is_missing(&error) => break,
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
            if !name.as_str().starts_with(OWN_PREFIX) {
                headers.insert(name.clone(), value.clone());
            }
        }
        let key = rejected
            .routing_key()
            .unwrap_or_else(|| ROUTING_KEYS[0].to_owned());
        self.send(
            (EXCHANGE.into(), key.into()),
            BasicPublishOptions::default(),
            &rejected.message.body,
            rejected.message.properties.clone().with_headers(headers),
        )
        .await
    }

    /// Removes a rejected message for good.
    pub async fn remove(&self, rejected: &Rejected) -> Result<(), BrokerError> {
        Ok(self
            .channel
            .basic_ack(rejected.message.tag(), BasicAckOptions { multiple: false })
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
        self.message.number(REJECTED_AT_HEADER)
    }

    /// How many of its headers were left out, because they were long, nested or not plain.
    pub fn headers_omitted(&self) -> i64 {
        self.message.number(OMITTED_HEADER).unwrap_or_default()
    }

    /// The size of a body that was left out.
    pub fn body_omitted(&self) -> Option<i64> {
        self.message.number(BODY_BYTES_HEADER)
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.message.header(name) {
            Header::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }
}

/// Whether RabbitMQ says that there is no such queue.
fn is_missing(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return false;
    };
    matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}
