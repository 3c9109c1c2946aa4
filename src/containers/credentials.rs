//! Who we are to a registry: Docker's own configuration file and credential helpers.

use crate::secret::Secret;
use docker_credential::{DockerCredential, get_credential_from_reader};
use std::path::Path;

/// By which name Docker's own registry stands in the file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// How to log in to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryLogin {
    Password { username: String, password: Secret },
    Token(Secret),
}

/// The registry that an image comes from.
pub fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some(("docker.io" | "index.docker.io", _)) => DOCKER_HUB,
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => DOCKER_HUB,
    }
}

/// The login for an image's registry; `None` where Docker's files know none. A helper may take its
/// time, since it may ask its user: on a thread of its own it holds nobody else up.
pub async fn find(image: &str, configuration: &Path) -> Option<RegistryLogin> {
    let (registry, file) = (
        registry(image).to_owned(),
        configuration.join("config.json"),
    );
    let found = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(file).ok()?;
        get_credential_from_reader(std::io::BufReader::new(file), &registry)
            .inspect_err(|error| tracing::debug!(registry, "no credentials: {error:?}"))
            .ok()
    });
    Some(match found.await.ok()?? {
        DockerCredential::IdentityToken(token) => RegistryLogin::Token(Secret::new(token)),
        DockerCredential::UsernamePassword(username, _) if username.is_empty() => return None,
        DockerCredential::UsernamePassword(username, password) => RegistryLogin::Password {
            username,
            // Some versions of `docker login` fill it up with zeros.
            password: Secret::new(password.trim_matches('\0')),
        },
    })
}
