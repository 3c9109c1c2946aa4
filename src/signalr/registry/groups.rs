//! The groups of one client, and how many they may be.

use std::collections::HashSet;
use std::sync::Arc;

/// The groups that one client is in.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) names: HashSet<Arc<str>>,
    /// The names' bytes, which are the client's own choice.
    pub(super) bytes: usize,
    /// What they cost, counted with what all clients hold.
    pub(super) counted: usize,
    /// The client is over and joins no more.
    pub(super) closed: bool,
}

/// What it costs to be in a group, beside its name: the entries of the client, the group and its
/// table.
const MEMBERSHIP: usize = 160;

impl Groups {
    pub(super) fn cost(&self) -> usize {
        self.bytes + self.names.len() * MEMBERSHIP
    }

    /// The cost with one more.
    pub(super) fn cost_with(&self, group: &str) -> usize {
        self.cost() + group.len() + MEMBERSHIP
    }
}

/// How many groups one client may be in, and how long their names may be together.
#[derive(Debug, Clone, Copy)]
pub struct GroupLimits {
    pub count: usize,
    pub name_bytes: usize,
    /// Bytes of the names of all clients' groups together.
    pub name_bytes_in_all: usize,
}

impl Default for GroupLimits {
    /// A browser listens to a board and a handful of cards.
    fn default() -> Self {
        GroupLimits {
            count: 1000,
            name_bytes: 256 << 10,
            name_bytes_in_all: 256 << 20,
        }
    }
}

/// A client is in as many groups as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("the connection is in {0} groups already")]
    Groups(usize),
    #[error("the names of the connection's groups are {0} bytes already")]
    Names(usize),
    #[error("the names of all clients' groups are {0} bytes already")]
    NamesOfAll(usize),
    #[error("the server holds too much for its clients already")]
    Everything,
}
