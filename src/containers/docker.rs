//! The Docker API, its one door: what is there ([`Observer`]), and changing it ([`engine::Engine`]).
//!
//! A dry run only ever holds an `Observer`, which has no method that writes.

pub mod engine;

use super::whereabouts::Whereabouts;
use super::{HASH_LABEL, INSTANCE_LABEL, Published, SERVICE_LABEL, VERSION_LABEL};
use bollard::errors::Error;
use bollard::models::{ContainerState, ContainerStateStatusEnum, ContainerSummary};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, LogsOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use engine::Engine;
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

/// How long the engine may take to answer by TLS; bollard's own for the rest.
const ANSWER_SECONDS: u64 = 120;
const LAST_LINES: &str = "10";
const POLL: Duration = Duration::from_millis(200);
/// So often is looked whether a container still starts.
const SETTLE: usize = 8;

/// What Docker did not do, and why.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DockerError {
    #[error("{0}")]
    Context(#[from] super::whereabouts::UnknownContext),
    #[error("nothing is at {0}")]
    NoSocket(String),
    #[error("this user may not use {0}")]
    NotPermitted(String),
    #[error("the engine at {host} does not answer: {error}")]
    NotRunning { host: String, error: String },
    #[error("the image {image} can't be had: {error}")]
    Image { image: String, error: String },
    #[error("port {port} is taken")]
    PortTaken { port: u16 },
    #[error("{what}: {error}")]
    Refused { what: String, error: String },
}

fn refused(what: impl Into<String>) -> impl FnOnce(Error) -> DockerError {
    let what = what.into();
    move |error| match error {
        Error::DockerResponseServerError { message, .. } => match taken_port(&message) {
            Some(port) => DockerError::PortTaken { port },
            None => DockerError::Refused {
                what,
                error: message,
            },
        },
        error => DockerError::Refused {
            what,
            error: error.to_string(),
        },
    }
}

/// The port in the engine's "address already in use" messages.
fn taken_port(message: &str) -> Option<u16> {
    let taken = message.contains("already in use") || message.contains("port is already allocated");
    let before = message.split(": bind: address").next().unwrap_or(message);
    let before = before
        .split(" failed: port is already")
        .next()
        .unwrap_or(before);
    before
        .rsplit(':')
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .ok()
        .filter(|_| taken)
}

/// A container of ours, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
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

/// Looks, and changes nothing.
#[derive(Clone)]
pub struct Observer {
    docker: Docker,
}

