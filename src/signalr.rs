//! A SignalR server that knows nothing of Harmony: the [`Hub`] trait and the [`Server`] that runs one.

pub mod answer;
pub mod backplane;
pub mod broadcast;
pub mod clients;
pub mod connection;
pub mod delivery;
pub mod endpoint;
pub mod gate;
pub mod metrics;
pub mod outbox;
pub mod protocol;
pub mod registry;
pub mod request;
pub mod results;
pub mod resume;
pub mod serve;
pub mod sessions;
pub mod streams;
pub mod transport;
pub mod value;

use crate::signalr::backplane::Backplane;
use crate::signalr::clients::Clients;
use crate::signalr::delivery::Delivery;
use crate::signalr::gate::GateLimits;
use crate::signalr::metrics::Metrics;
use crate::signalr::outbox::{Backlog, OutboxLimits};
use crate::signalr::protocol::{Encoded, Protocol};
use crate::signalr::registry::{Client, GroupLimits, Registry};
use crate::signalr::results::Results;
use crate::signalr::sessions::{Sessions, Transport};
use crate::signalr::streams::{Items, Upload};
use crate::signalr::value::{Naming, Value};
use hyper::header::HeaderMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A future that a connection's task drives.
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Answers bytes with bytes, where no protocol is spoken.
pub type Raw = fn(&[u8]) -> Vec<u8>;

/// What clients may call.
pub trait Hub: Send + Sync + 'static {
    /// Starts a method, or says why it can't be started.
    fn invoke(&self, caller: Caller, call: &mut Call<'_>) -> Result<Running, Refusal>;

    /// A client shook hands; an error ends its connection.
    fn connected(&self, _caller: &Caller) -> Option<Task<Result<(), HubError>>> {
        None
    }

    /// Whether a client may come in, by the token that it brings in a header or as `access_token`.
    fn admit(&self, _token: Option<&str>) -> Admission {
        Admission::Welcome
    }

    /// Whether methods ask for the request that opened a connection; kept only then.
    fn keeps_requests(&self) -> bool {
        false
    }

    /// Where a connection speaks no protocol at all: what is answered to what comes.
    fn raw(&self) -> Option<Raw> {
        None
    }
}

/// Whether a client may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Welcome,
    /// Until its token ends; then its connection does too.
    Until(Instant),
    Refused,
}

/// A method that was started.
pub enum Running {
    /// It gives one answer; null where it has nothing to say.
    Answer(Task<Result<Value, HubError>>),
    /// It sends a stream.
    Stream(Items),
}

/// One call as the client sent it.
pub struct Call<'a> {
    /// The method's name as the client sent it, matched without regard to case. A hub that knows the method puts
    /// its own spelling here, which errors then have, as in .NET.
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

/// Why a call was not started (spec: signalr.md D4).
#[derive(Debug, Clone)]
pub enum Refusal {
    NoSuchMethod,
    /// It failed before there was anything to wait for.
    Failed(HubError),
    /// Too few or too many arguments, or of another type.
    Arguments,
    /// Another number of streams than the method takes.
    Streams {
        sent: usize,
        expected: usize,
    },
}

/// A method failed. What happened is for the log; the client hears only that it did, unless it is
/// meant to be shown or the server gives details.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct HubError {
    /// .NET's name for what happened.
    kind: &'static str,
    message: String,
}

const SHOWN: &str = "HubException";

impl HubError {
    pub fn new(message: impl Into<String>) -> Self {
        HubError {
            kind: "Exception",
            message: message.into(),
        }
    }

    /// One that clients are told of.
    pub fn shown(message: impl Into<String>) -> Self {
        HubError {
            kind: SHOWN,
            message: message.into(),
        }
    }

    pub fn of(kind: &'static str, message: impl Into<String>) -> Self {
        HubError {
            kind,
            message: message.into(),
        }
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What an error's text for the client ends with.
    pub(crate) fn suffix(&self, detailed: bool) -> String {
        if detailed || self.kind == SHOWN {
            format!(" {self}")
        } else {
            String::new()
        }
    }
}

/// The request that opened a connection.
#[derive(Debug, Clone, Default)]
pub struct OpeningRequest {
    pub headers: HeaderMap,
    pub query: String,
}

/// Who calls.
#[derive(Clone)]
pub struct Caller {
    pub(crate) client: Arc<Client>,
    pub clients: Clients,
    pub transport: Transport,
    /// Where the hub asked for it.
    pub request: Option<Arc<OpeningRequest>>,
}

impl Caller {
    /// The connection's public id.
    pub fn id(&self) -> &str {
        &self.client.id
    }

    /// The caller hears what is sent to `group` from when this returns.
    pub async fn join(&self, group: &str) -> Result<(), HubError> {
        self.clients.join(&self.client, group).await
    }

