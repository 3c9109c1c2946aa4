//! Who a request comes from where proxies stand between: `X-Forwarded-For` and `X-Forwarded-Proto`,
//! believed as ASP.NET Core's middleware believes them.

use hyper::header::HeaderMap;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Whose headers are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyTrust {
    #[default]
    Nobody,
    Everybody,
    Known(Vec<Network>),
}

/// Addresses with the same beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.trim().split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text.trim(), None),
        };
        let base = base.parse::<IpAddr>().ok()?.to_canonical();
        let all = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Network { base, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros()
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differing >= self.bits
    }
}

/// The proxies in front of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    pub trust: ProxyTrust,
    /// How many proxies stand in a row; without it every header counts.
    pub limit: Option<usize>,
}

impl Default for Proxies {
    fn default() -> Self {
        Proxies {
            trust: ProxyTrust::Nobody,
            limit: Some(1),
        }
    }
}

/// What the proxies say of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    pub address: IpAddr,
    /// Whether the client spoke TLS, where that is said.
    pub secure: Option<bool>,
}

impl Proxies {
    /// Whether an address is a proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        match &self.trust {
            ProxyTrust::Nobody => false,
            ProxyTrust::Everybody => true,
            ProxyTrust::Known(networks) => {
                let address = address.to_canonical();
                networks.iter().any(|network| network.contains(address))
            }
        }
    }

    /// Follows the headers from the last proxy towards the client, as long as each is sent by a
    /// proxy.
    pub fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> Forwarded {
        let mut forwarded = Forwarded {
            address: peer,
            secure: None,
        };
        let (clients, schemes) = (list(headers, FORWARDED_FOR), list(headers, FORWARDED_PROTO));
        let count = clients.len().max(schemes.len());
        let followed = self.limit.map_or(count, |limit| limit.min(count));
        for place in 1..=followed {
            let nth = |list: &[&str]| Some((*list.get(list.len().checked_sub(place)?)?).to_owned());
            if !self.trusts(forwarded.address) {
                break;
            }
            if let Some(client) = nth(&clients).filter(|client| !client.is_empty()) {
                let Some(address) = address(&client) else {
                    break;
                };
                forwarded.address = address;
            }
            if let Some(scheme) = nth(&schemes).filter(|scheme| !scheme.is_empty()) {
                forwarded.secure = Some(scheme.eq_ignore_ascii_case("https"));
            }
        }
        forwarded
    }
}

/// A header's values, in all of its lines.
fn list<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}
