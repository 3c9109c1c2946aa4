//! What should be subscribed is a table; a task keeps Redis in step with it, whether a group was just joined or the
//! connection is new.

use super::link::connect_until_it_works;
use super::{FIRST_RETRY, Shared, keep_alive};
use ::redis::aio::MultiplexedConnection;
use ::redis::{PushInfo, PushKind, RedisError, Value};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// Channels that one SUBSCRIBE names at most.
const CHANNELS_PER_COMMAND: usize = 512;

/// The channels of this server, by their names.
pub(super) struct Subscriptions {
    table: Mutex<HashMap<Arc<str>, Subscription>>,
    changed: Notify,
}

/// A channel that is wanted, or no longer.
#[derive(Default)]
struct Subscription {
    /// Who wants it: members of the group, or the connection itself.
    wanted: usize,
    /// Redis confirmed it on the present connection.
    confirmed: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Subscriptions {
    /// Those that are wanted for as long as the server is there.
    pub(super) fn always(channels: impl IntoIterator<Item = String>) -> Self {
        let wanted = |channel: String| {
            (
                channel.into(),
                Subscription {
                    wanted: 1,
                    ..Subscription::default()
                },
            )
        };
        Subscriptions {
            table: Mutex::new(channels.into_iter().map(wanted).collect()),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Subscription>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more who wants a channel; what to wait for where it is not subscribed yet.
    pub(super) fn want(&self, channel: String) -> Option<oneshot::Receiver<()>> {
        let mut subscriptions = self.lock();
        let subscription = subscriptions.entry(channel.into()).or_default();
        subscription.wanted += 1;
        if subscription.confirmed {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        subscription.waiting.push(sender);
        drop(subscriptions);
        self.changed.notify_one();
        Some(receiver)
    }

    /// Counts one less.
    pub(super) fn release(&self, channel: &str) {
        let mut subscriptions = self.lock();
        if let Some(subscription) = subscriptions.get_mut(channel) {
            subscription.wanted = subscription.wanted.saturating_sub(1);
            if subscription.wanted == 0 {
                drop(subscriptions);
                self.changed.notify_one();
            }
        }
    }

    /// Whether anybody here is in a channel's reach.
    pub(super) fn is_wanted(&self, channel: &str) -> bool {
        self.lock()
            .get(channel)
            .is_some_and(|subscription| subscription.wanted > 0)
    }

    /// What differs between the table and Redis.
    fn difference(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let mut subscriptions = self.lock();
        subscriptions.retain(|_, subscription| subscription.wanted > 0 || subscription.confirmed);
        let pick = |wanted: bool| {
            let differs = |subscription: &Subscription| {
                (subscription.wanted > 0) == wanted && subscription.confirmed != wanted
            };
            let channels = subscriptions
                .iter()
                .filter(|(_, subscription)| differs(subscription));
            channels
                .map(|(channel, _)| channel.clone())
                .take(CHANNELS_PER_COMMAND)
                .collect()
        };
        (pick(true), pick(false))
    }

    fn confirm(&self, channels: &[Arc<str>], confirmed: bool) {
        let mut subscriptions = self.lock();
        for channel in channels {
            if let Some(subscription) = subscriptions.get_mut(channel) {
                subscription.confirmed = confirmed;
                if confirmed {
                    for waiting in subscription.waiting.drain(..) {
                        // Who gave up waiting needs no answer.
                        let _ = waiting.send(());
                    }
                }
            }
        }
    }

    /// The connection is gone, and all subscriptions with it.
    fn lose_all(&self) {
        self.lock()
            .values_mut()
            .for_each(|subscription| subscription.confirmed = false);
    }
}

/// Keeps a connection for listening, with everything wanted subscribed.
pub(super) async fn listen_task(shared: Arc<Shared>) {
    loop {
        // Each connection has its own: the end of one may be told when the next is there.
        let lost = Arc::new(Notify::new());
        let push = {
            let (listener, lost) = (shared.clone(), lost.clone());
            Box::new(move |push: PushInfo| listener.push(push, &lost))
        };
        let mut connection =
            connect_until_it_works(&shared.options, shared.log.key(), Some(push), "listening")
                .await;
        let alive = {
            let (connection, shared) = (connection.clone(), shared.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                keep_alive(&shared, connection, &lost, true).await
            }))
        };
        tokio::select! {
            result = subscribe_for_ever(&shared, &mut connection) => {
                if let Err(error) = result {
                    tracing::warn!(%error, "Redis: listening failed, and is begun anew");
                    tokio::time::sleep(FIRST_RETRY).await;
                }
            }
            _ = alive => {}
        }
        shared.log.deaf();
        shared.listening.store(false, Ordering::Release);
        shared.subscriptions.lose_all();
    }
}

impl Shared {
    fn push(
        self: &Arc<Self>,
        push: PushInfo,
        lost: &Notify,
    ) -> Result<(), std::convert::Infallible> {
        match (push.kind, push.data.as_slice()) {
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(payload)]) => {
                if let Ok(channel) = std::str::from_utf8(channel) {
                    self.hear(channel, payload, lost);
                }
            }
            (PushKind::Disconnection, _) => lost.notify_one(),
            _ => {}
        }
        Ok(())
    }
}

async fn subscribe_for_ever(
    shared: &Arc<Shared>,
    connection: &mut MultiplexedConnection,
) -> Result<(), RedisError> {
    loop {
        let (missing, spare) = shared.subscriptions.difference();
        if missing.is_empty() && spare.is_empty() {
            if !shared.listening.load(Ordering::Acquire) {
                shared.catch_up(connection).await?;
            }
            shared.listening.store(true, Ordering::Release);
            shared.subscriptions.changed.notified().await;
            continue;
        }
        if !missing.is_empty() {
            connection.subscribe(names(&missing)).await?;
            shared.subscriptions.confirm(&missing, true);
        }
        if !spare.is_empty() {
            // Marked first: a join meanwhile must see that the channel has to be subscribed again.
            shared.subscriptions.confirm(&spare, false);
            connection.unsubscribe(names(&spare)).await?;
        }
    }
}

fn names(channels: &[Arc<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
}