    pub fn leave(&self, group: &str) {
        self.clients.leave(&self.client, group);
    }
}

/// What a server is like; the defaults are ASP.NET Core's (spec: signalr.md D5).
#[derive(Debug, Clone)]
pub struct Options {
    pub keep_alive: Duration,
    pub client_timeout: Duration,
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer a close frame, and a socket to take what is sent.
    pub close_timeout: Duration,
    pub send_timeout: Duration,
    /// A negotiated connection that nobody opens is forgotten after this time, and one that may be resumed.
    pub disconnect_timeout: Duration,
    /// Bytes of one message, framing included.
    pub maximum_message: usize,
    pub maximum_connections: usize,
    /// Connections that were negotiated and not opened yet.
    pub maximum_negotiated: usize,
    /// Groups that one client may be in, and the bytes of their names.
    pub groups: GroupLimits,
    pub gate: GateLimits,
    /// Messages that one client may send in a second; more wait unread.
    pub messages_per_second: u32,
    /// Invocations of one client that run at a time; more wait unread.
    pub parallel_invocations: usize,
    pub outbox: OutboxLimits,
    /// Bytes that may wait for all clients together; the slow ones are closed where it is more.
    pub backlog: Option<usize>,
    pub protocols: Vec<Protocol>,
    pub transports: Vec<Transport>,
    pub naming: Naming,
    /// Clients are told what went wrong inside.
    pub detailed_errors: bool,
    /// A client may come back to its connection; so many bytes are kept for it at most.
    pub resume: Option<usize>,
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
            maximum_negotiated: 100_000,
            groups: GroupLimits::default(),
            gate: GateLimits::default(),
            messages_per_second: 10_000,
            parallel_invocations: 1,
            outbox: OutboxLimits::default(),
            backlog: None,
            protocols: vec![Protocol::Json, Protocol::MessagePack],
            transports: vec![
                Transport::WebSocket,
                Transport::ServerSentEvents,
                Transport::LongPolling,
            ],
            naming: Naming::Camel,
            detailed_errors: false,
            resume: Some(100_000),
        }
    }
}

/// How long a stop waits until the other servers can be told of it.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The parts of a server that its backplane works with.
pub struct Parts {
    pub registry: Arc<Registry>,
    pub delivery: Delivery,
    pub metrics: Arc<Metrics>,
    pub results: Arc<Results>,
}

/// A hub with everything it needs to serve connections.
pub struct Server<H> {
    pub hub: H,
    pub options: Options,
    pub clients: Clients,
    pub metrics: Arc<Metrics>,
    pub(crate) sessions: Sessions,
    pub(crate) backlog: Arc<Backlog>,
    delivery: Delivery,
    stopping: AtomicBool,
}

impl<H: Hub> Server<H> {
    /// Assembles a server; `backplane` is given the way into this process.
    pub fn new(hub: H, options: Options, backplane: impl FnOnce(Parts) -> Backplane) -> Arc<Self> {
        let (registry, metrics, results) = (
            Arc::new(Registry::new(options.groups)),
            Arc::<Metrics>::default(),
            Arc::<Results>::default(),
        );
        let delivery = Delivery::start(registry.clone(), metrics.clone());
        let parts = Parts {
            registry: registry.clone(),
            delivery: delivery.clone(),
            metrics: metrics.clone(),
            results: results.clone(),
        };
        let backplane = Arc::new(backplane(parts));
        Arc::new(Server {
            hub,
            clients: Clients {
                registry,
                backplane,
                results,
                metrics: metrics.clone(),
                naming: options.naming,
            },
            backlog: Arc::new(
                options
                    .backlog
                    .map_or_else(Backlog::default, Backlog::with_limit),
            ),
            options,
            metrics,
            sessions: Sessions::default(),
            delivery,
            stopping: AtomicBool::new(false),
        })
    }

    pub fn backplane(&self) -> &Backplane {
        &self.clients.backplane
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.clients.registry.len()
    }

    /// Tells every client to reconnect elsewhere, after what was accepted for it, and closes it; returns
    /// when all have gone or at the deadline.
    pub async fn stop(&self, deadline: Instant) {
        // Half of the time at most: the clients need the other.
        let half = deadline.saturating_duration_since(Instant::now()) / 2;
        let settled = async {
            self.backplane().settled().await;
            self.delivery.settled().await;
        };
        let _ = tokio::time::timeout(half, settled).await;
        let _ = tokio::time::timeout(GOODBYE_WITHIN, self.backplane().leave()).await;
        self.stopping.store(true, Ordering::SeqCst);
        while !self.clients.registry.is_empty() && Instant::now() < deadline {
            self.clients
                .registry
                .all()
                .iter()
                .for_each(|client| client.outbox.wake());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
