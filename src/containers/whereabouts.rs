//! Where Docker is: `DOCKER_HOST`, the current context in Docker's own files, or one of the usual
//! sockets.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use url::Url;

const SOCKET: &str = "/var/run/docker.sock";
const PIPE: &str = "//./pipe/docker_engine";
/// Where an engine listens for TCP, where its address names no port.
const TCP_PORT: u16 = 2375;

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
struct ContextChoice {
    current_context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextFile {
    endpoints: BTreeMap<String, ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

/// The engine's address, and the folder of `ca.pem`, `cert.pem` and `key.pem` where it is spoken to
/// by TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    pub host: String,
    pub certificates: Option<PathBuf>,
    /// `DOCKER_HOST` or a context names it; else it is where engines usually are.
    pub configured: bool,
}

impl Whereabouts {
    /// The machine that ports are published on, where it is another one.
    pub fn other_machine(&self) -> Option<String> {
        let url = Url::parse(&self.host)
            .ok()
            .filter(|url| matches!(url.scheme(), "tcp" | "ssh" | "http" | "https"))?;
        let name = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let own = name == "localhost"
            || name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        (!own).then_some(name)
    }
}

/// What names an engine and does not lead to one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WhereaboutsError {
    #[error("Docker's context '{name}' does not exist below {}", folder.display())]
    UnknownContext { name: String, folder: PathBuf },
    #[error("'{host}' is not an engine's address: {why}")]
    Host { host: String, why: String },
}

impl Surroundings {
    /// Where the engine is: at `unix:///…`, `tcp://…`, `ssh://…`, `npipe://…`, `http://…`,
    /// `https://…`.
    pub fn docker_host(&self) -> Result<Whereabouts, WhereaboutsError> {
        let named = self.host.as_deref().map(str::trim);
        if let Some(host) = named.filter(|host| !host.is_empty()) {
            return Ok(Whereabouts {
                host: engine_address(host)?,
                certificates: self.certificates.clone(),
                configured: true,
            });
        }
        if let Some(folder) = &self.configuration {
            let configured = std::fs::read(folder.join("config.json")).ok();
            let configured =
                configured.and_then(|text| serde_json::from_slice::<ContextChoice>(&text).ok());
            let name = self
                .context
                .clone()
                .or(configured.map(|configuration| configuration.current_context));
            if let Some(name) = name.filter(|name| !name.is_empty() && name != "default") {
                let found = context_host(folder, &name);
                let known = found.ok_or_else(|| WhereaboutsError::UnknownContext {
                    name,
                    folder: folder.clone(),
                })?;
                return Ok(Whereabouts {
                    host: engine_address(known.host.trim())?,
                    ..known
                });
            }
        }
        Ok(Whereabouts {
            host: self.usual_host.clone(),
            certificates: None,
            configured: false,
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
    let context: ContextFile = serde_json::from_slice(&text).ok()?;
    let (_, endpoint) = context
        .endpoints
        .into_iter()
        .find(|(kind, _)| kind == "docker")?;
    Some(Whereabouts {
        host: endpoint.host,
        certificates,
        configured: true,
    })
}

/// An engine's address in full, from the short forms that Docker's own command line takes:
/// `127.0.0.1:2375`, `:2375`, `tcp://`, `unix://`.
fn engine_address(text: &str) -> Result<String, WhereaboutsError> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
    let wrong = |why: &str| WhereaboutsError::Host {
        host: without_password(text),
        why: why.to_owned(),
    };
    match scheme {
        "unix" if rest.is_empty() => Ok(format!("unix://{SOCKET}")),
        "npipe" if rest.is_empty() => Ok(format!("npipe://{PIPE}")),
        "unix" | "npipe" => Ok(text.to_owned()),
        "http" | "https" => Ok(text.to_owned()),
        "tcp" => tcp_address(rest).ok_or_else(|| wrong("a host and a port are expected")),
        "ssh" => match Url::parse(text) {
            Ok(url) if url.password().is_some() => {
                Err(wrong("ssh takes no password from an address; use a key"))
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => Err(wrong(
                "nothing may follow the host, its port and a socket's path",
            )),
            Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(text.to_owned()),
            _ => Err(wrong("a host is expected")),
        },
        _ => Err(wrong(
            "it starts with none of unix://, tcp://, ssh:// and npipe://",
        )),
    }
}

/// A host, a port or both; what is left out is `localhost` and 2375.
fn tcp_address(text: &str) -> Option<String> {
    let text = match text.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) if text.is_empty() || text.starts_with([':', '/']) => format!("localhost{text}"),
        Err(_) => text.to_owned(),
    };
    // The URL checks the host; its own default port is never meant.
    let url = Url::parse(&format!("ws://{text}")).ok()?;
    let host = url.host_str().filter(|_| !text.contains("://"))?;
    let authority = text.split('/').next()?;
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let port = match port.filter(|port| !port.ends_with(']')) {
        None | Some("") => TCP_PORT,
        Some(port) => port.parse().ok()?,
    };
    let path = url.path().trim_end_matches('/');
    Some(format!("tcp://{host}:{port}{path}"))
}

/// An address for a message.
fn without_password(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => {
            format!("{}…{}", &text[..scheme + 3], &text[at..])
        }
        _ => text.to_owned(),
    }
}
