//! Commands between servers over Redis: group membership of each other's connections, results from
//! clients, and tokens that another server negotiated (protocol.md, "Backplane").

use super::RedisBackplane;
use super::shared::Shared;
use crate::redis::{RedisResult, cmd};
use crate::signalr::backplane::envelope::{self, GroupAction, GroupCommand};
use crate::signalr::backplane::error::BackplaneError;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::protocol::{ClientMessage, Cut, Protocol};
use crate::task;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long another server may take to change a group, as in .NET.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(30);

impl RedisBackplane {
    /// Sends an invocation to another server's connection. Returns false if no server has it.
    pub async fn request(
        &self,
        connection: &str,
        id: &str,
        request: &Broadcast,
    ) -> Result<bool, BackplaneError> {
        // The envelope names the channel without the prefix that StackExchange.Redis adds.
        let return_channel = format!("{}:internal:return:{}", self.shared.hub, self.shared.server);
        let envelope = self.shared.envelope(request, Some((id, &return_channel)));
        let channel = self.shared.channel(&format!("connection:{connection}"));
        Ok(self.publish_to(&channel, envelope).await? > 0)
    }

    /// Adds another server's connection to a group, or removes it.
    pub async fn change_group(
        &self,
        connection: &str,
        group: &str,
        add: bool,
    ) -> Result<(), BackplaneError> {
        let mut redis = self.shared.publisher()?;
        let channel = self.shared.channel(&format!("connection:{connection}"));
        let mut command = cmd("PUBSUB");
        command.arg("NUMSUB").arg(&channel);
        let holders: Vec<(String, usize)> = self.within(command.query_async(&mut redis)).await?;
        if holders.first().is_none_or(|(_, count)| *count == 0) {
            // No server has the connection. .NET waits 30 seconds before it fails.
            return Err(BackplaneError::NoSuchConnection(connection.to_owned()));
        }
        let (id, done) = self.shared.acknowledgements.expect();
        let action = Some(if add {
            GroupAction::Add
        } else {
            GroupAction::Remove
        });
        let command = envelope::write_group_command(&GroupCommand {
            id,
            server: &self.shared.server,
            action,
            group,
            connection,
        });
        self.publish_to(&self.shared.channel("internal:groups"), command)
            .await?;
        let acknowledged = tokio::time::timeout(ACKNOWLEDGE_WITHIN, done).await;
        self.shared.acknowledgements.settle(id);
        acknowledged
            .map_err(|_| BackplaneError::TimedOut(ACKNOWLEDGE_WITHIN))
            .map(drop)
    }

    /// Returns once everything that Redis accepted before has reached this server, or cannot reach
    /// it. Redis keeps the order, so an acknowledgement that we send to ourselves arrives last.
    pub async fn settled(&self) {
        let (id, done) = self.shared.acknowledgements.expect();
        let channel = self
            .shared
            .channel(&format!("internal:ack:{}", self.shared.server));
        if self
            .publish_to(&channel, envelope::write_ack(id))
            .await
            .is_ok()
        {
            let _ = tokio::time::timeout(ACKNOWLEDGE_WITHIN, done).await;
        }
        self.shared.acknowledgements.settle(id);
    }

    /// Sends a client's result to the server that invoked it.
    pub fn send_result(&self, channel: String, protocol: Protocol, completion: Vec<u8>) {
        let payload = envelope::write_completion(protocol.name(), &completion);
        self.shared.publish_soon(
            format!("{}{channel}", self.shared.options.channel_prefix),
            payload,
        );
    }

