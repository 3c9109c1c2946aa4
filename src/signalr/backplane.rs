//! Where broadcasts go: this process alone, or every process that shares a Redis.

pub mod envelope;
pub mod redis;

use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::{Delivery, Target};
use std::sync::Arc;

/// The reach of a broadcast.
pub enum Backplane {
    Local(Delivery),
    Redis(redis::RedisBackplane),
}

/// A backplane that can't do what it was asked, at the moment.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackplaneError {
    #[error("Redis is not reachable: {0}")]
    Unreachable(String),
    #[error("Redis did not answer within {0:?}")]
    TimedOut(std::time::Duration),
}

impl Backplane {
    /// Sends messages, in order; returns once each is accepted, by this process or by Redis.
    pub async fn publish(&self, messages: &[(Target, Broadcast)]) -> Result<(), BackplaneError> {
        match self {
            Backplane::Local(delivery) => {
                for (target, broadcast) in messages {
                    delivery.send(target.clone(), broadcast.clone()).await;
                }
                Ok(())
            }
            Backplane::Redis(redis) => redis.publish(messages).await,
        }
    }

    /// Whether messages can be sent and are heard.
    pub fn is_ready(&self) -> bool {
        match self {
            Backplane::Local(_) => true,
            Backplane::Redis(redis) => redis.is_ready(),
        }
    }

    /// A client came; returns once messages for it alone reach this process.
    pub async fn connected(&self, id: &Arc<str>) -> Result<(), BackplaneError> {
        match self {
            Backplane::Local(_) => Ok(()),
            Backplane::Redis(redis) => redis.connected(id).await,
        }
    }

    pub fn disconnected(&self, id: &str) {
        if let Backplane::Redis(redis) = self {
            redis.disconnected(id);
        }
    }

    /// A client joined a group; returns once the group's messages reach this process.
    pub async fn joined(&self, group: &str) -> Result<(), BackplaneError> {
        match self {
            Backplane::Local(_) => Ok(()),
            Backplane::Redis(redis) => redis.joined(group).await,
        }
    }

    pub fn left(&self, group: &str) {
        if let Backplane::Redis(redis) = self {
            redis.left(group);
        }
    }
}
