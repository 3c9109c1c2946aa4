//! ASP.NET Core's Redis backplane: the same channels and bytes, so that hubs of both kinds share one
//! Redis (protocol.md, "Backplane").
//!
//! Two connections, as StackExchange.Redis has: one publishes, one listens. Nobody waits for the listener's
//! handlers: they only queue.

mod catch_up;
pub mod commands;
mod echo;
pub mod link;
mod log;
mod subscriptions;

use super::envelope::{self, InvocationEnvelope};
use crate::connection_string::redis::RedisOptions;
use crate::signalr::backplane::error::BackplaneError;
use crate::signalr::backplane::parts::BackplaneParts;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::protocol::Protocol;
use ::redis::RedisError;
use ::redis::aio::MultiplexedConnection;
use commands::Acknowledgements;
use echo::Echoes;
use link::connect_until_it_works;
use log::Log;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use subscriptions::{Subscriptions, listen_task};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it is alive, and how long it may take.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long after an outage publishing waits for the other hubs to listen again; StackExchange.Redis
/// takes up to ten seconds.
const REUNION: Duration = Duration::from_secs(12);

/// The backplane; dropping it ends its tasks.
pub struct RedisBackplane {
    shared: Arc<Shared>,
    timeout: Duration,
    _tasks: [AbortOnDropHandle<()>; 2],
}

struct Shared {
    options: RedisOptions,
    /// The hub's full .NET name, which every channel begins with.
    hub: String,
    /// This server's name among its peers.
    server: String,
    subscriptions: Subscriptions,
    /// The listening connection stands and everything wanted is subscribed.
    listening: AtomicBool,
    /// How many hubs listened when last looked at, this one included.
    hubs: AtomicUsize,
    publisher: watch::Sender<Option<MultiplexedConnection>>,
    publisher_lost: Notify,
    /// A server that shares the backplane speaks MessagePack: its clients die of messages without it.
    peers_speak_message_pack: AtomicBool,
    acknowledgements: Acknowledgements,
    log: Log,
    echoes: Echoes,
    parts: BackplaneParts,
}

impl RedisBackplane {
    /// Starts connecting, and keeps at it for ever.
    pub fn start(options: RedisOptions, hub: &str, server: String, parts: BackplaneParts) -> Self {
        let timeout = options.async_timeout;
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
            echoes: Echoes::default(),
            parts,
        });
        let tasks = [
            tokio::spawn(publish_task(shared.clone())),
            tokio::spawn(listen_task(shared.clone())),
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

    /// Publishes all in one round trip, once no other hub is too far behind. Refused while this hub itself does not
    /// hear: its own clients would miss what Redis takes.
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

    async fn want(&self, name: &str) -> Result<(), BackplaneError> {
        let Some(confirmed) = self.shared.subscriptions.want(self.shared.channel(name)) else {
            return Ok(());
        };
        match tokio::time::timeout(self.timeout, confirmed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(not_connected()),
            Err(_) => Err(BackplaneError::TimedOut(self.timeout)),
        }
    }
}

impl Shared {
    fn publisher(&self) -> Result<MultiplexedConnection, BackplaneError> {
        self.publisher.borrow().clone().ok_or_else(not_connected)
    }

    /// A message for other servers, in the protocols that they or their clients need.
    fn envelope(&self, broadcast: &Broadcast, result: Option<(&str, &str)>) -> Vec<u8> {
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

    fn channel(&self, name: &str) -> String {
        format!("{}{}:{name}", self.options.channel_prefix, self.hub)
    }

    /// A message from Redis. Runs inside the connection's driver, so it only queues. `lost` gives the connection up.
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
            // These two are between hubs of our kind: what is said to all, and to one alone.
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
            // Nobody can wait here. The connection is given up, and what it would have brought is asked for again.
            self.parts.metrics.dropped.fetch_add(1, Ordering::Relaxed);
            self.log.unheard();
            self.log.deaf();
            lost.notify_one();
        }
    }

    /// A channel's name behind what all of ours begin with.
    fn name_of<'c>(&self, channel: &'c str) -> Option<&'c str> {
        channel
            .strip_prefix(&self.options.channel_prefix)?
            .strip_prefix(&self.hub)?
            .strip_prefix(':')
    }

    /// A message for clients, and for which.
    fn read(&self, channel: &str, payload: &[u8]) -> Option<(Recipients, Broadcast)> {
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

/// The server's name among its peers: the host's, an underscore and a random number.
pub fn new_server_name(host: &str) -> String {
    let hex = crate::hex::encode(&crate::secret::random::<16>());
    format!("{host}_{hex}")
}

/// Keeps a connection for publishing.
async fn publish_task(shared: Arc<Shared>) {
    loop {
        let mut connection =
            connect_until_it_works(&shared.options, shared.log.key(), None, "publishing").await;
        await_reunion(&shared, connection.clone()).await;
        if let Err(error) = shared.restore_log(&mut connection).await {
            tracing::debug!(%error, "the connection for publishing is made anew");
            tokio::time::sleep(FIRST_RETRY).await;
            continue;
        }
        shared.publisher.send_replace(Some(connection.clone()));
        shared.ask();
        tokio::select! {
            () = count_hubs(&shared, connection.clone()) => {}
            () = keep_alive(&shared, connection, &shared.publisher_lost, false) => {}
        }
        shared.publisher.send_replace(None);
    }
}

/// Waits, for a time, until as many hubs listen as did before the connection was lost: what is
/// published earlier their clients would never hear.
async fn await_reunion(shared: &Shared, mut connection: MultiplexedConnection) {
    let before = shared.hubs.load(Ordering::Relaxed);
    let reunited = async {
        while listening_hubs(shared, &mut connection)
            .await
            .is_ok_and(|hubs| hubs < before)
        {
            tokio::time::sleep(FIRST_RETRY).await;
        }
    };
    if before > 1 && tokio::time::timeout(REUNION, reunited).await.is_err() {
        tracing::warn!(
            before,
            "fewer hubs listen on Redis than before; publishing goes on without them"
        );
    }
}

/// Keeps count of the hubs that listen; ends where Redis does not answer.
async fn count_hubs(shared: &Shared, mut connection: MultiplexedConnection) {
    while let Ok(hubs) = listening_hubs(shared, &mut connection).await {
        shared.hubs.store(hubs, Ordering::Relaxed);
        tokio::time::sleep(HEARTBEAT).await;
    }
}

async fn listening_hubs(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
) -> Result<usize, RedisError> {
    let mut command = ::redis::cmd("PUBSUB");
    command.arg("NUMSUB").arg(shared.channel("internal:groups"));
    let counts = command
        .query_async::<Vec<(String, usize)>>(connection)
        .await?;
    Ok(counts.first().map_or(0, |(_, count)| *count))
}

/// Returns when the connection is lost, or does not answer; a listening one is asked for a mark in the log, the other
/// asks all hubs how far they are.
async fn keep_alive(
    shared: &Shared,
    mut connection: MultiplexedConnection,
    lost: &Notify,
    listens: bool,
) {
    loop {
        tokio::select! {
            () = lost.notified() => return,
            () = tokio::time::sleep(HEARTBEAT) => {
                let answer = async {
                    if listens {
                        return shared.mark(&mut connection).await;
                    }
                    shared.ask();
                    ::redis::cmd("PING").query_async(&mut connection).await
                };
                if !matches!(tokio::time::timeout(HEARTBEAT, answer).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

fn not_connected() -> BackplaneError {
    BackplaneError::Unreachable("not connected".into())
}
