//! The Docker API, its one door: what is there ([`Observer`]), and changing it ([`Engine`]).
//!
//! A dry run only ever holds an `Observer`, which has no method that writes.

use super::{ContainerSpec, HASH_LABEL, INSTANCE_LABEL, SERVICE_LABEL, VERSION_LABEL};
use crate::secret::Secret;
use super::credentials::Credentials;
use super::whereabouts::Whereabouts;
use bollard::{API_DEFAULT_VERSION, Docker};
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerCreateBody, ContainerSummary, ExecConfig, HostConfig, PortBinding, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListVolumesOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder, StopContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long a container may take to stop before it is killed.
const STOP_SECONDS: i32 = 10;
/// How long the engine may take to answer by TLS; bollard's own for the rest.
const ANSWER_SECONDS: u64 = 120;
const LAST_LINES: &str = "10";
const POLL: Duration = Duration::from_millis(200);
/// Before a pull is tried again.
const PULL_PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

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
            None => DockerError::Refused { what, error: message },
        },
        error => DockerError::Refused { what, error: error.to_string() },
    }
}

/// The port in the engine's "address already in use" messages.
fn taken_port(message: &str) -> Option<u16> {
    let taken = message.contains("already in use") || message.contains("port is already allocated");
    let before = message.split(": bind: address").next().unwrap_or(message);
    let before = before.split(" failed: port is already").next().unwrap_or(before);
    before.rsplit(':').next()?.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok().filter(|_| taken)
}

/// A container of ours, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    pub service: String,
    pub image: String,
    pub running: bool,
    /// Created and never started: whoever made it was interrupted.
    pub unfinished: bool,
    pub hash: String,
    /// Port inside, port on the host.
    pub ports: Vec<(u16, u16)>,
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
        let failed = |error: Error| DockerError::NotRunning { host: host.to_owned(), error: error.to_string() };
        let docker = match &whereabouts.certificates {
            Some(folder) if host.starts_with("tcp://") || host.starts_with("https://") => {
                let [key, certificate, authority] = ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name));
                Docker::connect_with_ssl(host, &key, &certificate, &authority, ANSWER_SECONDS, API_DEFAULT_VERSION)
            }
            _ => Docker::connect_with_host(host),
        };
        let docker = docker.map_err(failed)?;
        Ok(Observer { docker: docker.negotiate_version().await.map_err(failed)? })
    }

    /// The containers of an instance.
    pub async fn containers(&self, instance: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE_LABEL}={instance}")])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let list = self.docker.list_containers(Some(options)).await.map_err(refused("listing containers"))?;
        Ok(list.into_iter().map(found).collect())
    }

    /// The volumes of an instance.
    pub async fn volumes(&self, instance: &str) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("label", vec![format!("{INSTANCE_LABEL}={instance}")])]);
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let list = self.docker.list_volumes(Some(options)).await.map_err(refused("listing volumes"))?;
        Ok(list.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
    }

    /// The name of the container that publishes a port, whoever's it is.
    pub async fn publisher(&self, port: u16) -> Option<String> {
        let list = self.docker.list_containers(Some(ListContainersOptionsBuilder::default().build())).await.ok()?;
        let publishes = |container: &ContainerSummary| {
            container.ports.iter().flatten().any(|published| published.public_port == Some(port))
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
        if state.running.unwrap_or(false) { None } else { Some(state.exit_code.unwrap_or_default()) }
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
        let version = self.docker.version().await.map_err(refused("asking for the version"))?;
        let clock = self.docker.info().await.ok().and_then(|info| info.system_time);
        Ok((version.version.unwrap_or_default(), clock))
    }

    /// A container's log lines with their times, from `since` on (seconds since 1970); for ever
    /// where they are followed, else those that there are, the last `tail` of them.
    pub fn logs(&self, id: &str, follow: bool, tail: &str, since: i32) -> impl Stream<Item = String> + use<> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).follow(follow).tail(tail).since(since);
        let lines = self.docker.logs(id, Some(options.build()));
        // A container that goes ends its log; why is no part of it.
        lines.take_while(|line| std::future::ready(line.is_ok())).filter_map(|line| std::future::ready(line.ok().map(|line| line.to_string())))
    }

    /// A container's last log lines.
    pub async fn last_lines(&self, id: &str) -> String {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(LAST_LINES).build();
        let mut lines = self.docker.logs(id, Some(options));
        let mut text = String::new();
        while let Some(Ok(line)) = lines.next().await {
            text.push_str(&format!("  | {}\n", line.to_string().trim_end()));
        }
        text.trim_end().to_owned()
    }

    /// The right to change things.
    pub fn into_engine(self) -> Engine {
        Engine { observer: self }
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
            _ => DockerError::NotRunning { host, error: error.to_string() },
        }),
    }
}

