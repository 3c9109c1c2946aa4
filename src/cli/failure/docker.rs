//! Docker's errors, in words that name the cause and the fix.

use super::port::port_in_use;
use crate::cli::failure::{Exit, Failure};
use crate::containers::docker::DockerError;
use crate::platform::advice;

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        let unreachable = |code, why: String, fix: String| {
            Failure::new(Exit::NoDocker, code, "Docker is not reachable")
                .why(why)
                .fix(fix)
        };
        let message = error.to_string();
        match error {
            DockerError::Context(_) => unreachable(
                "dockerContext",
                message,
                "choose another with DOCKER_CONTEXT or 'docker context use'".to_owned(),
            ),
            DockerError::NoSocket(socket) => {
                let start = starting(&socket).unwrap_or("install and start Docker");
                let fix = format!(
                    "{start}, or choose servers: --redis HOST:PORT or none, \
                     --rabbitmq HOST:PORT or embedded"
                );
                unreachable("dockerNotFound", message, fix)
            }
            DockerError::NotPermitted(_) => {
                unreachable("dockerNotPermitted", message, advice::PERMIT_DOCKER.into())
            }
            DockerError::NotRunning { host, .. } => {
                let start = starting(&host).unwrap_or(advice::START_DOCKER);
                unreachable("dockerNotRunning", message, start.into())
            }
            DockerError::Image { image, error } => {
                let (why, fix) = explain_pull(&error);
                Failure::new(
                    Exit::Failed,
                    "imageUnavailable",
                    format!("cannot get image {image}"),
                )
                .why(why)
                .fix(fix)
            }
            DockerError::PortTaken { port } => {
                port_in_use(port, crate::containers::ports::holder(port).as_deref())
            }
            DockerError::Refused { .. } => Failure::new(Exit::Failed, "docker", message),
        }
    }
}

/// How to start an engine whose address shows that it is not the system's own Docker.
fn starting(address: &str) -> Option<&'static str> {
    let has = |part: &str| address.contains(part);
    Some(if has("podman-machine") {
        "start it: podman machine start"
    } else if has("podman") && has("/run/user/") {
        "start it: systemctl --user start podman.socket"
    } else if has("podman") {
        "start it: sudo systemctl start podman.socket"
    } else if has("/run/user/") {
        "start it: systemctl --user start docker"
    } else if has("/.colima/") {
        "start it: colima start"
    } else if has("/.orbstack/") {
        "start OrbStack"
    } else if has("/.rd/") {
        "start Rancher Desktop"
    } else if has("/.docker/desktop/") {
        "start Docker Desktop: systemctl --user start docker-desktop"
    } else if has("tcp://") || has("ssh://") {
        "check the address, and start Docker there"
    } else {
        return None;
    })
}

/// Plain words for the engine's, which name neither the cause nor the fix.
fn explain_pull(error: &str) -> (String, &'static str) {
    let error = error.trim();
    let has = |part: &str| error.to_ascii_lowercase().contains(part);
    if has("toomanyrequests") || has("rate limit") {
        (
            format!("the registry's rate limit is reached: {error}"),
            "wait, log in with 'docker login', or use a mirror with --image-registry",
        )
    } else if has("manifest unknown") || has("not found") {
        (
            format!("the registry has no such image or tag: {error}"),
            "correct --redis-image or --rabbitmq-image",
        )
    } else if has("no space left") {
        (
            format!("the engine's disk is full: {error}"),
            "make room: 'docker system df' shows what uses it, 'docker image prune' removes unused images",
        )
    } else if has("no matching manifest") {
        (
            format!("the image does not exist for this machine's platform: {error}"),
            "name one that does with --redis-image or --rabbitmq-image",
        )
    } else if has("unauthorized") || has("denied") || has("no basic auth credentials") {
        (
            format!("the registry asks for credentials: {error}"),
            "log in with 'docker login'",
        )
    } else {
        (
            error.to_owned(),
            "check the network, use a mirror with --image-registry, or load the image with 'docker load'",
        )
    }
}
