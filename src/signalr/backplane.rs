//! Where broadcasts go: this process alone, or every process that shares a Redis.

pub mod envelope;
pub mod error;
pub mod parts;
pub mod redis;

pub use error::BackplaneError;
pub use parts::BackplaneParts;

use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::{Delivery, Recipients};
use crate::signalr::protocol::{Completed, Protocol, ServerMessage};
use crate::signalr::value::NamingPolicy;
use std::sync::Arc;
use std::time::Duration;

/// The reach of a broadcast.
pub enum Backplane {
    Local(Delivery),
    Redis(redis::RedisBackplane),
}

impl Backplane {
    /// Sends messages, in order; returns once each is accepted, by this process or by Redis.
    pub async fn publish(
        &self,
        messages: &[(Recipients, Broadcast)],
    ) -> Result<(), BackplaneError> {
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

    /// Sends a message of a hub's method; returns once Redis accepts it, or it is written if no
    /// other process is between.
    pub async fn send(
        &self,
        target: Recipients,
        broadcast: Broadcast,
    ) -> Result<(), BackplaneError> {
        match self {
            Backplane::Local(delivery) => {
                if !delivery.write_now(&target, &broadcast) {
                    delivery.send(target, broadcast).await;
                    delivery.settled().await;
                }
                Ok(())
            }
            Backplane::Redis(redis) => redis.publish(&[(target, broadcast)]).await,
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

    /// Sends an invocation to a connection on another server; false where there is no such
    /// connection.
    pub async fn request(
        &self,
        connection: &str,
        id: &str,
        request: &Broadcast,
    ) -> Result<bool, BackplaneError> {
        match self {
            Backplane::Local(_) => Ok(false),
            Backplane::Redis(redis) => redis.request(connection, id, request).await,
        }
    }

    /// Puts another server's connection into a group, or takes it out; returns once that is done.
    pub async fn change_group(
        &self,
        connection: &str,
        group: &str,
        add: bool,
    ) -> Result<(), BackplaneError> {
        match self {
            Backplane::Local(_) => Err(BackplaneError::NoSuchConnection(connection.to_owned())),
            Backplane::Redis(redis) => redis.change_group(connection, group, add).await,
        }
    }

    /// Sends a client's answer to the server that asked for it.
    pub fn send_result(&self, channel: String, protocol: Protocol, completion: Vec<u8>) {
        if let Backplane::Redis(redis) = self {
            redis.send_result(channel, protocol, completion);
        }
    }

    /// Tells another server that the client whose answer it waits for is gone.
    pub fn give_up(&self, channel: &str, id: &str, protocol: Protocol) {
        let outcome = Completed::Error("Connection disconnected.");
        let completion = protocol.write(
            &ServerMessage::Completion { id, outcome },
            NamingPolicy::AsDeclared,
        );
        self.send_result(channel.to_owned(), protocol, completion);
    }

    /// Returns once what was published before has reached this process, or can't.
    pub async fn settled(&self) {
        if let Backplane::Redis(redis) = self {
            redis.settled().await;
        }
    }

    /// This process is about to end: the others need not wait for it to hear.
    pub async fn leave(&self) {
        if let Backplane::Redis(redis) = self {
            redis.leave().await;
        }
    }

    /// Makes a negotiated token known to the other servers.
    pub async fn announce(&self, token: &str, id: &str, lifetime: Duration) {
        if let Backplane::Redis(redis) = self {
            redis.announce(token, id, lifetime).await;
        }
    }

    /// A negotiated token is used here: it opens nothing at the other servers.
    pub fn retract(&self, token: &str) {
        if let Backplane::Redis(redis) = self {
            redis.retract(token);
        }
    }

    /// Takes a token that another server negotiated: its connection's id and that server's name.
    pub async fn redeem(&self, token: &str) -> Option<(String, String)> {
        match self {
            Backplane::Local(_) => None,
            Backplane::Redis(redis) => redis.redeem(token).await,
        }
    }
}