/// Changes things.
#[derive(Clone)]
pub struct Engine {
    observer: Observer,
}

/// What was made for a container, so that it can be unmade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub id: String,
    /// Its volume, where that was not there before.
    volume: Option<String>,
}

/// How far a pull is, over all layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    pub current: u64,
    pub total: u64,
}

impl Engine {
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Pulls an image, again where what went wrong may pass; `progress` hears of every step.
    pub async fn pull(&self, image: &str, credentials: Option<&Credentials>, mut progress: impl FnMut(Pulled)) -> Result<(), DockerError> {
        let mut pauses = PULL_PAUSES.into_iter();
        loop {
            match (self.pull_once(image, credentials, &mut progress).await, pauses.next()) {
                (Err(DockerError::Image { error, .. }), Some(pause)) if may_pass(&error) => {
                    tracing::debug!(image, error, "pulling again in {pause:?}");
                    tokio::time::sleep(pause).await;
                }
                (result, _) => return result,
            }
        }
    }

    async fn pull_once(&self, image: &str, credentials: Option<&Credentials>, progress: &mut impl FnMut(Pulled)) -> Result<(), DockerError> {
        let credentials = credentials.map(|known| DockerCredentials {
            username: Some(known.username.clone()).filter(|name| !name.is_empty()),
            password: Some(known.password.reveal().to_owned()).filter(|password| !password.is_empty()),
            identitytoken: Some(known.token.reveal().to_owned()).filter(|token| !token.is_empty()),
            serveraddress: Some(super::credentials::registry(image).to_owned()),
            ..DockerCredentials::default()
        });
        let failed = |error: String| DockerError::Image { image: image.to_owned(), error };
        let (name, tag) = split_tag(image);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let mut steps = self.observer.docker.create_image(Some(options), None, credentials);
        let mut layers: HashMap<String, Pulled> = HashMap::new();
        while let Some(step) = steps.next().await {
            let step = step.map_err(|error| failed(message(error)))?;
            if let Some(error) = step.error_detail {
                return Err(failed(error.message.unwrap_or_default()));
            }
            if let (Some(id), Some(detail), Some("Downloading")) = (step.id, step.progress_detail, step.status.as_deref()) {
                let number = |value: Option<i64>| u64::try_from(value.unwrap_or_default()).unwrap_or_default();
                layers.insert(id, Pulled { current: number(detail.current), total: number(detail.total) });
                progress(layers.values().fold(Pulled::default(), |sum, layer| Pulled {
                    current: sum.current + layer.current,
                    total: sum.total + layer.total,
                }));
            }
        }
        Ok(())
    }

