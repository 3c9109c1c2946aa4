//! The last hop inside the process: broadcasts to the queues of those they are for.
//!
//! One task takes what waits, all of it at once, queues each message for its members and only then
//! flushes the sockets, so that messages that come together leave in one system call per socket.
//! It also paces whoever produces: the writing is done here, before the next batch is taken. While
//! there is a backlog it pauses in proportion to what the last flush took: more messages then share
//! a system call, and a message that comes alone never waits.

use crate::signalr::broadcast::Broadcast;
use crate::signalr::registry::Registry;
use crate::signalr::metrics::Metrics;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Broadcasts that may wait; a full queue makes the producer wait.
const WAITING: usize = 4096;
/// Broadcasts queued for their members before sockets are flushed.
const BATCH: usize = 256;

/// With a backlog, the pause is this many times the last flush, and not longer than that.
const PAUSE_FACTOR: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_millis(30);

/// Whom a message is for.
#[derive(Debug, Clone)]
pub enum Target {
    All,
    Group(Arc<str>),
    Connection(Arc<str>),
}

/// The way to the delivery task.
#[derive(Clone)]
pub struct Delivery {
    sender: mpsc::Sender<(Target, Broadcast)>,
}

impl Delivery {
    /// Starts the task; it ends when the last `Delivery` is gone.
    pub fn start(registry: Arc<Registry>, metrics: Arc<Metrics>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(deliver(registry, metrics, receiver));
        Delivery { sender }
    }

    /// Hands a message over; waits while too many wait.
    pub async fn send(&self, target: Target, broadcast: Broadcast) {
        // The task lives as long as the server; at its end nobody is left to hear.
        let _ = self.sender.send((target, broadcast)).await;
    }

    /// Hands a message over where waiting is not possible; false where it had to be dropped.
    pub fn try_send(&self, target: Target, broadcast: Broadcast) -> bool {
        self.sender.try_send((target, broadcast)).is_ok()
    }
}

async fn deliver(registry: Arc<Registry>, metrics: Arc<Metrics>, mut receiver: mpsc::Receiver<(Target, Broadcast)>) {
    let mut batch = Vec::new();
    let mut dirty = Vec::new();
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let mut delivered = 0;
        for (target, broadcast) in batch.drain(..) {
            delivered += match &target {
                Target::All => registry.queue_for_all(&broadcast, &mut dirty),
                Target::Group(group) => registry.queue_for_group(group, &broadcast, &mut dirty),
                Target::Connection(id) => match registry.client(id) {
                    Some(client) => {
                        if client.outbox.push(broadcast.frame(client.protocol())) {
                            dirty.push(client);
                        }
                        1
                    }
                    None => 0,
                },
            };
        }
        metrics.delivered.fetch_add(delivered as u64, Ordering::Relaxed);
        let flushing = Instant::now();
        for client in dirty.drain(..) {
            client.outbox.flush();
        }
        // Connections' own tasks get their turn between batches.
        tokio::task::yield_now().await;
        let backlog = receiver.len();
        if backlog > 0 && backlog < BATCH {
            tokio::time::sleep((flushing.elapsed() * PAUSE_FACTOR).min(LONGEST_PAUSE)).await;
        }
    }
}
