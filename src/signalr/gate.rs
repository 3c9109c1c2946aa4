//! Who may come in: so many connections from one address, and so many that have not said what they
//! want.

use crate::signalr::budget::MemoryBudget;
use crate::signalr::forwarded::Proxies;
use crate::signalr::metrics::Metrics;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many are let in.
#[derive(Debug, Clone, Copy)]
pub struct GateLimits {
    /// From one address; this machine's own, where proxies are, are not counted.
    pub per_address: usize,
    /// Connections that have sent no whole request, or opened a WebSocket and not shaken hands.
    pub half_open: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        GateLimits {
            per_address: 10_000,
            half_open: 20_000,
        }
    }
}

/// Counts connections, and turns away the one too many.
pub struct Gate {
    pub(super) proxies: Proxies,
    limits: GateLimits,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    metrics: Arc<Metrics>,
    /// Where requests count that are not answered yet.
    pub(super) budget: Arc<MemoryBudget>,
}

impl Gate {
    /// Behind proxies, whose own connections are not counted by address.
    pub fn new(
        proxies: Proxies,
        limits: GateLimits,
        metrics: Arc<Metrics>,
        budget: Arc<MemoryBudget>,
    ) -> Arc<Self> {
        Arc::new(Gate {
            proxies,
            limits,
            addresses: Mutex::default(),
            metrics,
            budget,
        })
    }

    /// Lets a connection in, or not: then nothing is said to it, since a crowd is not worth words.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Admitted>> {
        if self.metrics.half_open.fetch_add(1, Ordering::Relaxed) >= self.limits.half_open as u64 {
            self.metrics.half_open.fetch_sub(1, Ordering::Relaxed);
            self.metrics
                .refused_half_open
                .fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let counted = Some(address).filter(|address| !self.proxies.trusts(*address));
        self.count(counted, None)
    }

    /// Counts the client that a proxy speaks for, for as long as it is served; `None` where its
    /// address has too many.
    pub(super) fn enter_forwarded(
        self: &Arc<Self>,
        address: IpAddr,
        connection: &Arc<Admitted>,
    ) -> Option<Arc<Admitted>> {
        self.count(Some(address), Some(connection.clone()))
    }

    fn count(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        connection: Option<Arc<Admitted>>,
    ) -> Option<Arc<Admitted>> {
        let address = address.map(whose).filter(|address| !address.is_loopback());
        // From here on dropping it counts back.
        let admitted = Admitted {
            gate: self.clone(),
            address,
            opened: AtomicBool::new(connection.is_some()),
            connection,
        };
        if let Some(address) = address {
            let mut addresses = self
                .addresses
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = addresses.entry(address).or_default();
            *count += 1;
            if *count > self.limits.per_address {
                drop(addresses);
                if self.metrics.refused_address.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%address, limit = self.limits.per_address, "too many connections from one address; more are only counted");
                }
                return None;
            }
        }
        Some(Arc::new(admitted))
    }
}

/// A connection that was let in, for as long as it lasts.
pub struct Admitted {
    gate: Arc<Gate>,
    address: Option<IpAddr>,
    opened: AtomicBool,
    /// The proxy's connection, where this is a client behind it.
    connection: Option<Arc<Admitted>>,
}

impl Admitted {
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.gate.metrics
    }

    /// It has said what it wants.
    pub fn opened(&self) {
        if let Some(connection) = &self.connection {
            return connection.opened();
        }
        if !self.opened.swap(true, Ordering::Relaxed) {
            self.gate.metrics.half_open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.opened();
        let Some(address) = self.address else { return };
        let mut addresses = self
            .gate
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&address);
            }
        }
    }
}

/// Who an address belongs to: of IPv6 the network, since one customer has all of it.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}
