//! RabbitMQ's address: Harmony's `BrokerConfiguration` (hub/contract.md, "Settings of the hub").

use super::Endpoint;
use crate::secret::Secret;
use std::path::PathBuf;

/// Where RabbitMQ is and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    pub endpoint: Endpoint,
    pub username: String,
    pub password: Secret,
    pub virtual_host: String,
    /// Where the connection is to be secure.
    pub tls: Option<BrokerTls>,
}

/// How RabbitMQ is known to be the right one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerTls {
    /// The name on its certificate, where that is not its host.
    pub server_name: Option<String>,
    /// A PEM file with the authorities that count, in place of the machine's.
    pub authorities: Option<PathBuf>,
}

impl BrokerAddress {
    /// Takes the settings as they are; empty ones mean `guest`, `guest` and `/`.
    pub fn new(endpoint: Endpoint, username: &str, password: &str, virtual_host: &str) -> Self {
        let or = |text: &str, default: &str| {
            if text.is_empty() {
                default.to_owned()
            } else {
                text.to_owned()
            }
        };
        BrokerAddress {
            endpoint,
            username: or(username, "guest"),
            password: Secret::new(or(password, "guest")),
            virtual_host: or(virtual_host, "/"),
            tls: None,
        }
    }
}
