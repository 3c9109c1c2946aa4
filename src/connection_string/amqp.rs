//! RabbitMQ's address: Harmony's `BrokerConfiguration` (spec: harmony-contract.md 2).

use super::Endpoint;
use crate::secret::Secret;

/// Where RabbitMQ is and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    pub endpoint: Endpoint,
    pub username: String,
    pub password: Secret,
    pub virtual_host: String,
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
        }
    }
}
