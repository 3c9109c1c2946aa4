//! StackExchange.Redis connection strings: endpoints and options, separated by commas (spec: signalr.md G).

use super::Endpoint;
use super::keywords::{self, Keyword, KeywordType};
use super::masking;
use crate::secret::Secret;
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

/// An option of StackExchange.Redis that has no counterpart here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{keyword} is not supported by this hub: {why}")]
pub struct Unsupported {
    keyword: String,
    why: &'static str,
}

/// Commands that this hub sends; one with another name, or none, cannot be sent.
const COMMANDS: [&str; 24] = [
    "AUTH",
    "CLIENT",
    "DEL",
    "ECHO",
    "EVAL",
    "EXEC",
    "EXISTS",
    "EXPIRE",
    "GET",
    "GETDEL",
    "HELLO",
    "INFO",
    "MULTI",
    "PING",
    "PUBLISH",
    "PUBSUB",
    "ROLE",
    "SELECT",
    "SENTINEL",
    "SET",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "XADD",
    "XRANGE",
];

/// A string that StackExchange.Redis refuses too, or takes and can never connect with. No error
/// shows what may be a part of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisStringError {
    #[error("the connection string is empty")]
    Empty,
    #[error("the connection string names no endpoint")]
    NoEndpoint,
    #[error("the port {0} is not one from 0 to 65535")]
    Port(i32),
    #[error("'{shown}' is not HOST:PORT{}", right_spelling(.suggestion.as_deref()))]
    Endpoint {
        shown: String,
        suggestion: Option<String>,
    },
    #[error("Keyword '{keyword}' is not supported.{}", did_you_mean(*.near))]
    UnknownKeyword {
        keyword: String,
        near: Option<&'static str>,
    },
    #[error("options are separated by commas here{}", right_spelling(.0.as_deref()))]
    Semicolons(Option<String>),
    #[error("Keyword '{keyword}' requires {expected}; the value given is not one.")]
    Value {
        keyword: &'static str,
        expected: &'static str,
    },
}

fn right_spelling(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |text| format!("; write {text}"))
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(" Did you mean '{near}'?"))
}

