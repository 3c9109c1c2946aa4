//! Delivers broadcasts to the send queues of their clients.
//!
//! One task takes all waiting messages at once, queues each for its clients and then flushes the
//! sockets, so that messages that arrive together leave in one system call per socket. A message
//! that arrives alone is written without queues. Many sockets are flushed on several processors.
//!
//! The task also limits producers: it writes one batch before it takes the next. Under a backlog it
//! pauses in proportion to the last flush, so that more messages share a system call; a message
//! that arrives alone never waits. It also pauses briefly for clients that read but cannot keep up,
//! not for clients that do not read.
//!
//! A message that a hub method sends to few clients does not pass through this task: it is written
//! before the method continues, as in .NET.

use crate::signalr::broadcast::Broadcast;
use crate::signalr::metrics::Metrics;
use crate::signalr::outbox::Queued;
use crate::signalr::registry::{Client, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// How many broadcasts may wait before producers in this process must wait.
const WAITING: usize = 4096;
/// How many broadcasts from Redis may wait, and their bytes: their producer cannot be made to wait.
const WAITING_AT_MOST: usize = 1 << 16;
const BYTES_AT_MOST: usize = 64 << 20;
/// How many broadcasts are queued for clients before sockets are flushed.
const BATCH: usize = 256;

/// How many clients one processor writes to in one go; a free processor takes the others.
const SHARE: usize = 256;

/// Under a backlog the pause is this multiple of the last flush, up to a maximum.
const PAUSE_FACTOR: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_millis(30);
/// How long delivery pauses after a batch for a client that reads, but is far behind, and again for
/// so many bytes: five thousand messages a second, or five megabytes, go on to all others whatever
/// it does.
const PAUSE_FOR_READERS: Duration = Duration::from_millis(50);
const BYTES_A_PAUSE: usize = 256 << 10;

/// The clients that receive a message.
#[derive(Debug, Clone)]
pub enum Recipients {
    All,
    Group(Arc<str>),
    Connection(Arc<str>),
}

/// A handle to the delivery task.
#[derive(Clone)]
pub struct Delivery {
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    sender: mpsc::Sender<(Recipients, Broadcast)>,
    queue: Arc<DeliveryQueue>,
}

/// Counters of the queue.
#[derive(Default)]
struct DeliveryQueue {
    bytes: AtomicUsize,
    /// Broadcasts since the start: handed over, and written.
    handed: AtomicUsize,
    written: AtomicUsize,
    /// Notified after each batch, for producers that wait for room.
    drained: Notify,
}

impl DeliveryQueue {
    fn takes(&self, broadcast: &Broadcast) {
        self.bytes.fetch_add(broadcast.size(), Ordering::Relaxed);
        self.handed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Delivery {
    /// Starts the task; it ends when the last `Delivery` is gone.
    pub fn start(registry: Arc<Registry>, metrics: Arc<Metrics>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_AT_MOST);
        let queue = Arc::<DeliveryQueue>::default();
        tokio::spawn(deliver(
            registry.clone(),
            metrics.clone(),
            receiver,
            queue.clone(),
        ));
        Delivery {
            registry,
            metrics,
            sender,
            queue,
        }
    }

    fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Hands a message over; waits while too many wait.
    pub async fn send(&self, target: Recipients, broadcast: Broadcast) {
        while self.waiting() >= WAITING || self.queue.bytes.load(Ordering::Relaxed) >= BYTES_AT_MOST
        {
            self.queue.drained.notified().await;
        }
        // The task lives as long as the server; after it, no client is left.
        let Ok(room) = self.sender.reserve().await else {
            return;
        };
        self.queue.takes(&broadcast);
        room.send((target, broadcast));
    }

    /// Hands a message over without waiting. Returns false if the message was dropped.
    pub fn try_send(&self, target: Recipients, broadcast: Broadcast) -> bool {
        let Ok(room) = self.sender.try_reserve() else {
            return false;
        };
        if self.queue.bytes.load(Ordering::Relaxed) >= BYTES_AT_MOST {
            return false;
        }
        self.queue.takes(&broadcast);
        room.send((target, broadcast));
        true
    }

    /// Writes a message before it returns, if it is for few clients; false if it is for many.
    pub fn write_now(&self, target: &Recipients, broadcast: &Broadcast) -> bool {
        let mut clients = Vec::new();
        let count = visit(&self.registry, target, broadcast, |client| {
            clients.push(client.clone());
        });
        if count > SHARE {
            return false;
        }
        self.metrics
            .delivered
            .fetch_add(count as u64, Ordering::Relaxed);
        for client in clients {
            client.send(broadcast);
        }
        true
    }

    /// Returns once every message handed over so far is written or waits in the queue of its
    /// client.
    pub async fn settled(&self) {
        let handed = self.queue.handed.load(Ordering::Relaxed);
        loop {
            let drained = self.queue.drained.notified();
            if self.queue.written.load(Ordering::Relaxed) >= handed {
                return;
            }
            drained.await;
        }
    }
}

/// Calls `visit` for each client that receives a message; returns how many there are.
fn visit(
    registry: &Registry,
    target: &Recipients,
    broadcast: &Broadcast,
    visit: impl FnMut(&Arc<Client>),
) -> usize {
    match target {
        Recipients::All => registry.visit_all(broadcast, visit),
        Recipients::Group(group) => registry.visit_group(group, broadcast, visit),
        Recipients::Connection(id) => {
            let client = registry.client(id);
            client.as_ref().map(visit).into_iter().count()
        }
    }
}

/// Flushes the queues of clients, or writes one unqueued message to them, on all processors.
/// Returns true if a client is reading but far behind.
async fn write(clients: &mut Vec<Arc<Client>>, single: Option<Broadcast>) -> bool {
    fn write_share(clients: impl Iterator<Item = Arc<Client>>, single: Option<&Broadcast>) -> bool {
        let write = |client: Arc<Client>| match single {
            Some(broadcast) => client.send(broadcast),
            None => client.outbox.flush(),
        };
        clients
            .map(write)
            .fold(false, |behind, client| behind | client)
    }
    let (single, mut shares) = (Arc::new(single), Vec::new());
    while clients.len() > SHARE {
        let (share, single) = (clients.split_off(clients.len() - SHARE), single.clone());
        shares.push(tokio::spawn(async move {
            write_share(share.into_iter(), (*single).as_ref())
        }));
    }
    let mut behind = write_share(clients.drain(..), (*single).as_ref());
    for share in shares {
        // The next message must not overtake this one.
        behind |= share.await.unwrap_or_default();
    }
    behind
}

async fn deliver(
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    mut receiver: mpsc::Receiver<(Recipients, Broadcast)>,
    queue: Arc<DeliveryQueue>,
) {
    let mut batch = Vec::new();
    let mut dirty = Vec::new();
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let (count, mut delivered, mut bytes, mut behind) = (batch.len(), 0, 0, false);
        // A message that arrives alone needs no queues.
        let alone = count == 1;
        for (target, broadcast) in &batch {
            bytes += broadcast.size();
            delivered += visit(&registry, target, broadcast, |client| {
                let queued = if alone {
                    Queued::First
                } else {
                    client.queue(broadcast)
                };
                behind |= queued == Queued::Behind;
                if queued == Queued::First {
                    dirty.push(client.clone());
                }
            });
        }
        metrics
            .delivered
            .fetch_add(delivered as u64, Ordering::Relaxed);
        let flushing = Instant::now();
        let single = if alone {
            batch.pop().map(|(_, broadcast)| broadcast)
        } else {
            None
        };
        behind |= write(&mut dirty, single).await;
        batch.clear();
        queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        queue.written.fetch_add(count, Ordering::Relaxed);
        queue.drained.notify_waiters();
        queue.drained.notify_one();
        // Let the connections' tasks run between batches.
        tokio::task::yield_now().await;
        let backlog = receiver.len();
        if backlog > 0 && behind {
            let pauses = u32::try_from(bytes / BYTES_A_PAUSE)
                .unwrap_or(u32::MAX)
                .max(1);
            tokio::time::sleep(PAUSE_FOR_READERS.saturating_mul(pauses)).await;
        } else if backlog > 0 && backlog < BATCH {
            tokio::time::sleep((flushing.elapsed() * PAUSE_FACTOR).min(LONGEST_PAUSE)).await;
        }
    }
}
