//! Looking at what Docker has, and changing nothing.

use super::connection;
use super::engine_facts::EngineFacts;
use super::error::{DockerError, absent, refused};
use super::observed::{ObservedContainer, ObservedImage, ObservedVolume, Publisher};
use crate::containers::whereabouts::Whereabouts;
use crate::containers::{INSTANCE_LABEL, SERVICE_LABEL, own_image};
use bollard::Docker;
use bollard::models::{ContainerState, ContainerStateStatusEnum, ContainerSummary, SystemVersion};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, LogsOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::time::Duration;

const LAST_LINES: &str = "10";
const POLL: Duration = Duration::from_millis(200);
/// Podman looks through its storage first.
const INFO_WITHIN: Duration = Duration::from_secs(10);
/// How often to look whether a container is still starting.
const SETTLE: usize = 8;

/// Looks, and changes nothing.
#[derive(Clone)]
pub struct Observer {
    docker: Docker,
}

impl Observer {
    /// Finds the engine and talks to it once.
    pub async fn connect(whereabouts: &Whereabouts) -> Result<Self, DockerError> {
        let docker = connection::connect(whereabouts).await?;
        Ok(Observer { docker })
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The containers of an instance.
    pub async fn containers(&self, instance: &str) -> Result<Vec<ObservedContainer>, DockerError> {
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
        Ok(list.into_iter().map(ObservedContainer::from).collect())
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

    /// A volume, where it is there.
    pub async fn volume(&self, name: &str) -> Result<Option<ObservedVolume>, DockerError> {
        match self.docker.inspect_volume(name).await {
            Ok(volume) => Ok(Some(volume.into())),
            Err(error) => absent(error, format!("looking at the volume {name}")),
        }
    }

    /// An image, where the engine has it.
    pub async fn image(&self, name: &str) -> Result<Option<ObservedImage>, DockerError> {
        match self.docker.inspect_image(name).await {
            Ok(image) => Ok(Some(image.into())),
            Err(error) => absent(error, format!("looking at the image {name}")),
        }
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
            vec![format!("{}:*", own_image::repository(instance))],
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

    /// The container that publishes a port, whoever's it is.
    pub async fn publisher(&self, port: u16) -> Option<Publisher> {
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
        let instance = container
            .labels
            .and_then(|labels| labels.get(INSTANCE_LABEL).cloned());
        Some(Publisher {
            container: container.names?.first()?.trim_start_matches('/').to_owned(),
            instance,
        })
    }

    pub async fn has_image(&self, image: &str) -> bool {
        matches!(self.image(image).await, Ok(Some(_)))
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

    /// Waits, for a time, for a container that was made and may be starting still: what is taken
    /// away from under its start leaves its ports taken.
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

    /// The engine's version.
    pub async fn version(&self) -> Result<SystemVersion, DockerError> {
        let asking = refused("asking for the version");
        self.docker.version().await.map_err(asking)
    }

    /// What an engine of a version says of itself; one that is slow to has a version still.
    pub async fn facts(&self, version: &SystemVersion) -> EngineFacts {
        let info = tokio::time::timeout(INFO_WITHIN, self.docker.info()).await;
        EngineFacts::of(version, info.ok().and_then(Result::ok).unwrap_or_default())
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
}
