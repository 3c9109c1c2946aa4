//! The subscribing connection: keeps Redis in step with the table of subscriptions and receives
//! messages.

use super::echo;
use super::link::{FIRST_RETRY, connect_until_it_works};
use super::shared::{Shared, keep_alive};
use crate::redis::{PushInfo, PushKind, RedisConnection, RedisError, RedisValue};
use crate::task;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// Keeps a connection open on which all wanted channels are subscribed.
pub(super) async fn listen_task(shared: Arc<Shared>) {
    loop {
        // One per connection: the end of the old one may be reported when the new one exists.
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
            AbortOnDropHandle::new(task::spawn(async move {
                keep_alive(&shared, connection, &lost, true).await
            }))
        };
        tokio::select! {
            result = subscribe_for_ever(&shared, &mut connection) => {
                if let Err(error) = result {
                    tracing::warn!(%error, "the subscribing connection to Redis failed; reconnecting");
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
    /// Handles a message from Redis. Runs in the connection's driver, so it only queues. `lost`
    /// drops the connection.
    fn hear(self: &Arc<Self>, channel: &str, payload: &[u8], lost: &Notify) {
        let Some(name) = self.name_of(channel) else {
            return;
        };
        match name
            .strip_prefix("internal:")
            .map(|name| name.split(':').next().unwrap_or(name))
        {
            Some("groups") => return self.obey(payload),
            Some("ack") => return self.acknowledged(payload),
            Some("return") => return self.returned(payload),
            // Between hubs of this program only: messages to all of them, and to this one.
            Some("log") => {
                return match echo::read(payload) {
                    Ok((number, server)) => self.echo(number, server),
                    Err(_) => self.restored(payload),
                };
            }
            Some("mark") => {
                return match echo::read(payload) {
                    Ok((number, server)) => self.echoes.answer(server, number),
                    Err(_) => self.log.mark(payload),
                };
            }
            _ => {}
        }
        if !self.log.hears(channel, payload) {
            return;
        }
        let Some((target, broadcast)) = self.read(channel, payload) else {
            return;
        };
        if !self.parts.delivery.try_send(target, broadcast) {
            // The driver must not wait. Drop the connection; catching up fetches the messages
            // again.
            self.parts.metrics.dropped.fetch_add(1, Ordering::Relaxed);
            self.log.unheard();
            self.log.deaf();
            lost.notify_one();
        }
    }

    fn push(
        self: &Arc<Self>,
        push: PushInfo,
        lost: &Notify,
    ) -> Result<(), std::convert::Infallible> {
        match (push.kind, push.data.as_slice()) {
            (
                PushKind::Message,
                [
                    RedisValue::BulkString(channel),
                    RedisValue::BulkString(payload),
                ],
            ) => {
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
    connection: &mut RedisConnection,
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
            // Mark first: a join in the meantime must see that the channel is not subscribed.
            shared.subscriptions.confirm(&spare, false);
            connection.unsubscribe(names(&spare)).await?;
        }
    }
}

fn names(channels: &[Arc<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
}
