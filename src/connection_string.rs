//! Addresses of servers, as Harmony's settings spell them.

pub mod amqp;
mod keywords;
pub mod masking;
pub mod redis;

use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What the path of a Unix socket begins with, as StackExchange.Redis has it.
const SOCKET: char = '!';

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl Endpoint {
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Endpoint {
            host: host.into(),
            port,
        }
    }

    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port`, a bare IPv6 address or `!/path/of.sock`.
    pub fn parse(text: &str, default_port: u16) -> Option<Self> {
        if let Some(path) = text.strip_prefix(SOCKET) {
            return (!path.is_empty()).then(|| Endpoint::new(text, default_port));
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            let port = if after.is_empty() {
                default_port
            } else {
                after.strip_prefix(':')?.parse().ok()?
            };
            return Some(Endpoint::new(host, port));
        }
        match text.matches(':').count() {
            0 if !text.is_empty() => Some(Endpoint::new(text, default_port)),
            1 => {
                let (host, port) = text.split_once(':')?;
                (!host.is_empty()).then_some(Endpoint::new(host, port.parse().ok()?))
            }
            _ => text
                .parse::<std::net::Ipv6Addr>()
                .ok()
                .map(|_| Endpoint::new(text, default_port)),
        }
    }

    /// The file of a Unix socket, where the endpoint is one.
    pub fn socket_path(&self) -> Option<&Path> {
        self.host.strip_prefix(SOCKET).map(Path::new)
    }

    /// Whether the host means this machine and no other can reach it.
    pub fn is_loopback(&self) -> bool {
        self.socket_path().is_some()
            || self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port } = self;
        if self.socket_path().is_some() {
            formatter.write_str(host)
        } else if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
