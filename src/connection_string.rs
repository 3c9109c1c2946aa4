//! Addresses of servers, as Harmony's settings spell them.

pub mod amqp;
pub mod redis;

use serde::Serialize;
use std::fmt;

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

    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
    pub fn parse(text: &str, default_port: u16) -> Option<Self> {
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

    /// Whether the host means this machine and no other can reach it.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port } = self;
        if host.contains(':') {
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
