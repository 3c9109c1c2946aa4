//! A SignalR server that knows nothing of Harmony: the [`Hub`] trait and the [`Server`] that runs one.

pub mod answer;
pub mod backplane;
pub mod broadcast;
pub mod connection;
pub mod delivery;
pub mod endpoint;
pub mod metrics;
pub mod outbox;
pub mod protocol;
pub mod registry;
pub mod sessions;
pub mod transport;

use crate::signalr::backplane::{Backplane, BackplaneError};
use crate::signalr::delivery::Delivery;
use crate::signalr::metrics::Metrics;
use crate::signalr::outbox::OutboxLimits;
use crate::signalr::registry::{Client, Registry};
use crate::signalr::sessions::Sessions;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A future that a connection's task drives.
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What clients may call.
pub trait Hub: Send + Sync + 'static {
    /// Starts a method, or says why it can't be started.
    fn invoke(&self, caller: Caller, call: Call<'_>) -> Result<Task<Result<Vec<u8>, HubError>>, Refusal>;
}

/// One call as the client sent it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method's name; matched without regard to case.
    pub target: &'a str,
    /// A JSON array, checked but not bound.
    pub arguments: &'a [u8],
}

/// Why a call was not started (spec: signalr.md D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NoSuchMethod,
    /// Too few or too many arguments, or of another type.
    Arguments,
}

/// A method failed. What happened is for the log; the client hears only that it did.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HubError(pub String);

/// Who calls, and the groups that it can be put into.
#[derive(Clone)]
pub struct Caller {
    pub(crate) client: Arc<Client>,
    pub(crate) groups: Groups,
}

impl Caller {
    /// The caller hears what is sent to `group` from when this returns.
    pub async fn join(&self, group: &str) -> Result<(), HubError> {
        self.groups.join(&self.client, group).await.map_err(|error| HubError(error.to_string()))
    }

    pub fn leave(&self, group: &str) {
        self.groups.leave(&self.client, group);
    }

    /// How many groups the caller is in.
    pub fn group_count(&self) -> usize {
        self.client.group_count()
    }
}

/// Group membership, kept in step with the backplane's subscriptions.
#[derive(Clone)]
pub struct Groups {
    pub(crate) registry: Arc<Registry>,
    pub(crate) backplane: Arc<Backplane>,
}

impl Groups {
    async fn join(&self, client: &Arc<Client>, group: &str) -> Result<(), BackplaneError> {
        let group: Arc<str> = group.into();
        if !self.registry.join(client, &group) {
            return Ok(());
        }
        let joined = self.backplane.joined(&group).await;
        if joined.is_err() && self.registry.leave(client, &group) {
            self.backplane.left(&group);
        }
        joined
    }

    fn leave(&self, client: &Client, group: &str) {
        if self.registry.leave(client, group) {
            self.backplane.left(group);
        }
    }

    async fn connected(&self, client: &Client) -> Result<(), BackplaneError> {
        self.backplane.connected(&client.id).await
    }

    fn disconnected(&self, client: &Client) {
        for group in self.registry.remove(client) {
            self.backplane.left(&group);
        }
    }
}

/// Times and limits, ASP.NET Core's defaults (spec: signalr.md D5).
#[derive(Debug, Clone)]
pub struct Options {
    pub keep_alive: Duration,
    pub client_timeout: Duration,
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer a close frame, and a socket to take what is sent.
    pub close_timeout: Duration,
    pub send_timeout: Duration,
    /// A negotiated connection that nobody opens is forgotten after this time.
    pub disconnect_timeout: Duration,
    /// Bytes of one message, separator included.
    pub maximum_message: usize,
    pub maximum_connections: usize,
    pub outbox: OutboxLimits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            keep_alive: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(15),
            close_timeout: Duration::from_secs(5),
            send_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(15),
            maximum_message: 32_768,
            maximum_connections: 200_000,
            outbox: OutboxLimits::default(),
        }
    }
}

/// A hub with everything it needs to serve connections.
pub struct Server<H> {
    pub hub: H,
    pub options: Options,
    pub groups: Groups,
    pub metrics: Arc<Metrics>,
    pub(crate) sessions: Sessions,
    stopping: AtomicBool,
}

impl<H: Hub> Server<H> {
    /// Assembles a server; `backplane` is given the way into this process.
    pub fn new(
        hub: H,
        options: Options,
        backplane: impl FnOnce(Arc<Registry>, Delivery, Arc<Metrics>) -> Backplane,
    ) -> Arc<Self> {
        let registry = Arc::new(Registry::default());
        let metrics = Arc::new(Metrics::default());
        let delivery = Delivery::start(registry.clone(), metrics.clone());
        let backplane = Arc::new(backplane(registry.clone(), delivery, metrics.clone()));
        Arc::new(Server {
            hub,
            options,
            groups: Groups { registry, backplane },
            metrics,
            sessions: Sessions::default(),
            stopping: AtomicBool::new(false),
        })
    }

    pub fn backplane(&self) -> &Backplane {
        &self.groups.backplane
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.groups.registry.len()
    }

    /// Tells every client to reconnect elsewhere and closes it; returns when all have gone or at the deadline.
    pub async fn stop(&self, deadline: Instant) {
        self.stopping.store(true, Ordering::SeqCst);
        while !self.groups.registry.is_empty() && Instant::now() < deadline {
            self.groups.registry.all().iter().for_each(|client| client.outbox.wake());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
