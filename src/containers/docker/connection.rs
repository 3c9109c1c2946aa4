//! Finding the engine: by a socket, TCP, TLS or ssh, whichever `DOCKER_HOST` or the context names.

use super::error::{DockerError, with_causes};
use super::ssh;
use crate::containers::whereabouts::Whereabouts;
use crate::platform;
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};

/// How long the engine may take to answer by TLS or ssh; bollard's own for the rest.
const ANSWER_SECONDS: u64 = 120;

/// Finds the engine and speaks to it once.
pub(super) async fn connect(whereabouts: &Whereabouts) -> Result<Docker, DockerError> {
    let host = whereabouts.host.as_str();
    check_socket(host).await?;
    let failed = |error: Error| DockerError::NotRunning {
        host: host.to_owned(),
        error: with_causes(&error),
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
        _ if host.starts_with("ssh://") => ssh::client(host, ANSWER_SECONDS),
        _ => Docker::connect_with_host(host),
    };
    let docker = docker.map_err(failed)?;
    docker.negotiate_version().await.map_err(failed)
}

/// The engine's own connection error says too little; the socket's says what to do.
async fn check_socket(host: &str) -> Result<(), DockerError> {
    let Some(Err(error)) = platform::connect(host).await else {
        return Ok(());
    };
    let socket = host
        .split_once("://")
        .map_or(host, |(_, path)| path)
        .to_owned();
    Err(match error.kind() {
        std::io::ErrorKind::NotFound => DockerError::NoSocket(socket),
        std::io::ErrorKind::PermissionDenied => DockerError::NotPermitted(socket),
        _ => DockerError::NotRunning {
            host: socket,
            error: error.to_string(),
        },
    })
}
