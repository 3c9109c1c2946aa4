//! Changing what Docker has: containers and volumes, and undoing what was made.

use super::body::{archive, body};
use super::error::{DockerError, gone_is_fine, refused};
use super::observed::ObservedImage;
use super::observer::Observer;
use crate::containers::{
    ContainerSpec, IMAGE_LABEL, INSTANCE_LABEL, SERVER_VERSION_LABEL, SERVICE_LABEL,
};
use crate::secret::Secret;
use bollard::Docker;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ExecConfig, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
    RenameContainerOptionsBuilder, StopContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How often, and how soon, what the engine is still busy with is tried again.
pub(super) const TRIES: usize = 50;
pub(super) const TRY_AGAIN: Duration = Duration::from_millis(200);
/// How long a container may take to stop before it is killed.
const STOP_SECONDS: i32 = 10;

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

impl Engine {
    pub fn new(observer: Observer) -> Self {
        Engine { observer }
    }

    pub(super) fn docker(&self) -> &Docker {
        self.observer.docker()
    }

    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Creates a container with its volume and files, lets it join its network, and starts it;
    /// yields its id. Where one of these fails, what was created before it is removed again.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<(String, Created), DockerError> {
        let image = self.observer.image(&spec.image).await?.unwrap_or_default();
        let volume = self.create_volume(spec, &image).await?;
        let (docker, name) = (self.docker(), spec.name());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let container = docker
            .create_container(Some(options), body(spec, &image))
            .await;
        let id = match container.map_err(refused(format!("creating the container {name}"))) {
            Ok(container) => container.id,
            Err(error) => {
                if let Some(volume) = volume {
                    keep_going(self.remove_volume(&volume).await);
                }
                return Err(error);
            }
        };
        let created = Created::Container {
            id: id.clone(),
            volume,
        };
        if let Err(error) = self.fill_and_start(spec, &id).await {
            keep_going(self.undo(&created).await);
            return Err(error);
        }
        Ok((id, created))
    }

    async fn fill_and_start(&self, spec: &ContainerSpec, id: &str) -> Result<(), DockerError> {
        let name = spec.name();
        if let Some(network) = &spec.network {
            self.join(network, id, spec.service).await?;
        }
        if !spec.files.is_empty() {
            let options = UploadToContainerOptionsBuilder::default().path("/").build();
            let archive = archive(spec).map_err(|error| DockerError::Refused {
                what: format!("packing files for {name}"),
                error: error.to_string(),
            })?;
            let files = bollard::body_full(archive.into());
            let upload = self.docker().upload_to_container(id, Some(options), files);
            upload
                .await
                .map_err(refused(format!("copying files into {name}")))?;
        }
        self.start(id, &name).await
    }

    /// Creates a container's volume; `None` where it has none, or has it already.
    async fn create_volume(
        &self,
        spec: &ContainerSpec,
        image: &ObservedImage,
    ) -> Result<Option<String>, DockerError> {
        let Some((name, _)) = &spec.volume else {
            return Ok(None);
        };
        if self.observer.volume(name).await?.is_some() {
            return Ok(None);
        }
        let labels = [
            (INSTANCE_LABEL, spec.instance.as_str()),
            (SERVICE_LABEL, spec.service.name()),
            (IMAGE_LABEL, spec.image.as_str()),
            (SERVER_VERSION_LABEL, image.server_version.as_str()),
        ];
        let labels = labels.map(|(label, value)| (label.to_owned(), value.to_owned()));
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(labels.into()),
            ..Default::default()
        };
        let created = self.docker().create_volume(request).await;
        created.map_err(refused(format!("creating the volume {name}")))?;
        Ok(Some(name.clone()))
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

    /// Gives a container another name.
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        let renamed = self.docker().rename_container(id, options).await;
        renamed.map_err(refused(format!("renaming a container to {name}")))
    }

    /// Runs a command inside a container; what it reads is no argument, and so seen by nobody. True
    /// where it succeeded.
    pub async fn run_inside(
        &self,
        id: &str,
        command: &[&str],
        input: &Secret,
    ) -> Result<bool, DockerError> {
        let docker = self.docker();
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
        self.docker()
            .start_container(id, None)
            .await
            .map_err(refused(format!("starting the container {name}")))
    }

    pub async fn stop(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = StopContainerOptionsBuilder::default()
            .t(STOP_SECONDS)
            .build();
        gone_is_fine(
            self.docker().stop_container(id, Some(options)).await,
            format!("stopping the container {name}"),
        )
    }

    /// Removes a container and its nameless volumes; named ones stay.
    pub async fn remove(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let docker = self.docker();
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
            self.docker().remove_volume(name, Some(options)).await,
            format!("removing the volume {name}"),
        )
    }
}

/// A failed undo must not hide what failed before it.
fn keep_going(undone: Result<(), DockerError>) {
    if let Err(error) = undone {
        tracing::warn!("cannot remove what was just created: {error}");
    }
}
