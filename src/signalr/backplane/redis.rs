//! ASP.NET Core's Redis backplane: the same channels and bytes, so that hubs of both kinds share one
//! Redis (spec: signalr.md F).
//!
//! Two connections, as StackExchange.Redis has: one publishes, one listens. What should be
//! subscribed is a table; a task keeps Redis in step with it, whether a group was just joined or the
//! connection is new. Nobody waits for the listener's handlers: they only queue.

mod catch_up;
pub mod commands;
mod echo;
pub mod link;
mod log;

use super::BackplaneError;
use super::envelope::{self, Invocation};
use crate::connection_string::redis::RedisOptions;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Target;
use crate::signalr::Parts;
use crate::signalr::protocol::Protocol;
use commands::Acknowledgements;
use echo::Echoes;
use ::redis::aio::MultiplexedConnection;
use ::redis::{PushInfo, PushKind, RedisError, Value};
use link::connect_until_it_works;
use log::Log;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};

use tokio_util::task::AbortOnDropHandle;

/// Channels that one SUBSCRIBE names at most.
const CHANNELS_PER_COMMAND: usize = 512;
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
    subscriptions: Mutex<HashMap<Arc<str>, Subscription>>,
    changed: Notify,
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
    parts: Parts,
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

impl RedisBackplane {
    /// Starts connecting, and keeps at it for ever.
    pub fn start(
        options: RedisOptions,
        hub: &str,
        server: String,
        parts: Parts,
    ) -> Self {
        let timeout = options.async_timeout;
        let log = Log::new(&format!("{}{hub}", options.channel_prefix));
        let shared = Arc::new(Shared {
            options,
            hub: hub.to_owned(),
            server,
            subscriptions: Mutex::default(),
            changed: Notify::new(),
            listening: AtomicBool::new(false),
            hubs: AtomicUsize::new(0),
            publisher: watch::Sender::new(None),
            publisher_lost: Notify::new(),
            peers_speak_message_pack: AtomicBool::new(false),
            acknowledgements: Acknowledgements::default(),
            log,
            echoes: Echoes::default(),
            parts,
        });
        let own = [
            shared.channel("all"),
            shared.channel("internal:groups"),
            shared.channel(&format!("internal:ack:{}", shared.server)),
            shared.channel(&format!("internal:return:{}", shared.server)),
            shared.channel("internal:log"),
            shared.channel(&format!("internal:mark:{}", shared.server)),
        ];
        let wanted = |channel: String| (channel.into(), Subscription { wanted: 1, ..Subscription::default() });
        shared.lock().extend(own.map(wanted));
        let tasks = [tokio::spawn(publish_task(shared.clone())), tokio::spawn(listen_task(shared.clone()))];
        RedisBackplane { shared, timeout, _tasks: tasks.map(AbortOnDropHandle::new) }
    }

    pub fn is_ready(&self) -> bool {
        self.shared.listening.load(Ordering::Acquire) && self.shared.publisher.borrow().is_some()
    }

