//! Changing what Docker has: pulling, creating, starting, joining, removing; and unmaking what was made.

use super::{DockerError, Observer, message, refused};
use crate::containers::credentials::{self, Credentials};
use crate::containers::{
    ContainerSpec, HASH_LABEL, INSTANCE_LABEL, SERVICE_LABEL, Service, VERSION_LABEL,
};
use crate::secret::Secret;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, ExecConfig, HostConfig, NetworkConnectRequest,
    NetworkCreateRequest, NetworkDisconnectRequest, PortBinding, RestartPolicy,
    RestartPolicyNameEnum, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListNetworksOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, RemoveVolumeOptionsBuilder,
    StopContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long a container may take to stop before it is killed.
const STOP_SECONDS: i32 = 10;
/// Before a pull is tried again.
const PULL_PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// How often, and how soon, what the engine is still busy with is tried again.
const TRIES: usize = 50;
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// Whom the hub runs as in its container: nobody.
const NOBODY: &str = "65532:65532";

/// Changes things.
#[derive(Clone)]
pub struct Engine {
    observer: Observer,
}

/// What was made, so that it can be unmade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// A container, with its volume where that was not there before.
    Container {
        id: String,
        volume: Option<String>,
    },
    Network(String),
    Image(String),
}

/// How far a pull is, over all layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    pub current: u64,
    pub total: u64,
}

impl Engine {
    pub(super) fn of(observer: Observer) -> Self {
        Engine { observer }
    }

    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Pulls an image, again where what went wrong may pass; `progress` hears of every step.
    pub async fn pull(
        &self,
        image: &str,
        credentials: Option<&Credentials>,
        mut progress: impl FnMut(Pulled),
    ) -> Result<(), DockerError> {
        let mut pauses = PULL_PAUSES.into_iter();
        loop {
            match (
                self.pull_once(image, credentials, &mut progress).await,
                pauses.next(),
            ) {
                (Err(DockerError::Image { error, .. }), Some(pause)) if may_pass(&error) => {
                    tracing::debug!(image, error, "pulling again in {pause:?}");
                    tokio::time::sleep(pause).await;
                }
                (result, _) => return result,
            }
        }
    }

    async fn pull_once(
        &self,
        image: &str,
        credentials: Option<&Credentials>,
        progress: &mut impl FnMut(Pulled),
    ) -> Result<(), DockerError> {
        let credentials = credentials.map(|known: &Credentials| DockerCredentials {
            username: Some(known.username.clone()).filter(|name| !name.is_empty()),
            password: Some(known.password.reveal().to_owned())
                .filter(|password| !password.is_empty()),
            identitytoken: Some(known.token.reveal().to_owned()).filter(|token| !token.is_empty()),
            serveraddress: Some(credentials::registry(image).to_owned()),
            ..DockerCredentials::default()
        });
        let failed = |error: String| DockerError::Image {
            image: image.to_owned(),
            error,
        };
        let (name, tag) = split_tag(image);
        let options = CreateImageOptionsBuilder::default()
            .from_image(name)
            .tag(tag)
            .build();
        let mut steps = self
            .observer
            .docker
            .create_image(Some(options), None, credentials);
        let mut layers: HashMap<String, Pulled> = HashMap::new();
        while let Some(step) = steps.next().await {
            let step = step.map_err(|error| failed(message(error)))?;
            if let Some(error) = step.error_detail {
                return Err(failed(error.message.unwrap_or_default()));
            }
            if let (Some(id), Some(detail), Some("Downloading")) =
                (step.id, step.progress_detail, step.status.as_deref())
            {
                let number = |value: Option<i64>| {
                    u64::try_from(value.unwrap_or_default()).unwrap_or_default()
                };
                layers.insert(
                    id,
                    Pulled {
                        current: number(detail.current),
                        total: number(detail.total),
                    },
                );
                progress(
                    layers
                        .values()
                        .fold(Pulled::default(), |sum, layer| Pulled {
                            current: sum.current + layer.current,
                            total: sum.total + layer.total,
                        }),
                );
            }
        }
        Ok(())
    }