    /// Announces a token to the other servers. If Redis refuses, only this server knows the token.
    pub async fn announce(&self, token: &str, id: &str, lifetime: Duration) {
        let Ok(mut redis) = self.shared.publisher() else {
            return;
        };
        let mut command = cmd("SET");
        command
            .arg(self.shared.log.token_key(token))
            .arg(format!("{id} {}", self.shared.server));
        command
            .arg("PX")
            .arg(u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX));
        if let Err(error) = self.within(command.query_async::<()>(&mut redis)).await {
            tracing::debug!(%error, "a token could not be announced");
        }
    }

    /// Withdraws a token. If Redis refuses, the token expires by itself.
    pub fn retract(&self, token: &str) {
        let Ok(mut redis) = self.shared.publisher() else {
            return;
        };
        let mut command = ::redis::cmd("DEL");
        command.arg(self.shared.log.token_key(token));
        task::spawn(async move {
            if let Err(error) = command.query_async::<()>(&mut redis).await {
                tracing::debug!(%error, "a token could not be retracted");
            }
        });
    }

    /// Claims a token that another server announced.
    pub async fn redeem(&self, token: &str) -> Option<(String, String)> {
        let mut redis = self.shared.publisher().ok()?;
        let mut command = cmd("GETDEL");
        command.arg(self.shared.log.token_key(token));
        let found: Option<String> = self.within(command.query_async(&mut redis)).await.ok()?;
        let (id, server) = found.as_deref()?.split_once(' ')?;
        Some((id.to_owned(), server.to_owned()))
    }

    pub(super) async fn publish_to(
        &self,
        channel: &str,
        payload: Vec<u8>,
    ) -> Result<i64, BackplaneError> {
        let mut redis = self.shared.publisher()?;
        let mut command = cmd("PUBLISH");
        command.arg(channel).arg(payload);
        self.within(command.query_async(&mut redis)).await
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, BackplaneError> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(BackplaneError::Unreachable(error.to_string())),
            Err(_) => Err(BackplaneError::TimedOut(self.timeout)),
        }
    }
}

impl Shared {
    /// Publishes without waiting. If the message is lost, its receiver asks again or times out.
    pub(super) fn publish_soon(&self, channel: String, payload: Vec<u8>) {
        let Ok(mut redis) = self.publisher() else {
            return;
        };
        tokio::spawn(async move {
            let mut command = cmd("PUBLISH");
            command.arg(channel).arg(payload);
            if let Err(error) = command.query_async::<()>(&mut redis).await {
                tracing::debug!(%error, "what was said to another server was lost");
            }
        });
    }

    /// Another server asks to add one of our connections to a group, or to remove it.
    pub(super) fn obey(self: &Arc<Self>, payload: &[u8]) {
        let command = match envelope::read_group_command(payload) {
            Ok(command) => command,
            Err(error) => return tracing::warn!(%error, "a group command can't be read"),
        };
        let Some(client) = self.parts.registry.client(command.connection) else {
            return;
        };
        let group: Arc<str> = command.group.into();
        let name = self.channel(&format!("group:{group}"));
        let mut confirmed = None;
        if command.action == Some(GroupAction::Add) {
            match self.parts.registry.join(&client, &group) {
                Ok(true) => confirmed = self.subscriptions.want(name),
                Ok(false) => {}
                Err(full) => {
                    // The protocol has no refusal: the other server gets no acknowledgement and
                    // times out.
                    self.parts
                        .metrics
                        .refused_joins
                        .fetch_add(1, Ordering::Relaxed);
                    return tracing::warn!(
                        connection = command.connection,
                        %full,
                        "cannot join the group that another server asks for"
                    );
                }
            }
        } else if command.action == Some(GroupAction::Remove)
            && self.parts.registry.leave(&client, &group)
        {
            self.subscriptions.release(&name);
        }
        tracing::debug!(
            connection = command.connection,
            group = command.group,
            "group changed by another server"
        );
        let (channel, id) = (
            self.channel(&format!("internal:ack:{}", command.server)),
            command.id,
        );
        let shared = self.clone();
        task::spawn(async move {
            // Acknowledge only once the group's messages reach the connection.
            if let Some(confirmed) = confirmed {
                let _ = confirmed.await;
            }
            shared.publish_soon(channel, envelope::write_ack(id));
        });
    }

    pub(super) fn acknowledged(&self, payload: &[u8]) {
        match envelope::read_ack(payload) {
            Ok(number) => self.acknowledgements.settle(number),
            Err(error) => tracing::warn!(%error, "an acknowledgement can't be read"),
        }
    }

    /// A client on another server returns a result.
    pub(super) fn returned(&self, payload: &[u8]) {
        let read = envelope::read_completion(payload)
            .ok()
            .and_then(|(name, framed)| Some((Protocol::named(name)?, framed)));
        let Some((protocol, framed)) = read else {
            return tracing::warn!("a client's answer from another server can't be read");
        };
        let message = match protocol.cut(framed, usize::MAX) {
            Ok(Cut::Message(message, _)) => protocol.read(message),
            _ => return tracing::warn!("a client's answer from another server is not whole"),
        };
        if let Ok(ClientMessage::Completion { id, outcome }) = message {
            self.parts.results.settle_from_elsewhere(&id, &outcome);
        }
    }
}
