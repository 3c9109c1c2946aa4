//! What all connections of a hub share.

use crate::signalr::backplane::{Backplane, BackplaneParts};
use crate::signalr::budget::MemoryBudget;
use crate::signalr::clients::{Asking, Clients};
use crate::signalr::delivery::Delivery;
use crate::signalr::metrics::Metrics;
use crate::signalr::options::Options;
use crate::signalr::registry::Registry;
use crate::signalr::results::Results;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long a stop waits for the other servers to be told.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// A hub with everything it needs to serve connections.
pub struct Server<H> {
    pub hub: H,
    pub options: Options,
    pub clients: Clients,
    pub metrics: Arc<Metrics>,
    pub budget: Arc<MemoryBudget>,
    delivery: Delivery,
    stopping: AtomicBool,
}

impl<H> Server<H> {
    /// Assembles a server; `backplane` is given the parts of this process that it works with.
    pub fn new(
        hub: H,
        options: Options,
        backplane: impl FnOnce(BackplaneParts) -> Backplane,
    ) -> Arc<Self> {
        let budget = Arc::new(MemoryBudget::new(options.held_bytes));
        let registry = Arc::new(Registry::new(options.groups, budget.clone()));
        let (metrics, results) = (Arc::<Metrics>::default(), Arc::<Results>::default());
        let delivery = Delivery::start(registry.clone(), metrics.clone());
        let backplane = Arc::new(backplane(BackplaneParts {
            registry: registry.clone(),
            delivery: delivery.clone(),
            metrics: metrics.clone(),
            results: results.clone(),
        }));
        Arc::new(Server {
            hub,
            clients: Clients {
                registry,
                backplane,
                results,
                metrics: metrics.clone(),
                naming: options.naming,
                asking: Asking::Anybody,
            },
            budget,
            options,
            metrics,
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

    /// Delivers what was accepted, tells every client to reconnect elsewhere and closes it; returns
    /// when all clients are gone or at the deadline.
    pub async fn stop(&self, deadline: Instant) {
        // The clients need the other half of the time.
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
