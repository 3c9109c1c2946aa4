//! Who is connected, and which groups they are in.

mod groups;

use crate::signalr::broadcast::Broadcast;
use crate::signalr::budget::MemoryBudget;
use crate::signalr::outbox::{Outbox, Queued};
use crate::signalr::protocol::Protocol;
use groups::Groups;
pub use groups::{Full, GroupLimits};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Groups are spread over this many locks, so that joins seldom meet a broadcast.
const SHARDS: usize = 32;

/// One connected client, as the rest of the process sees it.
pub struct Client {
    /// The public id, 22 characters.
    pub id: Arc<str>,
    pub outbox: Outbox,
    groups: Mutex<Groups>,
    /// Its handshake is done and it is not over, so that messages may reach it.
    ready: AtomicBool,
    /// The hub ends its connection.
    aborted: AtomicBool,
    /// What its handshake chose.
    message_pack: AtomicBool,
}

impl Client {
    pub fn new(id: Arc<str>, outbox: Outbox) -> Self {
        Client {
            id,
            outbox,
            groups: Mutex::default(),
            ready: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            message_pack: AtomicBool::new(false),
        }
    }

    pub fn protocol(&self) -> Protocol {
        if self.message_pack.load(Ordering::Relaxed) {
            Protocol::MessagePack
        } else {
            Protocol::Json
        }
    }

    pub fn set_protocol(&self, protocol: Protocol) {
        self.message_pack
            .store(protocol == Protocol::MessagePack, Ordering::Relaxed);
    }

    /// Sends a message to this client now; true where it reads, but is far behind.
    pub fn send(&self, broadcast: &Broadcast) -> bool {
        self.outbox.send(broadcast.frame(self.protocol()))
    }

    /// Queues a message for this client.
    pub fn queue(&self, broadcast: &Broadcast) -> Queued {
        self.outbox.push(broadcast.frame(self.protocol()).clone())
    }

    /// Broadcasts reach the client from its handshake until its end.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Ends the connection without a word of error.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.outbox.wake();
    }

    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    fn lock_groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Members = IndexMap<Arc<str>, Arc<Client>>;

/// All clients of this process and their groups.
pub struct Registry {
    clients: RwLock<HashMap<Arc<str>, Arc<Client>>>,
    groups: [RwLock<HashMap<Arc<str>, Members>>; SHARDS],
    hasher: RandomState,
    count: AtomicUsize,
    /// Bytes of group names, counted for each member.
    name_bytes: AtomicUsize,
    limits: GroupLimits,
    budget: Arc<MemoryBudget>,
}

impl Registry {
    pub fn new(limits: GroupLimits, budget: Arc<MemoryBudget>) -> Self {
        Registry {
            clients: RwLock::default(),
            groups: Default::default(),
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
            name_bytes: AtomicUsize::new(0),
            limits,
            budget,
        }
    }

    pub fn add(&self, client: Arc<Client>) {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.insert(client.id.clone(), client);
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    pub fn remove(&self, client: &Client) {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        clients.remove(&client.id);
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    /// Takes a client that is over out of all its groups, which it returns.
    pub fn leave_all(&self, client: &Client) -> Vec<Arc<str>> {
        let mut own = client.lock_groups();
        own.closed = true;
        let bytes = std::mem::take(&mut own.bytes);
        self.name_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let groups: Vec<_> = std::mem::take(&mut own.names).into_iter().collect();
        self.budget.recount(&mut own.counted, 0);
        drop(own);
        for group in &groups {
            self.take_out(client, group);
        }
        groups
    }

    /// Puts a client into a group; false if it was in already, or is over.
    pub fn join(&self, client: &Arc<Client>, group: &Arc<str>) -> Result<bool, Full> {
        let mut groups = client.lock_groups();
        if groups.closed || groups.names.contains(group) {
            return Ok(false);
        }
        if groups.names.len() >= self.limits.count {
            return Err(Full::Groups(groups.names.len()));
        }
        if groups.bytes + group.len() > self.limits.name_bytes {
            return Err(Full::Names(groups.bytes));
        }
        let cost = groups.cost_with(group);
        if self.budget.is_too_much(cost) {
            return Err(Full::Everything);
        }
        let in_all = self.name_bytes.fetch_add(group.len(), Ordering::Relaxed);
        if in_all + group.len() > self.limits.name_bytes_in_all {
            self.name_bytes.fetch_sub(group.len(), Ordering::Relaxed);
            return Err(Full::NamesOfAll(in_all));
        }
        groups.bytes += group.len();
        groups.names.insert(group.clone());
        self.budget.recount(&mut groups.counted, cost);
        drop(groups);
        let mut shard = self
            .shard(group)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        shard
            .entry(group.clone())
            .or_default()
            .insert(client.id.clone(), client.clone());
        Ok(true)
    }

    /// Takes a client out of a group; false where it was not in.
    pub fn leave(&self, client: &Client, group: &str) -> bool {
        let mut groups = client.lock_groups();
        let was_in = groups.names.remove(group);
        if was_in {
            groups.bytes -= group.len();
            self.name_bytes.fetch_sub(group.len(), Ordering::Relaxed);
            let cost = groups.cost();
            self.budget.recount(&mut groups.counted, cost);
            drop(groups);
            self.take_out(client, group);
        }
        was_in
    }

    fn take_out(&self, client: &Client, group: &str) {
        let mut shard = self
            .shard(group)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(members) = shard.get_mut(group) {
            members.swap_remove(&client.id);
            if members.is_empty() {
                shard.remove(group);
            }
        }
    }

    /// A client that messages may reach.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let client = clients.get(id)?;
        let ready = client.ready.load(Ordering::Acquire);
        ready.then(|| client.clone())
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits the members of a group that a broadcast is for, and counts them. Joins wait
    /// meanwhile.
    pub fn visit_group(
        &self,
        group: &str,
        broadcast: &Broadcast,
        visit: impl FnMut(&Arc<Client>),
    ) -> usize {
        let shard = self
            .shard(group)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shard
            .get(group)
            .map_or(0, |members| visit_all(members.values(), broadcast, visit))
    }

    /// Visits all that a broadcast is for, and counts them. Who comes or goes waits meanwhile.
    pub fn visit_all(&self, broadcast: &Broadcast, visit: impl FnMut(&Arc<Client>)) -> usize {
        visit_all(
            self.clients
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .values(),
            broadcast,
            visit,
        )
    }

    /// Every client there is now.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.clients
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    fn shard(&self, group: &str) -> &RwLock<HashMap<Arc<str>, Members>> {
        &self.groups[self.hasher.hash_one(group) as usize % SHARDS]
    }
}

fn visit_all<'c>(
    members: impl Iterator<Item = &'c Arc<Client>>,
    broadcast: &Broadcast,
    visit: impl FnMut(&'c Arc<Client>),
) -> usize {
    let hears = |client: &&Arc<Client>| {
        client.ready.load(Ordering::Acquire)
            && !broadcast.excluded.iter().any(|id| **id == *client.id)
    };
    members.filter(hears).map(visit).count()
}