    /// Publishes all in one round trip, once no other hub is too far behind. Refused while this hub itself does not
    /// hear: its own clients would miss what Redis takes.
    pub async fn publish(&self, messages: &[(Target, Broadcast)]) -> Result<(), BackplaneError> {
        self.shared.await_laggards().await;
        if !self.shared.listening.load(Ordering::Acquire) {
            return Err(not_connected());
        }
        let mut connection = self.shared.publisher()?;
        let outgoing: Vec<_> = messages
            .iter()
            .map(|(target, broadcast)| {
                let channel = match target {
                    Target::All => self.shared.channel("all"),
                    Target::Group(group) => self.shared.channel(&format!("group:{group}")),
                    Target::Connection(id) => self.shared.channel(&format!("connection:{id}")),
                };
                (channel, self.shared.envelope(broadcast, None))
            })
            .collect();
        match tokio::time::timeout(self.timeout, self.shared.log.publish(&mut connection, &outgoing)).await {
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
        self.shared.release(&format!("connection:{id}"));
    }

    pub async fn joined(&self, group: &str) -> Result<(), BackplaneError> {
        self.want(&format!("group:{group}")).await
    }

    pub fn left(&self, group: &str) {
        self.shared.release(&format!("group:{group}"));
    }

    async fn want(&self, name: &str) -> Result<(), BackplaneError> {
        let Some(confirmed) = self.shared.want(name) else { return Ok(()) };
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
        envelope::write_invocation(&Invocation {
            excluded: broadcast.excluded.iter().map(String::as_str).collect(),
            messages: forms.into_iter().filter_map(|protocol| Some((protocol.name(), broadcast.payload(protocol)?))).collect(),
            result,
        })
    }

    fn channel(&self, name: &str) -> String {
        format!("{}{}:{name}", self.options.channel_prefix, self.hub)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Subscription>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more who wants a channel; what to wait for where it is not subscribed yet.
    fn want(&self, name: &str) -> Option<oneshot::Receiver<()>> {
        let mut subscriptions = self.lock();
        let subscription = subscriptions.entry(self.channel(name).into()).or_default();
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

    fn release(&self, name: &str) {
        let mut subscriptions = self.lock();
        if let Some(subscription) = subscriptions.get_mut(&*self.channel(name)) {
            subscription.wanted = subscription.wanted.saturating_sub(1);
            if subscription.wanted == 0 {
                drop(subscriptions);
                self.changed.notify_one();
            }
        }
    }

    /// Whether anybody here is in a channel's reach.
    fn is_wanted(&self, channel: &str) -> bool {
        self.lock().get(channel).is_some_and(|subscription| subscription.wanted > 0)
    }

    /// What differs between the table and Redis.
    fn difference(&self) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let mut subscriptions = self.lock();
        subscriptions.retain(|_, subscription| subscription.wanted > 0 || subscription.confirmed);
        let pick = |wanted: bool| {
            let differs = |subscription: &Subscription| (subscription.wanted > 0) == wanted && subscription.confirmed != wanted;
            let channels = subscriptions.iter().filter(|(_, subscription)| differs(subscription));
            channels.map(|(channel, _)| channel.clone()).take(CHANNELS_PER_COMMAND).collect()
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

    fn disconnected(&self) {
        self.log.deaf();
        self.listening.store(false, Ordering::Release);
        self.lock().values_mut().for_each(|subscription| subscription.confirmed = false);
    }

    /// A message from Redis. Runs inside the connection's driver, so it only queues. `lost` gives the connection up.
    fn hear(self: &Arc<Self>, channel: &str, payload: &[u8], lost: &Notify) {
        let Some(name) = self.name_of(channel) else { return };
        match name.strip_prefix("internal:").map(|name| name.split(':').next().unwrap_or(name)) {
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
        let Some((target, broadcast)) = self.read(channel, payload) else { return };
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
        channel.strip_prefix(&self.options.channel_prefix)?.strip_prefix(&self.hub)?.strip_prefix(':')
    }

    /// A message for clients, and for which.
    fn read(&self, channel: &str, payload: &[u8]) -> Option<(Target, Broadcast)> {
        let name = self.name_of(channel)?;
        let target = match name.split_once(':') {
            None if name == "all" => Target::All,
            Some(("group", group)) => Target::Group(group.into()),
            Some(("connection", id)) => Target::Connection(id.into()),
            _ => return None,
        };
        let invocation = match envelope::read_invocation(payload) {
            Ok(invocation) => invocation,
            Err(error) => {
                tracing::warn!(channel, %error, "a message from another server can't be read");
                return None;
            }
        };
        let forms: Vec<_> = invocation.messages.iter().filter_map(|(name, bytes)| Some((Protocol::named(name)?, *bytes))).collect();
        if forms.is_empty() {
            tracing::warn!(channel, "a message from another server is in no protocol known here");
            return None;
        }
        if forms.iter().any(|(protocol, _)| *protocol == Protocol::MessagePack) {
            self.peers_speak_message_pack.store(true, Ordering::Relaxed);
        }
        let mut broadcast = Broadcast::framed(&forms);
        if let Target::Connection(id) = &target {
            if let (Some((id_of_call, return_channel)), Some(client)) = (invocation.result, self.parts.registry.client(id)) {
                self.parts.results.expect_for(&client.id, id_of_call, return_channel);
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
        let mut connection = connect_until_it_works(&shared.options, shared.log.key(), None, "publishing").await;
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
        while listening_hubs(shared, &mut connection).await.is_ok_and(|hubs| hubs < before) {
            tokio::time::sleep(FIRST_RETRY).await;
        }
    };
    if before > 1 && tokio::time::timeout(REUNION, reunited).await.is_err() {
        tracing::warn!(before, "fewer hubs listen on Redis than before; publishing goes on without them");
    }
}

/// Keeps count of the hubs that listen; ends where Redis does not answer.
async fn count_hubs(shared: &Shared, mut connection: MultiplexedConnection) {
    while let Ok(hubs) = listening_hubs(shared, &mut connection).await {
        shared.hubs.store(hubs, Ordering::Relaxed);
        tokio::time::sleep(HEARTBEAT).await;
    }
}

async fn listening_hubs(shared: &Shared, connection: &mut MultiplexedConnection) -> Result<usize, RedisError> {
    let mut command = ::redis::cmd("PUBSUB");
    command.arg("NUMSUB").arg(shared.channel("internal:groups"));
    let counts = command.query_async::<Vec<(String, usize)>>(connection).await?;
    Ok(counts.first().map_or(0, |(_, count)| *count))
}

/// Keeps a connection for listening, with everything wanted subscribed.
async fn listen_task(shared: Arc<Shared>) {
    loop {
        // Each connection has its own: the end of one may be told when the next is there.
        let lost = Arc::new(Notify::new());
        let push = {
            let (listener, lost) = (shared.clone(), lost.clone());
            Box::new(move |push: PushInfo| listener.push(push, &lost))
        };
        let mut connection = connect_until_it_works(&shared.options, shared.log.key(), Some(push), "listening").await;
        let alive = {
            let (connection, shared) = (connection.clone(), shared.clone());
            AbortOnDropHandle::new(tokio::spawn(async move { keep_alive(&shared, connection, &lost, true).await }))
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
        shared.disconnected();
    }
}

impl Shared {
    fn push(self: &Arc<Self>, push: PushInfo, lost: &Notify) -> Result<(), std::convert::Infallible> {
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

async fn subscribe_for_ever(shared: &Arc<Shared>, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    loop {
        let (missing, spare) = shared.difference();
        if missing.is_empty() && spare.is_empty() {
            if !shared.listening.load(Ordering::Acquire) {
                shared.catch_up(connection).await?;
            }
            shared.listening.store(true, Ordering::Release);
            shared.changed.notified().await;
            continue;
        }
        if !missing.is_empty() {
            connection.subscribe(names(&missing)).await?;
            shared.confirm(&missing, true);
        }
        if !spare.is_empty() {
            // Marked first: a join meanwhile must see that the channel has to be subscribed again.
            shared.confirm(&spare, false);
            connection.unsubscribe(names(&spare)).await?;
        }
    }
}

fn names(channels: &[Arc<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
}

/// Returns when the connection is lost, or does not answer; a listening one is asked for a mark in the log, the other
/// asks all hubs how far they are.
async fn keep_alive(shared: &Shared, mut connection: MultiplexedConnection, lost: &Notify, listens: bool) {
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

