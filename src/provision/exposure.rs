//! Ports that are open, and to whom.

use crate::connection_string::Endpoint;
use serde::{Serialize, Serializer};

/// A port that is open, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exposure {
    pub what: &'static str,
    /// `HOST:PORT`
    pub address: Endpoint,
    pub reach: Reach,
}

/// Who can reach a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    ThisMachine,
    /// Whoever reaches the address.
    Network,
    /// The users of the machine that Docker runs on.
    EngineMachine,
}

impl Reach {
    pub fn words(self) -> &'static str {
        match self {
            Reach::ThisMachine => "this machine only",
            Reach::Network => "everyone who reaches this address",
            Reach::EngineMachine => "Docker's machine only",
        }
    }
}

impl Serialize for Reach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Reach::ThisMachine => "thisMachine",
            Reach::Network => "network",
            Reach::EngineMachine => "engineMachine",
        })
    }
}
