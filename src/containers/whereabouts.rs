//! Where Docker is: `DOCKER_HOST`, the current context in Docker's own files, or one of the usual sockets.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use url::Url;

/// What of the surroundings decides where Docker is.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_CONFIG`, else `~/.docker`.
    pub configuration: Option<PathBuf>,
    /// `DOCKER_CERT_PATH`, where `DOCKER_TLS_VERIFY` asks for TLS.
    pub certificates: Option<PathBuf>,
    /// Where the engine is when none of these says so.
    pub usual_host: String,
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

/// The engine's address, and the folder of `ca.pem`, `cert.pem` and `key.pem` where it is spoken to by TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    pub host: String,
    pub certificates: Option<PathBuf>,
}

impl Whereabouts {
    /// The machine that ports are published on, where it is another one.
    pub fn other_machine(&self) -> Option<String> {
        let url = Url::parse(&self.host)
            .ok()
            .filter(|url| matches!(url.scheme(), "tcp" | "http" | "https"))?;
        let name = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let own = name == "localhost"
            || name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        (!own).then_some(name)
    }
}

/// A context that is named and can't be found.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Docker's context '{name}' is not to be found below {}", folder.display())]
pub struct UnknownContext {
    name: String,
    folder: PathBuf,
}

impl Surroundings {
    /// Where the engine is: at `unix:///…`, `tcp://…`, `http://…`, `https://…`.
    pub fn docker_host(&self) -> Result<Whereabouts, UnknownContext> {
        if let Some(host) = self.host.as_ref().filter(|host| !host.is_empty()) {
            return Ok(Whereabouts {
                host: host.clone(),
                certificates: self.certificates.clone(),
            });
        }
        if let Some(folder) = &self.configuration {
            let configured = std::fs::read(folder.join("config.json")).ok();
            let configured =
                configured.and_then(|text| serde_json::from_slice::<Configuration>(&text).ok());
            let name = self
                .context
                .clone()
                .or(configured.map(|configuration| configuration.current_context));
            if let Some(name) = name.filter(|name| !name.is_empty() && name != "default") {
                return context_host(folder, &name).ok_or_else(|| UnknownContext {
                    name,
                    folder: folder.clone(),
                });
            }
        }
        Ok(Whereabouts {
            host: self.usual_host.clone(),
            certificates: None,
        })
    }
}

/// Docker keeps a context in a folder named by the SHA-256 of its name.
fn context_host(folder: &Path, name: &str) -> Option<Whereabouts> {
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let digest = crate::hex::encode(digest.as_ref());
    let text = std::fs::read(folder.join("contexts/meta").join(&digest).join("meta.json")).ok()?;
    let certificates = Some(folder.join("contexts/tls").join(digest).join("docker"))
        .filter(|folder| folder.join("cert.pem").exists());
    let context: Context = serde_json::from_slice(&text).ok()?;
    let (_, endpoint) = context
        .endpoints
        .into_iter()
        .find(|(kind, _)| kind == "docker")?;
    Some(Whereabouts {
        host: endpoint.host,
        certificates,
    })
}
