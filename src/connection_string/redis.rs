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
    pub keep_alive: Duration,
    pub client_name: Option<String>,
    /// The name of the primary to ask sentinels for; the endpoints are sentinels then.
    pub service_name: Option<String>,
}

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
            keep_alive: Duration::from_secs(60),
            client_name: None,
            service_name: None,
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
            if key.starts_with('$') {
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
                "allowAdmin"
                | "resolveDns"
                | "checkCertificateRevocation"
                | "setlib"
                | "highIntegrity" => {
                    boolean(keyword, value)?;
                }
                "keepAlive" => {
                    options.keep_alive = Duration::from_secs(integer(keyword, value, 0)?.into())
                }
                "syncTimeout" => sync_timeout = integer(keyword, value, 1)?,
                "asyncTimeout" => async_timeout = Some(integer(keyword, value, 1)?),
                "connectTimeout" => connect_timeout = Some(integer(keyword, value, 0)?),
                "connectRetry" | "configCheckSeconds" | "defaultDatabase" => {
                    integer(keyword, value, 0)?;
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
                _ => {}
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
            address
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
