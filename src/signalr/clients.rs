//! Reaching clients, wherever they are connected: messages, groups, and answers from one client.

use crate::secret::RandomError;
use crate::signalr::backplane::{Backplane, BackplaneError};
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::hub_error::HubError;
use crate::signalr::metrics::Metrics;
use crate::signalr::registry::{Client, Registry};
use crate::signalr::results::{ResultType, Results};
use crate::signalr::value::{NamingPolicy, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    All,
    AllExcept(Vec<String>),
    Group(String),
    GroupExcept(String, Vec<String>),
    Connection(String),
}

/// An invocation's place among those of its client that may run at a time.
#[derive(Default)]
pub struct InvocationSlot {
    freed: AtomicBool,
}

impl InvocationSlot {
    pub(crate) fn is_held(&self) -> bool {
        !self.freed.load(Ordering::Relaxed)
    }
}

/// Whether a caller may ask clients for results, and what that means for its slot.
#[derive(Clone, Default)]
pub(crate) enum Asking {
    #[default]
    Anybody,
    /// Asking frees the slot: the answer may come behind further invocations of the same client.
    InSlot(Arc<InvocationSlot>),
    /// Not before the client's messages are read: it could not answer.
    Nobody,
}

/// All clients of this server and of those that share its backplane.
#[derive(Clone)]
pub struct Clients {
    pub(crate) registry: Arc<Registry>,
    pub(crate) backplane: Arc<Backplane>,
    pub(crate) results: Arc<Results>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) naming: NamingPolicy,
    pub(crate) asking: Asking,
}

impl Clients {
    /// Invokes `target` on clients and waits for no answer; returns once the message is accepted,
    /// and written where that is this process's own affair.
    pub async fn send(
        &self,
        audience: Audience,
        target: &str,
        arguments: &[Value],
    ) -> Result<(), HubError> {
        let broadcast = Broadcast::of(None, target, arguments, self.naming);
        let (to, broadcast) = match audience {
            Audience::All => (Recipients::All, broadcast),
            Audience::AllExcept(excluded) => (Recipients::All, broadcast.except(excluded)),
            Audience::Group(group) => (Recipients::Group(group.into()), broadcast),
            Audience::GroupExcept(group, excluded) => {
                (Recipients::Group(group.into()), broadcast.except(excluded))
            }
            Audience::Connection(id) => match self.registry.client(&id) {
                Some(client) => {
                    client.send(&broadcast);
                    return Ok(());
                }
                None => (Recipients::Connection(id.into()), broadcast),
            },
        };
        // A caller among those that hear it does so before its call is answered.
        Ok(self.backplane.send(to, broadcast).await?)
    }

    /// Invokes `target` on one client and waits for what it returns.
    pub async fn invoke(
        &self,
        connection: &str,
        target: &str,
        arguments: &[Value],
    ) -> Result<Value, HubError> {
        let any = ResultType::Any;
        self.invoke_for(any, connection, target, arguments).await
    }

    /// The same; what is not of the type fails as in .NET.
    pub async fn invoke_for(
        &self,
        wanted: ResultType,
        connection: &str,
        target: &str,
        arguments: &[Value],
    ) -> Result<Value, HubError> {
        match &self.asking {
            Asking::Anybody => {}
            Asking::InSlot(slot) => slot.freed.store(true, Ordering::Relaxed),
            Asking::Nobody => {
                return Err(HubError::of(
                    "InvalidOperationException",
                    "Client results inside OnConnectedAsync Hub methods are not allowed.",
                ));
            }
        }
        let mut waiting = self.results.expect(connection, wanted)?;
        let request = Broadcast::of(Some(&waiting.id), target, arguments, self.naming);
        let there = match self.registry.client(connection) {
            Some(client) => {
                client.send(&request);
                true
            }
            None => {
                self.backplane
                    .request(connection, &waiting.id, &request)
                    .await?
            }
        };
        if !there {
            return Err(HubError::of(
                "IOException",
                format!("Connection '{connection}' does not exist."),
            ));
        }
        match waiting.answer().await {
            Some(result) => result,
            None => Err(HubError::new("the server stops")),
        }
    }

    /// Puts a connection into a group, wherever it is; returns once messages to the group reach it.
    pub async fn add_to_group(&self, connection: &str, group: &str) -> Result<(), HubError> {
        match self.registry.client(connection) {
            Some(client) => self.join(&client, group).await,
            None => Ok(self.backplane.change_group(connection, group, true).await?),
        }
    }

    pub async fn remove_from_group(&self, connection: &str, group: &str) -> Result<(), HubError> {
        match self.registry.client(connection) {
            Some(client) => {
                self.leave(&client, group);
                Ok(())
            }
            None => Ok(self
                .backplane
                .change_group(connection, group, false)
                .await?),
        }
    }

    pub(crate) async fn join(&self, client: &Arc<Client>, group: &str) -> Result<(), HubError> {
        let group: Arc<str> = group.into();
        match self.registry.join(client, &group) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(full) => {
                self.metrics.refused_joins.fetch_add(1, Ordering::Relaxed);
                return Err(HubError::shown(full.to_string()));
            }
        }
        let joined = self.backplane.joined(&group).await;
        if joined.is_err() && self.registry.leave(client, &group) {
            self.backplane.left(&group);
        }
        Ok(joined?)
    }

    pub(crate) fn leave(&self, client: &Client, group: &str) {
        if self.registry.leave(client, group) {
            self.backplane.left(group);
        }
    }

    pub(crate) async fn connected(&self, client: &Client) -> Result<(), BackplaneError> {
        self.backplane.connected(&client.id).await
    }

    /// A client is over: it leaves its groups, and whoever waits for its result learns that there
    /// will be none.
    pub(crate) fn leave_all(&self, client: &Client) {
        for group in self.registry.leave_all(client) {
            self.backplane.left(&group);
        }
        for (id, channel) in self.results.abandon(&client.id) {
            self.backplane.give_up(&channel, &id, client.protocol());
        }
        self.backplane.disconnected(&client.id);
    }

    /// The same clients, for a caller with other rights to ask them.
    pub(crate) fn asking(&self, asking: Asking) -> Self {
        Clients {
            asking,
            ..self.clone()
        }
    }
}

impl From<RandomError> for HubError {
    fn from(error: RandomError) -> Self {
        HubError::new(error.to_string())
    }
}

impl From<BackplaneError> for HubError {
    fn from(error: BackplaneError) -> Self {
        HubError::new(error.to_string())
    }
}
