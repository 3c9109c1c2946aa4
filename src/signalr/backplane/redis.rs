//! ASP.NET Core's Redis backplane: the same channels and bytes, so that hubs of both kinds share
//! one Redis (protocol.md, "Backplane").
//!
//! Two connections, as StackExchange.Redis has: one publishes, one listens. Nobody waits for the
//! listener's handlers: they only queue.

mod acknowledgements;
mod catch_up;
mod commands;
mod echo;
mod laggards;
pub mod link;
mod listener;
mod log;
mod publisher;
mod restored;
mod restoring;
mod shared;
mod subscriptions;

use crate::connection_string::redis::RedisOptions;
use crate::secret::arbitrary;
use crate::signalr::backplane::error::BackplaneError;
use crate::signalr::backplane::parts::BackplaneParts;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::task;
use acknowledgements::Acknowledgements;
use echo::Echoes;
use listener::listen_task;
use log::Log;
use publisher::publish_task;
use restoring::Restoring;
use shared::{Shared, not_connected};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use subscriptions::Subscriptions;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// The backplane; dropping it ends its tasks.
pub struct RedisBackplane {
    shared: Arc<Shared>,
    timeout: Duration,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl RedisBackplane {
    /// Starts connecting, and keeps at it for ever.
    pub fn start(options: RedisOptions, hub: &str, server: String, parts: BackplaneParts) -> Self {
        let timeout = options.async_timeout;
        if !options.without_effect.is_empty() {
            let keywords = options.without_effect.join(", ");
            tracing::warn!(
                keywords,
                "these options of RedisConnectionString have no effect here"
            );
        }
        let prefix = format!("{}{hub}", options.channel_prefix);
        let own = ["all", "internal:groups", "internal:log"]
            .map(str::to_owned)
            .into_iter();
        let own = own
            .chain(["ack", "return", "mark"].map(|channel| format!("internal:{channel}:{server}")));
        let shared = Arc::new(Shared {
            subscriptions: Subscriptions::always(own.map(|name| format!("{prefix}:{name}"))),
            options,
            hub: hub.to_owned(),
            server,
            listening: AtomicBool::new(false),
            hubs: AtomicUsize::new(0),
            publisher: watch::Sender::new(None),
            publisher_lost: Notify::new(),
            peers_speak_message_pack: AtomicBool::new(false),
            acknowledgements: Acknowledgements::default(),
            log: Log::new(&prefix),
            restoring: Restoring::default(),
            echoes: Echoes::default(),
            parts,
        });
        let tasks = [
            task::spawn(publish_task(shared.clone())),
            task::spawn(listen_task(shared.clone())),
        ];
        RedisBackplane {
            shared,
            timeout,
            _tasks: tasks.map(AbortOnDropHandle::new),
        }
    }

    pub fn is_ready(&self) -> bool {
        self.shared.listening.load(Ordering::Acquire) && self.shared.publisher.borrow().is_some()
    }

    /// Publishes all in one round trip, once no other hub is too far behind. Refused while this hub
    /// itself does not hear: its own clients would miss what Redis takes.
    pub async fn publish(
        &self,
        messages: &[(Recipients, Broadcast)],
    ) -> Result<(), BackplaneError> {
        self.shared.await_laggards().await;
        if !self.shared.listening.load(Ordering::Acquire) {
            return Err(not_connected());
        }
        let mut connection = self.shared.publisher()?;
        let outgoing: Vec<_> = messages
            .iter()
            .map(|(target, broadcast)| {
                let channel = match target {
                    Recipients::All => self.shared.channel("all"),
                    Recipients::Group(group) => self.shared.channel(&format!("group:{group}")),
                    Recipients::Connection(id) => self.shared.channel(&format!("connection:{id}")),
                };
                (channel, self.shared.envelope(broadcast, None))
            })
            .collect();
        match tokio::time::timeout(
            self.timeout,
            self.shared.log.publish(&mut connection, &outgoing),
        )
        .await
        {
            Ok(Ok(())) => {
                self.shared.published(outgoing);
                Ok(())
            }
            Ok(Err(error)) => {
                self.shared.publisher_lost.notify_one();
                Err(BackplaneError::Unreachable(error.to_string()))
            }
            Err(_) => {
                self.shared.publisher_lost.notify_one();
                Err(BackplaneError::TimedOut(self.timeout))
            }
        }
    }

    pub async fn connected(&self, id: &str) -> Result<(), BackplaneError> {
        self.want(&format!("connection:{id}")).await
    }

    pub fn disconnected(&self, id: &str) {
        self.shared
            .subscriptions
            .release(&self.shared.channel(&format!("connection:{id}")));
    }

    pub async fn joined(&self, group: &str) -> Result<(), BackplaneError> {
        self.want(&format!("group:{group}")).await
    }

    pub fn left(&self, group: &str) {
        self.shared
            .subscriptions
            .release(&self.shared.channel(&format!("group:{group}")));
    }

    /// Counts one more who wants a channel; returns once Redis has it. With `abortConnect=false`
    /// clients are served while Redis is away, as by .NET: what they want is subscribed as soon as
    /// it is back.
    async fn want(&self, name: &str) -> Result<(), BackplaneError> {
        let Some(confirmed) = self.shared.subscriptions.want(self.shared.channel(name)) else {
            return Ok(());
        };
        let patient = !self.shared.options.abort_connect;
        if patient && !self.shared.listening.load(Ordering::Acquire) {
            return Ok(());
        }
        match tokio::time::timeout(self.timeout, confirmed).await {
            Ok(Ok(())) => Ok(()),
            _ if patient => Ok(()),
            Ok(Err(_)) => Err(not_connected()),
            Err(_) => Err(BackplaneError::TimedOut(self.timeout)),
        }
    }
}

/// The server's name among its peers: the host's, an underscore and a random number.
pub fn new_server_name(host: &str) -> String {
    format!("{host}_{:016x}{:016x}", arbitrary(), arbitrary())
}
