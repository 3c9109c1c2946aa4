//! StackExchange.Redis connection strings: endpoints and options, separated by commas (spec: signalr.md G).

use super::Endpoint;
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

/// A string that StackExchange.Redis refuses too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisStringError {
    #[error("the connection string is empty")]
    Empty,
    #[error("the connection string names no endpoint")]
    NoEndpoint,
    #[error("the port of '{0}' is larger than 65535")]
    Port(String),
    #[error("Keyword '{keyword}' is not supported.{}", near.map(|near| format!(" Did you mean '{near}'?")).unwrap_or_default())]
    UnknownKeyword {
        keyword: String,
        near: Option<&'static str>,
    },
    #[error("Keyword '{keyword}' requires {expected}; the value given is not one.")]
    Value {
        keyword: &'static str,
        expected: &'static str,
    },
}

/// Every keyword; those that only matter to StackExchange.Redis itself are accepted and passed over.
const KEYWORDS: [&str; 38] = [
    "abortConnect",
    "allowAdmin",
    "asyncTimeout",
    "channelPrefix",
    "checkCertificateRevocation",
    "configChannel",
    "configCheckSeconds",
    "connectRetry",
    "connectTimeout",
    "defaultDatabase",
    "heartbeatInterval",
    "highIntegrity",
    "highPriorityThreads",
    "includeDetailInExceptions",
    "keepAlive",
    "name",
    "password",
    "preserveAsyncOrder",
    "protocol",
    "proxy",
    "resolveDns",
    "responseTimeout",
    "sentinelPassword",
    "sentinelUser",
    "serviceName",
    "setlib",
    "ssl",
    "sslHost",
    "sslProtocols",
    "syncTimeout",
    "tiebreaker",
    "tunnel",
    "user",
    "version",
    "writeBuffer",
    "setClientLibrary",
    "heartbeatConsistencyChecks",
    "includePerformanceCountersInExceptions",
];

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
        let (mut addresses, mut abort_connect, mut tls) = (Vec::new(), None, None);
        let (mut sync_timeout, mut async_timeout, mut connect_timeout) = (5000, None, None);
        for token in text
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
        {
            let Some((key, value)) = token.split_once('=').filter(|(key, _)| !key.is_empty())
            else {
                addresses.push(token);
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            if let Some(command) = key.strip_prefix('$') {
                if COMMANDS
                    .iter()
                    .any(|sent| sent.eq_ignore_ascii_case(command))
                {
                    options.refuse(key, "it sends this command by its own name");
                }
                continue;
            }
            let Some(keyword) = KEYWORDS
                .into_iter()
                .find(|known| known.eq_ignore_ascii_case(key))
            else {
                return Err(RedisStringError::UnknownKeyword {
                    keyword: key.to_owned(),
                    near: nearest(key),
                });
            };
            match keyword {
                "user" => options.user = Some(value.to_owned()),
                "password" => options.password = Some(Secret::new(value)),
                "channelPrefix" => options.channel_prefix = value.to_owned(),
                "name" => options.client_name = Some(value.to_owned()),
                "sslHost" => options.tls_host = Some(value.to_owned()),
                "serviceName" => {
                    options.service_name = Some(value.to_owned()).filter(|name| !name.is_empty())
                }
                "abortConnect" => abort_connect = Some(boolean(keyword, value)?),
                "ssl" => tls = Some(boolean(keyword, value)?),
                "sentinelUser" => options.sentinel_user = Some(value.to_owned()),
                "sentinelPassword" => options.sentinel_password = Some(Secret::new(value)),
                "tunnel" => {
                    options.tunnel = match value.strip_prefix("http:") {
                        None if value.is_empty() => None,
                        proxy => Some(tunnel(proxy.unwrap_or_default())?),
                    }
                }
                "setlib" | "setClientLibrary" => options.set_library = boolean(keyword, value)?,
                "sslProtocols" => options.allow_tls(value),
                "checkCertificateRevocation" => {
                    if boolean(keyword, value)? {
                        options.refuse(
                            keyword,
                            "revocation is not looked up; leave it out, or say false",
                        );
                    }
                }
                "highIntegrity" => {
                    if boolean(keyword, value)? {
                        options.refuse(keyword, "answers carry no checksums");
                    }
                }
                "proxy" => {
                    if !value.eq_ignore_ascii_case("none") {
                        options.refuse(keyword, "such proxies carry no channels");
                    }
                }
                "keepAlive" => {
                    let seconds = integer(keyword, value, 0)?;
                    options.keep_alive = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
                }
                "defaultDatabase" => options.database = integer(keyword, value, 0)?,
                "allowAdmin" | "resolveDns" => {
                    boolean(keyword, value)?;
                    options.without_effect.push(keyword);
                }
                "syncTimeout" => sync_timeout = integer(keyword, value, 1)?,
                "asyncTimeout" => async_timeout = Some(integer(keyword, value, 1)?),
                "connectTimeout" => connect_timeout = Some(integer(keyword, value, 0)?),
                "connectRetry" | "configCheckSeconds" => {
                    integer(keyword, value, 0)?;
                    options.without_effect.push(keyword);
                }
                "protocol"
                    if !["2", "3", "resp2", "resp3"]
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(value)) =>
                {
                    return Err(RedisStringError::Value {
                        keyword,
                        expected: "resp2 or resp3",
                    });
                }
                // A server speaks both, and pushes messages beside answers only in the newer.
                "protocol" => {}
                _ => options.without_effect.push(keyword),
            }
        }
        let sentinel = options.service_name.is_some();
        let managed = addresses.iter().any(|address| {
            let host = address
                .split(':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            MANAGED.iter().any(|suffix| host.ends_with(suffix))
        });
        options.tls =
            tls.unwrap_or(managed && addresses.iter().any(|address| address.ends_with(":6380")));
        let default_port = if sentinel {
            26379
        } else if options.tls {
            6380
        } else {
            6379
        };
        options.endpoints = Vec::new();
        // What can't be understood as an endpoint is passed over, but a port that can't be is not.
        let too_large = |address: &&&str| {
            !address.starts_with(super::SOCKET)
                && address
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<i32>().is_ok_and(|port| port > 65_535))
        };
        if let Some(address) = addresses.iter().find(too_large) {
            return Err(RedisStringError::Port((*address).to_owned()));
        }
        // One without a port is not yet the one with the default port: doubles are told by how they are spelt.
        for endpoint in addresses
            .iter()
            .filter_map(|address| Endpoint::parse(address, 0))
        {
            if !options.endpoints.contains(&endpoint) {
                options.endpoints.push(endpoint);
            }
        }
        for endpoint in options
            .endpoints
            .iter_mut()
            .filter(|endpoint| endpoint.port == 0)
        {
            endpoint.port = default_port;
        }
        if options.endpoints.is_empty() {
            return Err(RedisStringError::NoEndpoint);
        }
        options.abort_connect = abort_connect.unwrap_or(!managed);
        options.async_timeout = Duration::from_millis(async_timeout.unwrap_or(sync_timeout).into());
        options.connect_timeout =
            Duration::from_millis(connect_timeout.unwrap_or(sync_timeout.max(5000)).into());
        Ok(options)
    }
}

