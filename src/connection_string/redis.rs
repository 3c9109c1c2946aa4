//! StackExchange.Redis connection strings: endpoints and options, separated by commas.

mod error;
mod rewrite;
mod unsupported;

pub use error::{RedisStringError, Unsupported};
pub use rewrite::{
    masked, newer_keywords, respelt, rewrite, without_credentials, without_password,
};

use super::Endpoint;
use super::keywords::{self, Keyword, KeywordType};
use crate::secret::Secret;
use error::{misspelt, unknown};
use std::time::Duration;

/// What a connection string says, with StackExchange.Redis's defaults for what it doesn't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisOptions {
    pub endpoints: Vec<Endpoint>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub tls: bool,
    pub tls_host: Option<String>,
    pub channel_prefix: String,
    pub abort_connect: bool,
    pub connect_timeout: Duration,
    /// How long a publish may take.
    pub async_timeout: Duration,
    /// How often a silent connection is asked whether it lives, where that is said.
    pub keep_alive: Option<Duration>,
    pub client_name: Option<String>,
    /// The name of the primary to ask sentinels for; the endpoints are sentinels then.
    pub service_name: Option<String>,
    /// Who the sentinels know us as, where that differs.
    pub sentinel_user: Option<String>,
    pub sentinel_password: Option<Secret>,
    /// An HTTP proxy between us and every server.
    pub tunnel: Option<Endpoint>,
    pub database: u32,
    /// Whether Redis is told which library connects.
    pub set_library: bool,
    /// The versions of TLS that are allowed, by their .NET names; none: all that are safe.
    pub tls_versions: Vec<String>,
    /// Keywords that only matter inside StackExchange.Redis.
    pub without_effect: Vec<&'static str>,
    /// What was asked for that this hub cannot do.
    pub unsupported: Option<Unsupported>,
}

/// Hosts of managed services whose defaults differ.
const MANAGED: [&str; 4] = [
    ".redis.cache.windows.net",
    ".redis.cache.chinacloudapi.cn",
    ".redis.cache.usgovcloudapi.net",
    ".redis.cache.cloudapi.de",
];

/// Those that speak TLS on every port, as StackExchange.Redis 2.13 knows them.
const ALWAYS_SECURE: [&str; 4] = [
    ".redisenterprise.cache.azure.net",
    ".redis.azure.net",
    ".redis.chinacloudapi.cn",
    ".redis.usgovcloudapi.net",
];

impl RedisOptions {
    /// Options for one endpoint and nothing else.
    pub fn at(endpoint: Endpoint) -> Self {
        RedisOptions {
            endpoints: vec![endpoint],
            user: None,
            password: None,
            tls: false,
            tls_host: None,
            channel_prefix: String::new(),
            abort_connect: true,
            connect_timeout: Duration::from_secs(5),
            async_timeout: Duration::from_secs(5),
            keep_alive: None,
            client_name: None,
            service_name: None,
            sentinel_user: None,
            sentinel_password: None,
            tunnel: None,
            database: 0,
            set_library: true,
            tls_versions: Vec::new(),
            without_effect: Vec::new(),
            unsupported: None,
        }
    }

    pub fn parse(text: &str) -> Result<Self, RedisStringError> {
        if text.trim().is_empty() {
            return Err(RedisStringError::Empty);
        }
        let mut options = RedisOptions::at(Endpoint::new("", 0));
        let mut given = Given::default();
        for token in text
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
        {
            match token.split_once('=').filter(|(key, _)| !key.is_empty()) {
                None => given.addresses.push(token),
                Some((key, _)) if key.starts_with('$') => options.rename(key),
                Some((key, value)) => options.take(key.trim(), value.trim(), &mut given, text)?,
            }
        }
        options.complete(&given)?;
        Ok(options)
    }

    /// Whether connecting to the servers sends anything to another machine.
    pub fn leaves_this_machine(&self) -> bool {
        let mut places = self.endpoints.iter().chain(&self.tunnel);
        places.any(|place| !place.is_loopback())
    }

