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
    /// The listening connection stands and everything wanted is subscribed.
    pub(super) listening: AtomicBool,
    /// How many hubs listened when last looked at, this one included.
    pub(super) hubs: AtomicUsize,
    pub(super) publisher: watch::Sender<Option<RedisConnection>>,
    pub(super) publisher_lost: Notify,
    /// A server that shares the backplane speaks MessagePack: its clients die of messages without it.
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

    /// A message for other servers, in the protocols that they or their clients need.
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

    /// A channel's name behind what all of ours begin with.
    pub(super) fn name_of<'c>(&self, channel: &'c str) -> Option<&'c str> {
        channel
            .strip_prefix(&self.options.channel_prefix)?
            .strip_prefix(&self.hub)?
            .strip_prefix(':')
    }

    /// A message for clients, and for which.
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
        // Named as they are, not as handshakes may spell them; the first of a name counts, also where it is empty.
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

/// Returns when the connection is lost, or does not answer; a listening one is asked for a mark in the log, the other
/// asks all hubs how far they are.
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