impl Observer {
    /// Finds the engine and speaks to it once.
    pub async fn connect(whereabouts: &Whereabouts) -> Result<Self, DockerError> {
        let host = whereabouts.host.as_str();
        if let Some(path) = host.strip_prefix("unix://") {
            check_socket(Path::new(path)).await?;
        }
        let failed = |error: Error| DockerError::NotRunning {
            host: host.to_owned(),
            error: error.to_string(),
        };
        let docker = match &whereabouts.certificates {
            Some(folder) if host.starts_with("tcp://") || host.starts_with("https://") => {
                let [key, certificate, authority] =
                    ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name));
                Docker::connect_with_ssl(
                    host,
                    &key,
                    &certificate,
                    &authority,
                    ANSWER_SECONDS,
                    API_DEFAULT_VERSION,
                )
            }
            _ => Docker::connect_with_host(host),
        };
        let docker = docker.map_err(failed)?;
        Ok(Observer {
            docker: docker.negotiate_version().await.map_err(failed)?,
        })
    }

    /// The containers of an instance.
    pub async fn containers(&self, instance: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE_LABEL}={instance}")])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let list = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(refused("listing containers"))?;
        Ok(list.into_iter().map(found).collect())
    }

    /// The volumes of an instance.
    pub async fn volumes(&self, instance: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE_LABEL}={instance}")])]);
        let options = ListVolumesOptionsBuilder::default()
            .filters(&filters)
            .build();
        let list = self
            .docker
            .list_volumes(Some(options))
            .await
            .map_err(refused("listing volumes"))?;
        Ok(list
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|volume| volume.name)
            .collect())
    }

    /// The networks of an instance.
    pub async fn networks(&self, instance: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE_LABEL}={instance}")])]);
        let options = ListNetworksOptionsBuilder::default()
            .filters(&filters)
            .build();
        let list = self
            .docker
            .list_networks(Some(options))
            .await
            .map_err(refused("listing networks"))?;
        Ok(list
            .into_iter()
            .filter_map(|network| network.name)
            .collect())
    }

    /// The images that this program made of itself for an instance, of all versions.
    pub async fn own_images(&self, instance: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([(
            "reference",
            vec![format!("{}:*", super::own_image::repository(instance))],
        )]);
        let options = ListImagesOptionsBuilder::default()
            .filters(&filters)
            .build();
        let list = self
            .docker
            .list_images(Some(options))
            .await
            .map_err(refused("listing images"))?;
        let ours = list
            .into_iter()
            .filter(|image| image.labels.contains_key(SERVICE_LABEL));
        Ok(ours.flat_map(|image| image.repo_tags).collect())
    }

    /// The name of the container that publishes a port, whoever's it is.
    pub async fn publisher(&self, port: u16) -> Option<String> {
        let list = self
            .docker
            .list_containers(Some(ListContainersOptionsBuilder::default().build()))
            .await
            .ok()?;
        let publishes = |container: &ContainerSummary| {
            container
                .ports
                .iter()
                .flatten()
                .any(|published| published.public_port == Some(port))
        };
        let container = list.into_iter().find(publishes)?;
        Some(container.names?.first()?.trim_start_matches('/').to_owned())
    }

    pub async fn has_image(&self, image: &str) -> bool {
        self.docker.inspect_image(image).await.is_ok()
    }

    /// Whether a container runs; with its exit code where it has ended.
    pub async fn ended(&self, id: &str) -> Option<i64> {
        let state = self.docker.inspect_container(id, None).await.ok()?.state?;
        // One that is about to be started again has ended too.
        let running = state.running.unwrap_or(false) && !state.restarting.unwrap_or(false);
        if running {
            None
        } else {
            Some(state.exit_code.unwrap_or_default())
        }
    }

    /// Waits, for a time, for a container that was made and may be starting still: what is taken away from under its
    /// start leaves its ports taken.
    pub async fn settle(&self, id: &str) {
        let made = |state: &ContainerState| state.status == Some(ContainerStateStatusEnum::CREATED);
        for _ in 0..SETTLE {
            match self
                .docker
                .inspect_container(id, None)
                .await
                .ok()
                .and_then(|container| container.state)
            {
                Some(state) if made(&state) => tokio::time::sleep(POLL).await,
                _ => return,
            }
        }
    }

    /// Returns once a container has ended.
    pub async fn await_end(&self, id: &str) -> i64 {
        loop {
            if let Some(code) = self.ended(id).await {
                return code;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The engine's version, and its clock as ISO 8601 has it.
    pub async fn version(&self) -> Result<(String, Option<String>), DockerError> {
        let version = self
            .docker
            .version()
            .await
            .map_err(refused("asking for the version"))?;
        let clock = self
            .docker
            .info()
            .await
            .ok()
            .and_then(|info| info.system_time);
        Ok((version.version.unwrap_or_default(), clock))
    }

    /// A container's log lines with their times, from `since` on (seconds since 1970); for ever
    /// where they are followed, else those that there are, the last `tail` of them.
    pub fn logs(
        &self,
        id: &str,
        follow: bool,
        tail: &str,
        since: i32,
    ) -> impl Stream<Item = String> + use<> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .follow(follow)
            .tail(tail)
            .since(since);
        let lines = self.docker.logs(id, Some(options.build()));
        // A container that goes ends its log; why is no part of it.
        lines
            .take_while(|line| std::future::ready(line.is_ok()))
            .filter_map(|line| std::future::ready(line.ok().map(|line| line.to_string())))
    }

    /// A container's last log lines.
    pub async fn last_lines(&self, id: &str) -> String {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(LAST_LINES)
            .build();
        let mut lines = self.docker.logs(id, Some(options));
        let mut text = String::new();
        while let Some(Ok(line)) = lines.next().await {
            text.push_str(&format!("  | {}\n", line.to_string().trim_end()));
        }
        text.trim_end().to_owned()
    }

    /// The right to change things.
    pub fn into_engine(self) -> Engine {
        Engine::of(self)
    }
}

/// The engine's own connection error says too little; the socket's says what to do.
async fn check_socket(path: &Path) -> Result<(), DockerError> {
    let host = path.display().to_string();
    match tokio::net::UnixStream::connect(path).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            std::io::ErrorKind::NotFound => DockerError::NoSocket(host),
            std::io::ErrorKind::PermissionDenied => DockerError::NotPermitted(host),
            _ => DockerError::NotRunning {
                host,
                error: error.to_string(),
            },
        }),
    }
}

fn found(container: ContainerSummary) -> Found {
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
    Found {
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

fn message(error: Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. }
        | Error::DockerStreamError { error: message } => message,
        error => error.to_string(),
    }
}
