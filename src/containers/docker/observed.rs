//! Containers, images and volumes, as the engine describes them.

use crate::containers::generation::version_of_server;
use crate::containers::{
    DIGEST_LABEL, HASH_LABEL, IMAGE_LABEL, Published, SERVER_VERSION_LABEL, SERVICE_LABEL,
    VERSION_LABEL,
};
use bollard::models::{ContainerSummary, ImageInspect, Volume};
use std::net::{IpAddr, Ipv4Addr};

/// A container of ours, as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedContainer {
    pub id: String,
    pub name: String,
    pub service: String,
    /// As it was asked for; the image's id, for containers of version 0.1 whose tag has moved on.
    pub image: String,
    /// Its tag stands for another image by now.
    pub image_moved: bool,
    /// What of it runs, by its registry's digest; empty where that is not known.
    pub image_digest: String,
    pub image_id: String,
    /// `redis 8.0.6`; empty where that is not known.
    pub server_version: String,
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
        // The engine lists an image that lost its name by its id.
        let listed = container.image.unwrap_or_default();
        let moved = listed.starts_with("sha256:") && labels.contains_key(IMAGE_LABEL);
        let name = container
            .names
            .and_then(|names| Some(names.first()?.trim_start_matches('/').to_owned()));
        ObservedContainer {
            name: name.unwrap_or_default(),
            id: container.id.unwrap_or_default(),
            service: label(SERVICE_LABEL),
            image: if moved { label(IMAGE_LABEL) } else { listed },
            image_moved: moved,
            image_digest: label(DIGEST_LABEL),
            image_id: container.image_id.unwrap_or_default(),
            server_version: label(SERVER_VERSION_LABEL),
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

/// An image that the engine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedImage {
    pub id: String,
    /// Its registry's digest, as `redis@sha256:…`; empty for one that was never in a registry.
    pub digest: String,
    /// `redis 8.0.6`, by the variable that such images set; empty for others.
    pub server_version: String,
}

impl From<ImageInspect> for ObservedImage {
    fn from(image: ImageInspect) -> Self {
        let variables = image
            .config
            .and_then(|config| config.env)
            .unwrap_or_default();
        ObservedImage {
            id: image.id.unwrap_or_default(),
            digest: image
                .repo_digests
                .unwrap_or_default()
                .into_iter()
                .next()
                .unwrap_or_default(),
            server_version: version_of_server(&variables).unwrap_or_default(),
        }
    }
}

/// A volume of ours, and the server that it was made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedVolume {
    pub name: String,
    /// Both empty for volumes that version 0.1 made.
    pub image: String,
    pub server_version: String,
}

impl From<Volume> for ObservedVolume {
    fn from(mut volume: Volume) -> Self {
        let mut label = |name: &str| volume.labels.remove(name).unwrap_or_default();
        ObservedVolume {
            image: label(IMAGE_LABEL),
            server_version: label(SERVER_VERSION_LABEL),
            name: volume.name,
        }
    }
}

/// A container that publishes a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    pub container: String,
    /// The instance of harmony that it belongs to.
    pub instance: Option<String>,
}