    /// Creates a container with its volume and files, lets it join its network, and starts it; yields its id. What
    /// was created is removed again where it can't be started.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<(String, Created), DockerError> {
        let (docker, name) = (&self.observer.docker, spec.name());
        let volume = match &spec.volume {
            Some((volume, _)) if docker.inspect_volume(volume).await.is_err() => {
                self.create_volume(spec, volume).await?;
                Some(volume.clone())
            }
            _ => None,
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = docker.create_container(Some(options), body(spec)).await;
        let id = created
            .map_err(refused(format!("creating the container {name}")))?
            .id;
        let created = Created::Container {
            id: id.clone(),
            volume,
        };
        let started = async {
            if let Some(network) = &spec.network {
                self.join(network, &id, spec.service).await?;
            }
            if !spec.files.is_empty() {
                let options = UploadToContainerOptionsBuilder::default().path("/").build();
                let archive = archive(&spec.files).map_err(|error| DockerError::Refused {
                    what: format!("packing files for {name}"),
                    error: error.to_string(),
                })?;
                let upload = docker.upload_to_container(
                    &id,
                    Some(options),
                    bollard::body_full(archive.into()),
                );
                upload
                    .await
                    .map_err(refused(format!("copying files into {name}")))?;
            }
            self.start(&id, &name).await
        };
        if let Err(error) = started.await {
            self.undo(&created).await?;
            return Err(error);
        }
        Ok((id, created))
    }

