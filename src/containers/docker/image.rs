//! Images: pulling them, making our own, removing them.

use super::engine::{Created, Engine};
use super::error::{DockerError, gone_is_fine, message};
use crate::containers::credentials::{self, RegistryLogin};
use crate::containers::{SERVICE_LABEL, Service};
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptionsBuilder};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;

/// Before a pull is tried again.
const PULL_PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How far a pull is, over all layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    pub current: u64,
    pub total: u64,
}

impl Engine {
    /// Pulls an image, again where what went wrong may pass; `progress` hears of every step.
    pub async fn pull(
        &self,
        image: &str,
        login: Option<&RegistryLogin>,
        mut progress: impl FnMut(Pulled),
    ) -> Result<(), DockerError> {
        let mut pauses = PULL_PAUSES.into_iter();
        loop {
            match (
                self.pull_once(image, login, &mut progress).await,
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
        login: Option<&RegistryLogin>,
        progress: &mut impl FnMut(Pulled),
    ) -> Result<(), DockerError> {
        let credentials = login.map(|login| credentials_for(login, image));
        let failed = |error: String| DockerError::Image {
            image: image.to_owned(),
            error,
        };
        let (name, tag) = split_reference(image);
        let options = CreateImageOptionsBuilder::default()
            .from_image(name)
            .tag(tag)
            .build();
        let mut steps = self.docker().create_image(Some(options), None, credentials);
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

    /// Makes an image of a tar archive of its files.
    pub async fn import_image(
        &self,
        image: &str,
        archive: Vec<u8>,
    ) -> Result<Created, DockerError> {
        let (name, tag) = split_reference(image);
        let label = format!("LABEL {SERVICE_LABEL}={}", Service::Hub.name());
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(name)
            .tag(tag)
            .changes(vec![label])
            .build();
        let mut steps = self.docker().create_image(
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
            .docker()
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
}

/// Whether trying again may help: the network's and the registry's passing troubles, not what it
/// refuses.
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

fn credentials_for(login: &RegistryLogin, image: &str) -> DockerCredentials {
    let (username, password, identitytoken) = match login {
        RegistryLogin::Password { username, password } => (
            Some(username.clone()),
            Some(password.reveal().to_owned()),
            None,
        ),
        RegistryLogin::Token(token) => (None, None, Some(token.reveal().to_owned())),
    };
    DockerCredentials {
        username,
        password,
        identitytoken,
        serveraddress: Some(credentials::registry(image).to_owned()),
        ..DockerCredentials::default()
    }
}

/// An image's name, and its digest or else its tag.
fn split_reference(image: &str) -> (&str, &str) {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    match name.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, digest.unwrap_or(tag)),
        _ => (name, digest.unwrap_or("latest")),
    }
}