    /// Creates a container with its volume and files, and starts it. What was created is removed
    /// again where it can't be started.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<Created, DockerError> {
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
        let id = created.map_err(refused(format!("creating the container {name}")))?.id;
        let created = Created { id, volume };
        let started = async {
            if !spec.files.is_empty() {
                let options = UploadToContainerOptionsBuilder::default().path("/").build();
                let archive = archive(&spec.files).map_err(|error| DockerError::Refused {
                    what: format!("packing files for {name}"),
                    error: error.to_string(),
                })?;
                let upload = docker.upload_to_container(&created.id, Some(options), bollard::body_full(archive.into()));
                upload.await.map_err(refused(format!("copying files into {name}")))?;
            }
            self.start(&created.id, &name).await
        };
        if let Err(error) = started.await {
            self.undo(&created).await?;
            return Err(error);
        }
        Ok(created)
    }

    async fn create_volume(&self, spec: &ContainerSpec, volume: &str) -> Result<(), DockerError> {
        let labels = [(INSTANCE_LABEL, spec.instance.as_str()), (SERVICE_LABEL, spec.service.name())];
        let request = VolumeCreateRequest {
            name: Some(volume.to_owned()),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            ..Default::default()
        };
        let created = self.observer.docker.create_volume(request).await;
        created.map(drop).map_err(refused(format!("creating the volume {volume}")))
    }

    /// Removes what [`create`](Self::create) made, and nothing that was there before.
    pub async fn undo(&self, created: &Created) -> Result<(), DockerError> {
        self.remove(&created.id, "that was just made").await?;
        match &created.volume {
            Some(volume) => self.remove_volume(volume).await,
            None => Ok(()),
        }
    }

    /// Runs a command inside a container; what it reads is no argument, and so seen by nobody. True where it succeeded.
    pub async fn run_inside(&self, id: &str, command: &[&str], input: &Secret) -> Result<bool, DockerError> {
        let docker = &self.observer.docker;
        let failed = || refused(format!("running {} inside a container", command.first().unwrap_or(&"")));
        let config = ExecConfig {
            cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let run = docker.create_exec(id, config).await.map_err(failed())?;
        if let StartExecResults::Attached { mut output, input: mut stdin } = docker.start_exec(&run.id, None).await.map_err(failed())? {
            let written = async {
                stdin.write_all(format!("{}\n", input.reveal()).as_bytes()).await?;
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
        self.observer.docker.start_container(id, None).await.map_err(refused(format!("starting the container {name}")))
    }

    pub async fn stop(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = StopContainerOptionsBuilder::default().t(STOP_SECONDS).build();
        gone_is_fine(self.observer.docker.stop_container(id, Some(options)).await, format!("stopping the container {name}"))
    }

    /// Removes a container and its nameless volumes; named ones stay.
    pub async fn remove(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        gone_is_fine(self.observer.docker.remove_container(id, Some(options)).await, format!("removing the container {name}"))
    }

    pub async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveVolumeOptionsBuilder::default().build();
        gone_is_fine(self.observer.docker.remove_volume(name, Some(options)).await, format!("removing the volume {name}"))
    }
}

/// Whether trying again may help: the network's and the registry's passing troubles, not what it refuses.
fn may_pass(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    const PASSING: [&str; 9] = ["timeout", "timed out", "connection reset", "connection refused", "unexpected eof", "tls handshake", "502", "503", "504"];
    PASSING.iter().any(|part| error.contains(part))
}

fn gone_is_fine(result: Result<(), Error>, what: String) -> Result<(), DockerError> {
    match result {
        Err(Error::DockerResponseServerError { status_code: 404 | 304, .. }) => Ok(()),
        result => result.map_err(refused(what)),
    }
}

fn found(container: ContainerSummary) -> Found {
    let labels = container.labels.unwrap_or_default();
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let mut ports: Vec<_> = container
        .ports
        .unwrap_or_default()
        .into_iter()
        .filter_map(|port| Some((port.private_port, port.public_port?)))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    let state = container.state.map(|state| state.to_string()).unwrap_or_default();
    Found {
        id: container.id.unwrap_or_default(),
        service: label(SERVICE_LABEL),
        image: container.image.unwrap_or_default(),
        running: state == "running",
        unfinished: state == "created",
        hash: label(HASH_LABEL),
        ports,
        created: container.created.unwrap_or_default(),
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
    let binding = |port: u16| {
        Some(vec![PortBinding { host_ip: Some(spec.bind.to_string()), host_port: Some(port.to_string()) }])
    };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: spec.command.clone(),
        env: Some(spec.environment.iter().map(|(name, value)| format!("{name}={}", Secret::reveal(value))).collect()),
        hostname: spec.hostname.map(str::to_owned),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value)).into()),
        exposed_ports: Some(spec.ports.iter().map(|(port, _)| inside(*port)).collect()),
        host_config: Some(HostConfig {
            port_bindings: Some(spec.ports.iter().map(|(port, host)| (inside(*port), binding(*host))).collect()),
            binds: spec.volume.as_ref().map(|(volume, folder)| vec![format!("{volume}:{folder}")]),
            tmpfs: Some(spec.in_memory.iter().map(|folder| ((*folder).to_owned(), String::new())).collect()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A tar archive of files readable by all inside the container, with their folders.
fn archive(files: &[(&'static str, Secret)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.reveal().len() as u64);
        header.set_mode(0o444);
        header.set_cksum();
        archive.append_data(&mut header, path.trim_start_matches('/'), content.reveal().as_bytes())?;
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

fn message(error: Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } | Error::DockerStreamError { error: message } => message,
        error => error.to_string(),
    }
}