    async fn create_volume(&self, spec: &ContainerSpec, volume: &str) -> Result<(), DockerError> {
        let labels = [
            (INSTANCE_LABEL, spec.instance.as_str()),
            (SERVICE_LABEL, spec.service.name()),
        ];
        let request = VolumeCreateRequest {
            name: Some(volume.to_owned()),
            labels: Some(
                labels
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..Default::default()
        };
        let created = self.observer.docker.create_volume(request).await;
        created
            .map(drop)
            .map_err(refused(format!("creating the volume {volume}")))
    }

    pub async fn create_network(&self, name: &str, instance: &str) -> Result<Created, DockerError> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some([(INSTANCE_LABEL.to_owned(), instance.to_owned())].into()),
            ..Default::default()
        };
        let created = self.observer.docker.create_network(request).await;
        created.map_err(refused(format!("creating the network {name}")))?;
        // Engines before 25 take a name twice: a run that was killed may have asked for it just before.
        for surplus in self.networks_named(name).await?.iter().skip(1) {
            self.remove_network_by_id(surplus, name).await?;
        }
        Ok(Created::Network(name.to_owned()))
    }

    /// The ids of the networks of a name, as a rule one; the first is the one that counts, whoever looks.
    async fn networks_named(&self, name: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("name", vec![name.to_owned()])]);
        let options = ListNetworksOptionsBuilder::default()
            .filters(&filters)
            .build();
        let found = self
            .observer
            .docker
            .list_networks(Some(options))
            .await
            .map_err(refused("listing networks"))?;
        // The engine finds parts of names too.
        let named = found
            .into_iter()
            .filter(|network| network.name.as_deref() == Some(name));
        let mut ids: Vec<_> = named.filter_map(|network| network.id).collect();
        ids.sort();
        Ok(ids)
    }

    /// Lets a container join a network, in which it is found by its service's name.
    pub async fn join(&self, network: &str, id: &str, service: Service) -> Result<(), DockerError> {
        let endpoint = EndpointSettings {
            aliases: Some(vec![service.host_name().to_owned()]),
            ..Default::default()
        };
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(endpoint),
        };
        let known = self.networks_named(network).await?;
        let by_id = known.first().map_or(network, String::as_str);
        match self.observer.docker.connect_network(by_id, request).await {
            // By a run that was killed, whose wish the engine still fulfilled.
            Err(Error::DockerResponseServerError { message, .. })
                if message.contains("already exists in network") =>
            {
                Ok(())
            }
            joined => joined.map_err(refused(format!("joining the network {network}"))),
        }
    }

    /// Removes a network, and any other of the same name; the containers that are still in it leave it.
    pub async fn remove_network(&self, name: &str) -> Result<(), DockerError> {
        for id in self.networks_named(name).await? {
            self.remove_network_by_id(&id, name).await?;
        }
        Ok(())
    }

    /// Again, where the engine is still at what a run wanted that was killed.
    async fn remove_network_by_id(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let docker = &self.observer.docker;
        let mut tries = 0..TRIES;
        loop {
            let inside = docker
                .inspect_network(id, None)
                .await
                .ok()
                .and_then(|network| network.containers)
                .unwrap_or_default();
            for container in inside.into_keys() {
                // One that has left meanwhile needs not; whether all have, the removal tells.
                let _ = docker
                    .disconnect_network(
                        id,
                        NetworkDisconnectRequest {
                            container,
                            force: Some(true),
                        },
                    )
                    .await;
            }
            match docker.remove_network(id).await {
                Err(Error::DockerResponseServerError { message, .. })
                    if message.contains("active endpoints") && tries.next().is_some() =>
                {
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                removed => return gone_is_fine(removed, format!("removing the network {name}")),
            }
        }
    }

    /// Makes an image of a tar archive of its files.
    pub async fn import_image(
        &self,
        image: &str,
        archive: Vec<u8>,
    ) -> Result<Created, DockerError> {
        let (name, tag) = split_tag(image);
        let label = format!("LABEL {SERVICE_LABEL}={}", Service::Hub.name());
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(name)
            .tag(tag)
            .changes(vec![label])
            .build();
        let mut steps = self.observer.docker.create_image(
            Some(options),
            Some(bollard::body_full(archive.into())),
            None,
        );
        while let Some(step) = steps.next().await {
            let error = match step {
                Ok(step) => step
                    .error_detail
                    .map(|error| error.message.unwrap_or_default()),
                Err(error) => Some(message(error)),
            };
            if let Some(error) = error {
                return Err(DockerError::Refused {
                    what: format!("making the image {image}"),
                    error,
                });
            }
        }
        Ok(Created::Image(image.to_owned()))
    }

    /// Removes an image, unless a container still uses it.
    pub async fn remove_image(&self, image: &str) -> Result<(), DockerError> {
        let removed = self
            .observer
            .docker
            .remove_image(
                image,
                Some(RemoveImageOptionsBuilder::default().build()),
                None,
            )
            .await;
        match removed.map(drop) {
            Err(Error::DockerResponseServerError {
                status_code: 409, ..
            }) => Ok(()),
            removed => gone_is_fine(removed, format!("removing the image {image}")),
        }
    }

    /// Removes what was made, and nothing that was there before.
    pub async fn undo(&self, created: &Created) -> Result<(), DockerError> {
        match created {
            Created::Container { id, volume } => {
                self.remove(id, "that was just made").await?;
                match volume {
                    Some(volume) => self.remove_volume(volume).await,
                    None => Ok(()),
                }
            }
            Created::Network(name) => self.remove_network(name).await,
            Created::Image(name) => self.remove_image(name).await,
        }
    }

    /// Runs a command inside a container; what it reads is no argument, and so seen by nobody. True where it succeeded.
    pub async fn run_inside(
        &self,
        id: &str,
        command: &[&str],
        input: &Secret,
    ) -> Result<bool, DockerError> {
        let docker = &self.observer.docker;
        let failed = || {
            refused(format!(
                "running {} inside a container",
                command.first().unwrap_or(&"")
            ))
        };
        let config = ExecConfig {
            cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let run = docker.create_exec(id, config).await.map_err(failed())?;
        if let StartExecResults::Attached {
            mut output,
            input: mut stdin,
        } = docker.start_exec(&run.id, None).await.map_err(failed())?
        {
            let written = async {
                stdin
                    .write_all(format!("{}\n", input.reveal()).as_bytes())
                    .await?;
                stdin.shutdown().await
            };
            // A command that does not read its input is told by how it ends.
            let _ = written.await;
            while output.next().await.is_some() {}
        }
        let ended = docker.inspect_exec(&run.id).await.map_err(failed())?;
        Ok(ended.exit_code == Some(0))
    }

    pub async fn start(&self, id: &str, name: &str) -> Result<(), DockerError> {
        self.observer
            .docker
            .start_container(id, None)
            .await
            .map_err(refused(format!("starting the container {name}")))
    }

    pub async fn stop(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = StopContainerOptionsBuilder::default()
            .t(STOP_SECONDS)
            .build();
        gone_is_fine(
            self.observer.docker.stop_container(id, Some(options)).await,
            format!("stopping the container {name}"),
        )
    }

    /// Removes a container and its nameless volumes; named ones stay.
    pub async fn remove(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let docker = &self.observer.docker;
        let mut tries = 0..TRIES;
        loop {
            match docker.remove_container(id, Some(options.clone())).await {
                // For a run that was killed: it has to be gone all the same.
                Err(Error::DockerResponseServerError { message, .. })
                    if message.contains("already in progress") && tries.next().is_some() =>
                {
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                removed => return gone_is_fine(removed, format!("removing the container {name}")),
            }
        }
    }

    pub async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveVolumeOptionsBuilder::default().build();
        gone_is_fine(
            self.observer
                .docker
                .remove_volume(name, Some(options))
                .await,
            format!("removing the volume {name}"),
        )
    }
}

/// Whether trying again may help: the network's and the registry's passing troubles, not what it refuses.
fn may_pass(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    const PASSING: [&str; 9] = [
        "timeout",
        "timed out",
        "connection reset",
        "connection refused",
        "unexpected eof",
        "tls handshake",
        "502",
        "503",
        "504",
    ];
    PASSING.iter().any(|part| error.contains(part))
}

fn gone_is_fine(result: Result<(), Error>, what: String) -> Result<(), DockerError> {
    match result {
        Err(Error::DockerResponseServerError {
            status_code: 404 | 304,
            ..
        }) => Ok(()),
        result => result.map_err(refused(what)),
    }
}

fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let labels = [
        (INSTANCE_LABEL, spec.instance.clone()),
        (SERVICE_LABEL, spec.service.name().to_owned()),
        (VERSION_LABEL, env!("CARGO_PKG_VERSION").to_owned()),
        (HASH_LABEL, spec.hash()),
    ];
    let inside = |port: u16| format!("{port}/tcp");
    let mut ports: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for published in &spec.ports {
        let binding = PortBinding {
            host_ip: Some(published.address.to_string()),
            host_port: Some(published.port.to_string()),
        };
        ports
            .entry(inside(published.inside))
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    let ours = spec.service == Service::Hub;
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: spec.command.clone(),
        env: Some(
            spec.environment
                .iter()
                .map(|(name, value)| format!("{name}={}", Secret::reveal(value)))
                .collect(),
        ),
        hostname: spec.hostname.map(str::to_owned),
        user: ours.then(|| NOBODY.to_owned()),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        exposed_ports: Some(ports.keys().cloned().collect()),
        host_config: Some(HostConfig {
            port_bindings: Some(ports),
            binds: spec
                .volume
                .as_ref()
                .map(|(volume, folder)| vec![format!("{volume}:{folder}")]),
            tmpfs: Some(
                spec.in_memory
                    .iter()
                    .map(|folder| ((*folder).to_owned(), String::new()))
                    .collect(),
            ),
            // Our own program needs no rights, and is started again when it died; other images know what they need.
            cap_drop: ours.then(|| vec!["ALL".to_owned()]),
            security_opt: ours.then(|| vec!["no-new-privileges".to_owned()]),
            sysctls: ours.then(|| {
                [(
                    "net.ipv4.ip_unprivileged_port_start".to_owned(),
                    "0".to_owned(),
                )]
                .into()
            }),
            restart_policy: ours.then_some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::ON_FAILURE),
                maximum_retry_count: None,
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A tar archive of files readable by all inside the container, with their folders.
fn archive(files: &[(String, Secret)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.reveal().len() as u64);
        header.set_mode(0o444);
        header.set_cksum();
        archive.append_data(
            &mut header,
            path.trim_start_matches('/'),
            content.reveal().as_bytes(),
        )?;
    }
    archive.into_inner()
}

fn split_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}