impl RedisOptions {
    /// Refuses what this hub cannot do, and StackExchange.Redis can.
    pub fn check_supported(&self) -> Result<(), Unsupported> {
        self.unsupported.clone().map_or(Ok(()), Err)
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

/// The string with its secrets masked, also where a password stands in a wrong place.
pub fn masked(text: &str) -> String {
    let mask = |token: &str| {
        let mut keys = token.match_indices('=').map(|(at, _)| &token[..at]);
        match keys.find(|key| key.trim_end().to_ascii_lowercase().ends_with("password")) {
            Some(key) => format!("{key}={}", crate::secret::MASK),
            None => token.to_owned(),
        }
    };
    text.split(',').map(mask).collect::<Vec<_>>().join(",")
}

/// A proxy's `host:port`.
fn tunnel(proxy: &str) -> Result<Endpoint, RedisStringError> {
    Endpoint::parse(proxy, 0)
        .filter(|proxy| proxy.port != 0 && proxy.socket_path().is_none())
        .ok_or(RedisStringError::Value {
            keyword: "tunnel",
            expected: "http:HOST:PORT",
        })
}

fn boolean(keyword: &'static str, value: &str) -> Result<bool, RedisStringError> {
    let is = |spellings: [&str; 4]| {
        spellings
            .iter()
            .any(|known| known.eq_ignore_ascii_case(value))
    };
    if is(["true", "1", "yes", "on"]) {
        return Ok(true);
    }
    if is(["false", "0", "no", "off"]) {
        Ok(false)
    } else {
        Err(RedisStringError::Value {
            keyword,
            expected: "a boolean value",
        })
    }
}

fn integer(keyword: &'static str, value: &str, least: u32) -> Result<u32, RedisStringError> {
    match value.parse::<i64>() {
        Ok(number) if number < i64::from(least) => Ok(least),
        Ok(number) => u32::try_from(number).map_err(|_| RedisStringError::Value {
            keyword,
            expected: "an integer value",
        }),
        Err(_) => Err(RedisStringError::Value {
            keyword,
            expected: "an integer value",
        }),
    }
}

fn nearest(key: &str) -> Option<&'static str> {
    KEYWORDS
        .into_iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &key.to_ascii_lowercase()),
                known,
            )
        })
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 3 + 1)
        .map(|(_, known)| known)
}