    /// Takes one option.
    fn take(
        &mut self,
        key: &str,
        value: &str,
        given: &mut Given<'_>,
        text: &str,
    ) -> Result<(), RedisStringError> {
        let Some(keyword) = Keyword::named(key) else {
            return Err(unknown(key, text));
        };
        let is_valid = match keyword.form {
            KeywordType::Tunnel if !value.is_empty() => tunnel(value).is_some(),
            form => form.accepts(value),
        };
        if !is_valid {
            return Err(RedisStringError::Value {
                keyword: keyword.name,
                expected: keyword.form.expected(),
            });
        }
        let number = keywords::integer(value).unwrap_or_default();
        match keyword.name {
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(Secret::new(value)),
            "channelPrefix" => self.channel_prefix = value.to_owned(),
            "name" => self.client_name = Some(value.to_owned()),
            "sslHost" => self.tls_host = Some(value.to_owned()),
            "serviceName" => {
                self.service_name = Some(value.to_owned()).filter(|name| !name.is_empty())
            }
            "sentinelUser" => self.sentinel_user = Some(value.to_owned()),
            "sentinelPassword" => self.sentinel_password = Some(Secret::new(value)),
            "tunnel" => self.tunnel = tunnel(value),
            "abortConnect" => given.abort_connect = keywords::boolean(value),
            "ssl" => given.tls = keywords::boolean(value),
            "setlib" => self.set_library = keywords::boolean(value) == Some(true),
            "sslProtocols" => self.allow_tls(value),
            "keepAlive" => {
                let seconds = u64::try_from(number).unwrap_or_default();
                self.keep_alive = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            "defaultDatabase" => self.database = u32::try_from(number).unwrap_or_default(),
            "syncTimeout" => given.sync_timeout = Some(number),
            "asyncTimeout" => given.async_timeout = Some(number),
            "connectTimeout" => given.connect_timeout = Some(number),
            // A server speaks both, and pushes messages beside answers only in the newer.
            "protocol" => {}
            _ => self.take_unsupported(keyword.name, value),
        }
        Ok(())
    }

    /// Fills in what depends on several options.
    fn complete(&mut self, given: &Given<'_>) -> Result<(), RedisStringError> {
        let host = |address: &&str| {
            let host = address.split(':').next().unwrap_or_default();
            host.to_ascii_lowercase()
        };
        let is_of = |hosts: &[&str]| {
            let mut names = given.addresses.iter().map(host);
            names.any(|name| hosts.iter().any(|suffix| name.ends_with(suffix)))
        };
        // Where both are named, the older service's rule holds.
        let always_secure = !is_of(&MANAGED) && is_of(&ALWAYS_SECURE);
        let managed = is_of(&MANAGED) || always_secure;
        let secure_port = given
            .addresses
            .iter()
            .any(|address| address.ends_with(":6380"));
        self.tls = given.tls.unwrap_or(always_secure || managed && secure_port);
        let default_port = match (&self.service_name, self.tls) {
            (Some(_), _) => 26379,
            (None, true) => 6380,
            (None, false) => 6379,
        };
        self.endpoints = Vec::new();
        for address in &given.addresses {
            if let Some(endpoint) = endpoint(address)?
                && !self.endpoints.iter().any(|known| {
                    known.host.eq_ignore_ascii_case(&endpoint.host) && known.port == endpoint.port
                })
            {
                self.endpoints.push(endpoint);
            }
        }
        // One without a port is not yet the one with the default port: doubles are told by how they
        // are spelt.
        for endpoint in self
            .endpoints
            .iter_mut()
            .filter(|endpoint| endpoint.port == 0 && endpoint.socket_path().is_none())
        {
            endpoint.port = default_port;
        }
        if self.endpoints.is_empty() {
            return Err(RedisStringError::NoEndpoint);
        }
        let sync_timeout = given.sync_timeout.unwrap_or(5000);
        self.abort_connect = given.abort_connect.unwrap_or(!managed);
        self.async_timeout = milliseconds(given.async_timeout.unwrap_or(sync_timeout));
        let connect_timeout = given.connect_timeout.unwrap_or(sync_timeout.max(5000));
        self.connect_timeout = milliseconds(connect_timeout);
        Ok(())
    }
}

/// What a string said, where defaults depend on it.
#[derive(Default)]
struct Given<'t> {
    addresses: Vec<&'t str>,
    abort_connect: Option<bool>,
    tls: Option<bool>,
    sync_timeout: Option<i32>,
    async_timeout: Option<i32>,
    connect_timeout: Option<i32>,
}

/// An address: `None` for one that StackExchange.Redis passes over. One that it takes for the name
/// of a host, and that can be none, is an error.
fn endpoint(address: &str) -> Result<Option<Endpoint>, RedisStringError> {
    if address.starts_with(super::SOCKET) {
        return Ok((address.len() > 1).then(|| Endpoint::new(address, 0)));
    }
    if address.contains("://") {
        return Err(misspelt(address));
    }
    let (host, port) = match (address.rfind(']'), address.find(':'), address.rfind(':')) {
        (_, _, None | Some(0)) => (address, None),
        (Some(end), _, Some(colon)) if end > 0 => {
            let port = (end < colon).then(|| &address[colon + 1..]);
            (address.get(1..end).unwrap_or_default(), port)
        }
        (_, first, last) if first != last => (address, None),
        (_, _, Some(colon)) => (&address[..colon], Some(&address[colon + 1..])),
    };
    let port = match port.map(keywords::integer) {
        None => 0,
        Some(None) => return Ok(None),
        Some(Some(port)) => u16::try_from(port).map_err(|_| RedisStringError::Port(port))?,
    };
    let is_name = |host: &str| {
        !host.is_empty() && !host.contains(|letter: char| ":/@;=\\\"' ".contains(letter))
    };
    if host.parse::<std::net::Ipv6Addr>().is_ok() || is_name(host) {
        let host = ipv4_of_numbers(host).unwrap_or_else(|| host.to_owned());
        Ok(Some(Endpoint::new(host, port)))
    } else {
        Err(misspelt(address))
    }
}

/// An IPv4 address of fewer than four numbers, or of octal or hexadecimal ones, as .NET reads it:
/// `5` is `0.0.0.5`.
fn ipv4_of_numbers(host: &str) -> Option<String> {
    let is_of_numbers = host.starts_with(|letter: char| letter.is_ascii_digit())
        && host.ends_with(|letter: char| letter.is_ascii_hexdigit());
    if !is_of_numbers {
        return None;
    }
    match url::Host::parse(host) {
        Ok(url::Host::Ipv4(address)) => Some(address.to_string()),
        _ => None,
    }
}

/// `http:HOST:PORT`.
fn tunnel(value: &str) -> Option<Endpoint> {
    let proxy = endpoint(value.strip_prefix("http:")?).ok().flatten()?;
    (proxy.port != 0 && proxy.socket_path().is_none()).then_some(proxy)
}

fn milliseconds(number: i32) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or_default())
}
