//! A container as the engine lists it.

use crate::containers::{HASH_LABEL, Published, SERVICE_LABEL, VERSION_LABEL};
use bollard::models::ContainerSummary;
use std::net::{IpAddr, Ipv4Addr};

/// A container of ours, as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedContainer {
    pub id: String,
    pub name: String,
    pub service: String,
    pub image: String,
    pub running: bool,
    /// Created and never started: whoever made it was interrupted.
    pub unfinished: bool,
    pub hash: String,
    /// The networks that it is in.
    pub networks: Vec<String>,
    /// The version of this program that made it.
    pub version: String,
    pub ports: Vec<Published>,
    /// Seconds since 1970.
    pub created: i64,
}

impl From<ContainerSummary> for ObservedContainer {
    fn from(container: ContainerSummary) -> Self {
        let labels = container.labels.unwrap_or_default();
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let published = container
            .ports
            .unwrap_or_default()
            .into_iter()
            .filter_map(|port| {
                let address = port
                    .ip
                    .as_deref()
                    .and_then(|ip| ip.parse().ok())
                    .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                Some(Published {
                    inside: port.private_port,
                    address,
                    port: port.public_port?,
                })
            });
        let state = container
            .state
            .map(|state| state.to_string())
            .unwrap_or_default();
        let name = container
            .names
            .and_then(|names| Some(names.first()?.trim_start_matches('/').to_owned()));
        ObservedContainer {
            name: name.unwrap_or_default(),
            id: container.id.unwrap_or_default(),
            service: label(SERVICE_LABEL),
            image: container.image.unwrap_or_default(),
            running: state == "running",
            unfinished: state == "created",
            hash: label(HASH_LABEL),
            networks: container
                .network_settings
                .and_then(|settings| settings.networks)
                .unwrap_or_default()
                .into_keys()
                .collect(),
            version: label(VERSION_LABEL),
            ports: published.collect(),
            created: container.created.unwrap_or_default(),
        }
    }
}