/// Hosts of managed services whose defaults differ.
const MANAGED: [&str; 5] = [
    ".redis.cache.windows.net",
    ".redis.cache.chinacloudapi.cn",
    ".redis.cache.usgovcloudapi.net",
    ".redis.cache.cloudapi.de",
    ".redisenterprise.cache.azure.net",
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
            address
                .split(':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let is_managed = |address: &&str| {
            let host = host(address);
            MANAGED.iter().any(|suffix| host.ends_with(suffix))
        };
        let managed = given.addresses.iter().any(is_managed);
        let secure_port = given
            .addresses
            .iter()
            .any(|address| address.ends_with(":6380"));
        self.tls = given.tls.unwrap_or(managed && secure_port);
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
        // One without a port is not yet the one with the default port: doubles are told by how they are spelt.
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

impl RedisOptions {
    /// Whether connecting to the servers sends anything to another machine.
    pub fn leaves_this_machine(&self) -> bool {
        let mut places = self.endpoints.iter().chain(&self.tunnel);
        places.any(|place| !place.is_loopback())
    }

    /// Refuses what this hub cannot do, and StackExchange.Redis can.
    pub fn check_supported(&self) -> Result<(), Unsupported> {
        self.unsupported.clone().map_or(Ok(()), Err)
    }

    /// `$COMMAND=other`: only what this hub sends matters to it.
    fn rename(&mut self, key: &str) {
        let is_sent = |sent: &&str| key[1..].trim().eq_ignore_ascii_case(sent);
        if COMMANDS.iter().any(is_sent) {
            self.refuse(key, "it sends this command by its own name");
        }
    }

    fn take_unsupported(&mut self, keyword: &'static str, value: &str) {
        let is_on = keywords::boolean(value) == Some(true);
        match keyword {
            "checkCertificateRevocation" if is_on => self.refuse(
                keyword,
                "revocation is not looked up; leave it out, or say false",
            ),
            "highIntegrity" if is_on => self.refuse(keyword, "answers carry no checksums"),
            "proxy" if !matches!(value.trim().to_ascii_lowercase().as_str(), "none" | "0") => {
                self.refuse(keyword, "such proxies carry no channels");
            }
            "checkCertificateRevocation" | "highIntegrity" | "proxy" => {}
            _ => self.without_effect.push(keyword),
        }
    }

    fn refuse(&mut self, keyword: &str, why: &'static str) {
        let keyword = keyword.to_owned();
        self.unsupported.get_or_insert(Unsupported { keyword, why });
    }

    fn allow_tls(&mut self, names: &str) {
        let names = names
            .split('|')
            .map(|name| name.trim().to_ascii_lowercase());
        self.tls_versions = names.filter(|name| !name.is_empty()).collect();
        let safe = |name: &String| ["none", "tls12", "tls13"].contains(&name.as_str());
        if !self.tls_versions.is_empty() && !self.tls_versions.iter().any(safe) {
            self.refuse("sslProtocols", "only tls12 and tls13 are safe");
        }
        if self.tls_versions.iter().any(|name| name == "none") {
            self.tls_versions.clear();
        }
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

/// Warnings about keywords that Harmony's own version does not know.
pub fn newer_keywords(text: &str) -> Vec<String> {
    let keywords = text.split(',').filter_map(|token| token.split_once('='));
    keywords
        .filter_map(|(key, _)| {
            let keyword = Keyword::named(key.trim())?;
            let needs = keyword.since?;
            Some(format!(
                "the keyword '{}' needs {needs}; Harmony's .NET hub has StackExchange.Redis 2.7.27 \
                 and would not start",
                keyword.name
            ))
        })
        .collect()
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
        Ok(Some(Endpoint::new(host, port)))
    } else {
        Err(misspelt(address))
    }
}

/// `http:HOST:PORT`.
fn tunnel(value: &str) -> Option<Endpoint> {
    let proxy = endpoint(value.strip_prefix("http:")?).ok().flatten()?;
    (proxy.port != 0 && proxy.socket_path().is_none()).then_some(proxy)
}

fn unknown(key: &str, text: &str) -> RedisStringError {
    if text.contains(';') {
        return RedisStringError::Semicolons(respelt(text));
    }
    if key.contains("://") {
        return misspelt(text);
    }
    let keyword = if masking::is_plain(key) {
        key.to_owned()
    } else {
        crate::secret::MASK.to_owned()
    };
    RedisStringError::UnknownKeyword {
        near: Keyword::near(key),
        keyword,
    }
}

fn misspelt(text: &str) -> RedisStringError {
    RedisStringError::Endpoint {
        shown: masking::connection_string(text),
        suggestion: respelt(text),
    }
}

/// How StackExchange.Redis spells a URL or `Host=h;Port=p`, secrets masked.
pub fn respelt(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut option = |name: &str, value: &str| parts.push(format!("{name}={value}"));
    let address = if let Ok(url) = url::Url::parse(text.trim()) {
        if !matches!(url.scheme(), "redis" | "rediss" | "tcp") {
            return None;
        }
        if !url.username().is_empty() {
            option("user", url.username());
        }
        if url.password().is_some() {
            option("password", crate::secret::MASK);
        }
        if url.scheme() == "rediss" {
            option("ssl", "true");
        }
        let database = url.path().trim_matches('/');
        if database.parse::<u16>().is_ok_and(|number| number > 0) {
            option("defaultDatabase", database);
        }
        format!("{}:{}", url.host_str()?, url.port().unwrap_or(6379))
    } else {
        let (mut host, mut port) = (None, "6379");
        for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "host" | "server" | "endpoint" | "data source" => host = Some(value.trim()),
                "port" => port = value.trim(),
                "password" | "pwd" => option("password", crate::secret::MASK),
                "user" | "username" | "uid" => option("user", value.trim()),
                "ssl" | "usessl" => option("ssl", value.trim()),
                _ => {}
            }
        }
        let host = host?;
        if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:{port}")
        }
    };
    parts.insert(0, address);
    Some(parts.join(","))
}

/// The string with another first endpoint and password; every other option stays as it was.
pub fn rewrite(text: &str, endpoint: &Endpoint, password: Option<&Secret>) -> String {
    let mut parts = vec![endpoint.to_string()];
    for token in text
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty())
    {
        match token.split_once('=') {
            // What begins with `=` has no key, and so is an endpoint.
            Some((key, _)) if !key.is_empty() && !key.trim().eq_ignore_ascii_case("password") => {
                parts.push(token.to_owned())
            }
            _ => {}
        }
    }
    if let Some(password) = password {
        parts.push(format!("password={}", password.reveal()));
    }
    parts.join(",")
}

/// The string without what belongs to one server alone: who it knows, and the way to it.
pub fn without_credentials(text: &str) -> String {
    const OWN: [&str; 6] = [
        "user",
        "password",
        "serviceName",
        "sentinelUser",
        "sentinelPassword",
        "tunnel",
    ];
    let is_own = |token: &&str| {
        let key = token.split_once('=').map_or("", |(key, _)| key.trim());
        OWN.iter().any(|own| own.eq_ignore_ascii_case(key))
    };
    let kept: Vec<_> = text.split(',').filter(|token| !is_own(token)).collect();
    kept.join(",")
}

/// The string with its secrets masked, also where a password stands in a wrong place.
pub fn masked(text: &str) -> String {
    masking::redis(text)
}

fn milliseconds(number: i32) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or_default())
}
