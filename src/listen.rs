//! Addresses to listen on, spelt as ASP.NET Core spells them, and bound.

use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// `scheme://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenUrl {
    pub tls: bool,
    host: Host,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Localhost,
    Any,
    Address(IpAddr),
}

/// An address that can't be understood or bound.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("'{0}' is not an address to listen on: {1}")]
    Url(String, &'static str),
    #[error("{url} can't be listened on: {error}")]
    Bind {
        url: String,
        port: u16,
        error: io::Error,
    },
}

impl ListenUrl {
    /// Reads one address. A host that is neither an IP address nor `localhost` means every
    /// interface.
    pub fn parse(text: &str) -> Result<Self, ListenError> {
        let refuse = |why| Err(ListenError::Url(text.to_owned(), why));
        let lower = text.trim().to_ascii_lowercase();
        let (tls, rest) = match lower.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => return refuse("only http and https are served"),
            None => return refuse("it has no scheme"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.starts_with("unix:") {
            return refuse("unix sockets are not served");
        }
        if authority.contains('/') {
            return refuse("it has a path");
        }
        let (host, port) = match authority
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((host, port)) => (host, port),
            None => authority
                .rfind(':')
                .map_or((authority, ""), |colon| authority.split_at(colon)),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return refuse("its port can't be read"),
            Some(port) => match port.parse() {
                Ok(port) => port,
                Err(_) => return refuse("its port can't be read"),
            },
        };
        let host = match host {
            "" => return refuse("it has no host"),
            "localhost" if port == 0 => {
                return refuse(
                    "localhost means two addresses, which can't share a port chosen freely; use 127.0.0.1:0",
                );
            }
            "localhost" => Host::Localhost,
            host => address(host).map_or(Host::Any, Host::Address),
        };
        Ok(ListenUrl { tls, host, port })
    }

    /// Reads addresses separated by semicolons.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ListenError> {
        text.split(';')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .map(Self::parse)
            .collect()
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Localhost => true,
            Host::Any => false,
            Host::Address(address) => address.is_loopback(),
        }
    }

    /// Where it listens, as Kestrel says it.
    pub fn announced(&self, bound: &[TcpListener]) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match bound
            .first()
            .and_then(|listener| listener.local_addr().ok())
        {
            Some(address) if self.host != Host::Localhost => format!("{scheme}://{address}"),
            _ => self.to_string(),
        }
    }

    /// Binds it. `localhost` is both loopback addresses, of which one suffices.
    pub fn bind(&self) -> Result<Vec<TcpListener>, ListenError> {
        let failed = |error| ListenError::Bind {
            url: self.to_string(),
            port: self.port,
            error,
        };
        let bind = |address: IpAddr| bind(SocketAddr::new(address, self.port), false);
        match self.host {
            Host::Address(address) => Ok(vec![bind(address).map_err(failed)?]),
            Host::Any => {
                let everything =
                    bind_any(self.port).or_else(|_| bind(Ipv4Addr::UNSPECIFIED.into()));
                Ok(vec![everything.map_err(failed)?])
            }
            Host::Localhost => {
                let mut listeners = vec![bind(Ipv4Addr::LOCALHOST.into()).map_err(failed)?];
                match bind(Ipv6Addr::LOCALHOST.into()) {
                    Ok(listener) => listeners.push(listener),
                    Err(error) if crate::platform::is_port_taken(&error) => {
                        return Err(failed(error));
                    }
                    Err(_) => {} // a machine without IPv6
                }
                Ok(listeners)
            }
        }
    }
}

/// An IP address, those included that are shortened as `127.1`: as .NET reads them.
fn address(host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| match url::Host::parse(host) {
        Ok(url::Host::Ipv4(address)) => Some(address.into()),
        _ => None,
    })
}

impl fmt::Display for ListenUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match &self.host {
            Host::Localhost => write!(formatter, "{scheme}://localhost:{}", self.port),
            Host::Any => write!(formatter, "{scheme}://[::]:{}", self.port),
            Host::Address(IpAddr::V6(address)) => {
                write!(formatter, "{scheme}://[{address}]:{}", self.port)
            }
            Host::Address(address) => write!(formatter, "{scheme}://{address}:{}", self.port),
        }
    }
}

fn bind_any(port: u16) -> io::Result<TcpListener> {
    bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), true)
}

fn bind(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    crate::platform::prepare_listener(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
