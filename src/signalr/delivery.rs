//! The last hop inside the process: broadcasts to the queues of those they are for.
//!
//! One task takes what waits, all of it at once, queues each message for its members and only then
//! flushes the sockets, so that messages that come together leave in one system call per socket.
//! One that comes alone goes to the sockets without the queues. Many sockets are shared among the
//! processors. It also paces whoever produces: all is written before the next batch is taken. While
//! there is a backlog it pauses in proportion to what the last flush took: more messages then share
//! a system call, and a message that comes alone never waits. It pauses too, a little, for clients that
//! read but can't keep up with a backlog; for those that don't read it does not.
//!
//! What a hub's method sends to few clients does not come this way: it is written before the method
//! goes on, as in .NET.

use crate::signalr::broadcast::Broadcast;
use crate::signalr::metrics::Metrics;
use crate::signalr::outbox::Queued;
use crate::signalr::registry::{Client, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// Broadcasts that may wait before a producer in this process has to.
const WAITING: usize = 4096;
/// Broadcasts, and their bytes, that may wait where the producer can't: what Redis brings.
const WAITING_AT_MOST: usize = 1 << 16;
const BYTES_AT_MOST: usize = 64 << 20;
/// Broadcasts queued for their members before sockets are flushed.
const BATCH: usize = 256;

/// Clients that are written to in one go; others are another processor's, where one is free.
const SHARE: usize = 256;

/// With a backlog, the pause is this many times the last flush, and not longer than that.
const PAUSE_FACTOR: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_millis(30);
/// How long delivery pauses after a batch for a client that reads, but is far behind, and again for so many bytes:
/// five thousand messages a second, or five megabytes, go on to all others whatever it does.
const PAUSE_FOR_READERS: Duration = Duration::from_millis(50);
const BYTES_A_PAUSE: usize = 256 << 10;

/// Whom a message is for.
#[derive(Debug, Clone)]
pub enum Recipients {
    All,
    Group(Arc<str>),
    Connection(Arc<str>),
}

/// The way to the delivery task.
#[derive(Clone)]
pub struct Delivery {
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    sender: mpsc::Sender<(Recipients, Broadcast)>,
    queue: Arc<DeliveryQueue>,
}

/// What is known of the queue beside its content.
#[derive(Default)]
struct DeliveryQueue {
    bytes: AtomicUsize,
    /// Broadcasts since the start: those handed over, and those that are written.
    handed: AtomicUsize,
    written: AtomicUsize,
    /// Told after each batch, to one who waits for room.
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
        // The task lives as long as the server; at its end nobody is left to hear.
        let Ok(room) = self.sender.reserve().await else {
            return;
        };
        self.queue.takes(&broadcast);
        room.send((target, broadcast));
    }

    /// Hands a message over where waiting is not possible; false where it had to be dropped.
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

    /// Returns once all that was handed over until now is written, or waits for one socket alone.
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

/// Visits the clients that a message is for, and counts them.
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

/// Writes what is queued for clients, or a message that is not queued, on as many processors as there are. True
/// where one of them reads, but is far behind.
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
        // What comes next must not overtake this.
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
        // One that comes alone needs no queues.
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
        // Connections' own tasks get their turn between batches.
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
