//! What an application implements: the [`Hub`] trait, and what its methods are given.

use crate::signalr::clients::Clients;
use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{BindingError, Encoded};
use crate::signalr::registry::Client;
use crate::signalr::streams::{Items, Upload};
use crate::signalr::transport_type::TransportType;
use crate::signalr::value::Value;
use hyper::header::HeaderMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::Instant;

/// A future that a connection's task drives.
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Answers bytes with bytes, for connections that speak no hub protocol.
pub type RawHandler = fn(&[u8]) -> Vec<u8>;

/// What clients may call.
pub trait Hub: Send + Sync + 'static {
    /// Starts a method, or says why it cannot start.
    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<StartedMethod, Refusal>;

    /// Runs after a client's handshake; an error ends the connection.
    fn connected(&self, _caller: &Caller) -> Option<Task<Result<(), HubError>>> {
        None
    }

    /// Whether a client may connect, by the token in its `Authorization` header or `access_token`.
    fn admit(&self, _token: Option<&str>) -> Admission {
        Admission::Welcome
    }

    /// Whether methods read the request that opened the connection; it is kept only then.
    fn keeps_requests(&self) -> bool {
        false
    }

    /// The handler of connections that speak no hub protocol.
    fn raw(&self) -> Option<RawHandler> {
        None
    }
}

/// Whether a client may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Welcome,
    /// Until its token expires; the connection ends then.
    Until(Instant),
    Refused,
}

/// A method that has started.
pub enum StartedMethod {
    /// It returns one value; null if it returns nothing.
    Result(Task<Result<Value, HubError>>),
    /// It streams items.
    Stream(Items),
}

/// One call as the client sent it.
pub struct Call<'a> {
    /// The method's name as the client sent it, matched without regard to case. A hub that knows
    /// the method puts its own spelling here; errors then name it so, as in .NET.
    pub target: &'a str,
    pub arguments: Encoded<'a>,
    pub(crate) uploads: Vec<Upload>,
}

impl Call<'_> {
    /// Takes the streams that the client sends with the call.
    pub fn uploads<const N: usize>(&mut self) -> Result<[Upload; N], Refusal> {
        let uploads = std::mem::take(&mut self.uploads);
        let sent = uploads.len();
        uploads
            .try_into()
            .map_err(|_| Refusal::Streams { sent, expected: N })
    }
}

/// Why a call did not start (protocol.md, "Error texts").
#[derive(Debug, Clone)]
pub enum Refusal {
    NoSuchMethod,
    /// It failed before there was anything to wait for.
    Failed(HubError),
    /// Too few or too many arguments, or arguments of another type.
    Arguments(BindingError),
    /// Another number of streams than the method takes.
    Streams {
        sent: usize,
        expected: usize,
    },
}

impl From<BindingError> for Refusal {
    fn from(error: BindingError) -> Self {
        Refusal::Arguments(error)
    }
}

/// The request that opened a connection.
#[derive(Debug, Clone, Default)]
pub struct OpeningRequest {
    pub headers: HeaderMap,
    pub query: String,
}

/// The client that calls.
#[derive(Clone)]
pub struct Caller {
    pub(crate) client: Arc<Client>,
    pub clients: Clients,
    pub transport: TransportType,
    /// Set if the hub [keeps requests](Hub::keeps_requests).
    pub request: Option<Arc<OpeningRequest>>,
}

impl Caller {
    /// The connection's public id.
    pub fn id(&self) -> &str {
        &self.client.id
    }

    /// Ends the connection, as `Context.Abort()` of ASP.NET Core does: the client gets a Close
    /// message, and no result of methods that still run.
    pub fn abort(&self) {
        self.client.abort();
    }

    /// Adds the caller to `group`; once this returns it gets the group's messages.
    pub async fn join(&self, group: &str) -> Result<(), HubError> {
        self.clients.join(&self.client, group).await
    }

    pub fn leave(&self, group: &str) {
        self.clients.leave(&self.client, group);
    }
}
