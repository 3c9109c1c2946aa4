//! What the two connections of the backplane share, and the names and bytes of its messages.

use super::acknowledgements::Acknowledgements;
use super::echo::Echoes;
use super::log::Log;
use super::restoring::Restoring;
use super::subscriptions::Subscriptions;
use crate::connection_string::redis::RedisOptions;
use crate::redis::{RedisConnection, cmd};
use crate::signalr::backplane::envelope::{self, InvocationEnvelope};
use crate::signalr::backplane::error::BackplaneError;
use crate::signalr::backplane::parts::BackplaneParts;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::protocol::Protocol;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often a silent connection is checked, and how long its reply may take.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(3);

/// What the tasks of a backplane share.
pub(super) struct Shared {
    pub(super) options: RedisOptions,
    /// The hub's full .NET name, which every channel begins with.
    pub(super) hub: String,
    /// This server's name among its peers.
    pub(super) server: String,
    pub(super) subscriptions: Subscriptions,
    /// The subscribing connection is up and all wanted channels are subscribed.
    pub(super) listening: AtomicBool,
    /// How many hubs were subscribed at the last count, this one included.
    pub(super) hubs: AtomicUsize,
    pub(super) publisher: watch::Sender<Option<RedisConnection>>,
    pub(super) publisher_lost: Notify,
    /// Another server speaks MessagePack: its clients fail on messages without a MessagePack form.
    pub(super) peers_speak_message_pack: AtomicBool,
    pub(super) acknowledgements: Acknowledgements,
    pub(super) log: Log,
    pub(super) restoring: Restoring,
    pub(super) echoes: Echoes,
    pub(super) parts: BackplaneParts,
}

impl Shared {
    pub(super) fn publisher(&self) -> Result<RedisConnection, BackplaneError> {
        self.publisher.borrow().clone().ok_or_else(not_connected)
    }

    /// Encodes a message for other servers, in each protocol that their clients use.
    pub(super) fn envelope(&self, broadcast: &Broadcast, result: Option<(&str, &str)>) -> Vec<u8> {
        if self.peers_speak_message_pack.load(Ordering::Relaxed) {
            broadcast.frame(Protocol::MessagePack);
        }
        let forms = [Protocol::Json, Protocol::MessagePack];
        envelope::write_invocation(&InvocationEnvelope {
            excluded: broadcast.excluded.iter().map(String::as_str).collect(),
            messages: forms
                .into_iter()
                .filter_map(|protocol| Some((protocol.name(), broadcast.payload(protocol)?)))
                .collect(),
            result,
        })
    }

    pub(super) fn channel(&self, name: &str) -> String {
        format!("{}{}:{name}", self.options.channel_prefix, self.hub)
    }

    /// The name of a channel without the common prefix.
    pub(super) fn name_of<'c>(&self, channel: &'c str) -> Option<&'c str> {
        channel
            .strip_prefix(&self.options.channel_prefix)?
            .strip_prefix(&self.hub)?
            .strip_prefix(':')
    }

    /// Decodes a message and the clients that it is for.
    pub(super) fn read(&self, channel: &str, payload: &[u8]) -> Option<(Recipients, Broadcast)> {
        let name = self.name_of(channel)?;
        let target = match name.split_once(':') {
            None if name == "all" => Recipients::All,
            Some(("group", group)) => Recipients::Group(group.into()),
            Some(("connection", id)) => Recipients::Connection(id.into()),
            _ => return None,
        };
        let invocation = match envelope::read_invocation(payload) {
            Ok(invocation) => invocation,
            Err(error) => {
                tracing::warn!(channel, %error, "a message from another server can't be read");
                return None;
            }
        };
        // Protocol names are case-sensitive here; the first of several wins, even if it is empty.
        let form = |protocol: Protocol| {
            Some((
                protocol,
                invocation
                    .messages
                    .iter()
                    .find(|(name, _)| *name == protocol.name())?
                    .1,
            ))
        };
        let forms = [Protocol::Json, Protocol::MessagePack]
            .into_iter()
            .filter_map(form)
            .filter(|(_, bytes)| !bytes.is_empty());
        let forms: Vec<_> = forms.collect();
        if forms.is_empty() {
            tracing::warn!(
                channel,
                "a message from another server is in no protocol known here"
            );
            return None;
        }
        if forms
            .iter()
            .any(|(protocol, _)| *protocol == Protocol::MessagePack)
        {
            self.peers_speak_message_pack.store(true, Ordering::Relaxed);
        }
        let mut broadcast = Broadcast::framed(&forms);
        if let Recipients::Connection(id) = &target {
            if let (Some((id_of_call, return_channel)), Some(client)) =
                (invocation.result, self.parts.registry.client(id))
            {
                self.parts
                    .results
                    .expect_for(&client.id, id_of_call, return_channel);
            }
        } else {
            broadcast.excluded = invocation.excluded.into_iter().map(str::to_owned).collect();
        }
        Some((target, broadcast))
    }
}

/// Returns once the connection is lost or does not answer. Checks a subscribing connection by a
/// mark of the log, a publishing one by a question to all hubs.
pub(super) async fn keep_alive(
    shared: &Shared,
    mut connection: RedisConnection,
    lost: &Notify,
    listens: bool,
) {
    loop {
        tokio::select! {
            () = lost.notified() => return,
            () = tokio::time::sleep(shared.options.keep_alive.unwrap_or(HEARTBEAT)) => {
                let answer = async {
                    if listens {
                        return shared.mark(&mut connection).await;
                    }
                    shared.ask();
                    cmd("PING").query_async(&mut connection).await
                };
                if !matches!(tokio::time::timeout(HEARTBEAT, answer).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

pub(super) fn not_connected() -> BackplaneError {
    BackplaneError::Unreachable("not connected".into())
}
