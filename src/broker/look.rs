//! Looking at queues without changing them: who consumes, how many messages wait.

use super::{Broker, BrokerError, QUEUE, REJECTED_QUEUE, answered};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

/// A queue as RabbitMQ describes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct QueueLook {
    messages: u32,
    consumers: u32,
}

impl Broker {
    /// How many hubs consume the queue.
    pub async fn consumers(&self) -> Result<u32, BrokerError> {
        Ok(self.look_at(QUEUE).await?.consumers)
    }

    /// How many messages were set aside. RabbitMQ closes the channel where there is no such
    /// queue, so nothing else can be done on this connection then.
    pub async fn rejected_count(&self) -> Result<u32, BrokerError> {
        match self.look_at(REJECTED_QUEUE).await {
            Ok(queue) => Ok(queue.messages),
            Err(BrokerError::Missing(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn look_at(&self, queue: &str) -> Result<QueueLook, BrokerError> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let looking = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        let found = answered(async { Ok(looking.await?) }).await?;
        Ok(QueueLook {
            messages: found.message_count(),
            consumers: found.consumer_count(),
        })
    }
}
