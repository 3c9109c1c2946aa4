//! Finding the engine: by a socket, TCP or TLS, whichever `DOCKER_HOST` or the context names.

use super::error::DockerError;
use crate::containers::whereabouts::Whereabouts;
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::path::Path;

/// How long the engine may take to answer by TLS; bollard's own for the rest.
const ANSWER_SECONDS: u64 = 120;

/// Finds the engine and speaks to it once.
pub(super) async fn connect(whereabouts: &Whereabouts) -> Result<Docker, DockerError> {
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
    docker.negotiate_version().await.map_err(failed)
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
