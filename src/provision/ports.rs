//! Ports as they were found: free, taken and by whom, or at an address of another machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use url::Url;

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const REDIS_PORT: u16 = 6379;
pub const RABBITMQ_PORT: u16 = 5672;
pub const MANAGEMENT_PORT: u16 = 15672;

/// The address that a port is looked at on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortAddress {
    Ip(IpAddr),
    /// Both loopback addresses, which is what `localhost` means.
    Localhost,
}

impl PortAddress {
    /// Where a hub listens for clients that use a URL: on its address where it is one.
    pub fn of_url(url: &Url) -> Self {
        match url.host() {
            Some(url::Host::Ipv4(address)) => PortAddress::Ip(address.into()),
            Some(url::Host::Ipv6(address)) => PortAddress::Ip(address.into()),
            _ => PortAddress::Localhost,
        }
    }
}

/// What was found at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortState {
    Free,
    Taken(Option<PortHolder>),
    /// The address belongs to no interface of this machine.
    AddressNotHere,
}

/// Who listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortHolder {
    /// `name (pid 123)`
    Process(String),
    Container(String),
    /// A container or a hub of another instance.
    Instance {
        instance: String,
        what: String,
    },
}

/// A port that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortLook {
    pub address: PortAddress,
    pub port: u16,
    pub state: PortState,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortHolder::Process(process) => formatter.write_str(process),
            PortHolder::Container(name) => write!(formatter, "container {name}"),
            PortHolder::Instance { instance, what } => {
                write!(formatter, "{what} of instance '{instance}'")
            }
        }
    }
}
