//! Publishing, and finding out whether RabbitMQ blocks publishers.

use super::topology::{EXCHANGE, ROUTING_KEYS, TYPE_HEADER};
use super::{Broker, BrokerError, answered};
use futures_util::StreamExt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation};

/// A queue that nobody has.
const NO_QUEUE: &str = "harmony.no-such-queue";

impl Broker {
    /// Publishes a notification as Harmony.Api does; returns once RabbitMQ has it, or says that it
    /// takes none.
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
        // Without a queue the message would vanish without a word.
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let place = (EXCHANGE.into(), ROUTING_KEYS[0].into());
        let sending = self.send(place, options, body, properties);
        match self.unless_blocked(sending).await {
            Err(BrokerError::Content(_)) => Err(BrokerError::Unroutable),
            sent => sent,
        }
    }

    /// Fails where RabbitMQ blocks publishers, as it does while it is short of memory or disk. It
    /// says so only to somebody who publishes: this message has no queue, and goes nowhere.
    pub async fn check_alarms(&self) -> Result<(), BrokerError> {
        let place = ("".into(), NO_QUEUE.into());
        let options = BasicPublishOptions::default();
        let nothing = self.send(place, options, b"", BasicProperties::default());
        match self.unless_blocked(nothing).await {
            // Not everybody may publish there.
            Err(BrokerError::Denied(_)) => Ok(()),
            result => result,
        }
    }

    /// Waits for an answer, which never comes where RabbitMQ blocks the connection.
    async fn unless_blocked<T>(
        &self,
        answer: impl Future<Output = Result<T, BrokerError>>,
    ) -> Result<T, BrokerError> {
        let events = self.connection.events_listener();
        let blocked = events.filter_map(|event| {
            std::future::ready(match event {
                lapin::Event::ConnectionBlocked(reason) => Some(reason),
                _ => None,
            })
        });
        let mut blocked = std::pin::pin!(blocked);
        tokio::select! {
            result = answered(answer) => result,
            Some(reason) = blocked.next() => Err(BrokerError::Blocked(reason)),
        }
    }

    /// Publishes to an exchange by a routing key; returns once RabbitMQ has it.
    pub(super) async fn send(
        &self,
        place: (ShortString, ShortString),
        options: BasicPublishOptions,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), BrokerError> {
        self.send_raw(place, options, body, properties).await?
    }

    pub(super) async fn send_raw(
        &self,
        (exchange, key): (ShortString, ShortString),
        options: BasicPublishOptions,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<Result<(), BrokerError>, lapin::Error> {
        self.channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let confirmation = self
            .channel
            .basic_publish(exchange, key, options, body, properties)
            .await?
            .await?;
        Ok(match confirmation {
            Confirmation::Nack(_) => Err(BrokerError::NotTaken),
            Confirmation::Ack(Some(returned)) => {
                Err(BrokerError::Content(returned.reply_text.to_string()))
            }
            _ => Ok(()),
        })
    }
}
