//! Where Docker is: `DOCKER_HOST`, the current context in Docker's own files, or one of the usual sockets.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What of the surroundings decides where Docker is.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_CONFIG`, else `~/.docker`.
    pub configuration: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, where rootless engines have their sockets.
    pub runtime: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Configuration {
    current_context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    endpoints: BTreeMap<String, ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

/// A context that is named and can't be found.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Docker's context '{name}' is not to be found below {}", folder.display())]
pub struct UnknownContext {
    name: String,
    folder: PathBuf,
}

impl Surroundings {
    /// The engine's address: `unix:///…`, `tcp://…`, `http://…`, `https://…`.
    pub fn docker_host(&self) -> Result<String, UnknownContext> {
        if let Some(host) = self.host.as_ref().filter(|host| !host.is_empty()) {
            return Ok(host.clone());
        }
        if let Some(folder) = &self.configuration {
            let configured = std::fs::read(folder.join("config.json")).ok();
            let configured = configured.and_then(|text| serde_json::from_slice::<Configuration>(&text).ok());
            let name = self.context.clone().or(configured.map(|configuration| configuration.current_context));
            if let Some(name) = name.filter(|name| !name.is_empty() && name != "default") {
                return context_host(folder, &name).ok_or_else(|| UnknownContext { name, folder: folder.clone() });
            }
        }
        let rootless = self.runtime.iter().flat_map(|folder| [folder.join("docker.sock"), folder.join("podman/podman.sock")]);
        let sockets = std::iter::once(PathBuf::from("/var/run/docker.sock")).chain(rootless);
        let found = sockets.chain([PathBuf::from("/run/podman/podman.sock")]).find(|path| path.exists());
        Ok(format!("unix://{}", found.unwrap_or_else(|| "/var/run/docker.sock".into()).display()))
    }
}

/// Docker keeps a context in a folder named by the SHA-256 of its name.
fn context_host(folder: &Path, name: &str) -> Option<String> {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let digest = crate::hex::encode(digest.as_ref());
    let text = std::fs::read(folder.join("contexts/meta").join(digest).join("meta.json")).ok()?;
    let context: Context = serde_json::from_slice(&text).ok()?;
    context.endpoints.into_iter().find(|(kind, _)| kind == "docker").map(|(_, endpoint)| endpoint.host)
}
