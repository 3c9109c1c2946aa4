//! What the hub reads from its settings: .NET's own keys, and a few of ours (contract.md, "Settings of the hub").

use crate::appsettings::layers::{Layers, Source};
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::{BrokerAddress, BrokerTls};
use crate::connection_string::redis::{RedisOptions, RedisStringError, Unsupported};
use crate::hub::allowed_hosts::AllowedHosts;
use crate::hub::allowed_origins::AllowedOrigins;
use crate::hub::notification::NotificationLimits;
use crate::listen::{ListenError, ListenUrl};
use crate::secret::Secret;
use crate::signalr::forwarded::{Network, Proxies, ProxyTrust};
use crate::signalr::options::Options;
use crate::signalr::protocol::Protocol;
use crate::tls::CertificateSource;
use std::path::{Path, PathBuf};

/// The hub's .NET name, by which its Redis channels are called.
pub const HUB_NAME: &str = "Harmony.SignalR.Hubs.SignalRHub";
/// What .NET's images say that they run in a container by.
const IN_CONTAINER: &str = "RUNNING_IN_CONTAINER";
/// Where clients find the hub.
pub const HUB_PATH: &str = "/signalRHub";

/// Everything the hub needs to know, checked.
#[derive(Debug, Clone)]
pub struct HubSettings {
    pub endpoints: Vec<KestrelEndpoint>,
    /// The port that plain requests are redirected to, where one is known.
    pub https_port: Option<u16>,
    /// `None`: broadcasts stay inside this process.
    pub redis: Option<RedisOptions>,
    /// `None`: notifications come by the inbox.
    pub broker: Option<BrokerAddress>,
    /// Where metrics and the inbox are, for who holds the token; off unless set.
    pub admin: Option<ListenUrl>,
    /// The file of the token; a default place where none is named.
    pub admin_token_file: Option<PathBuf>,
    /// Where metrics are for everybody; off unless set.
    pub metrics: Option<ListenUrl>,
    /// Pages that may talk to the hub.
    pub origins: AllowedOrigins,
    /// Proxies in front of the hub.
    pub proxies: Proxies,
    pub page: bool,
    /// The names that requests may ask for the hub by.
    pub hosts: AllowedHosts,
    pub log_level: LogLevel,
    /// What signs users' tokens, where clients must bring one.
    pub token_secret: Option<Secret>,
    /// What one notification may cost.
    pub notifications: NotificationLimits,
    /// How clients are served.
    pub options: Options,
}

/// An address that the hub listens on.
#[derive(Debug, Clone)]
pub struct KestrelEndpoint {
    pub url: ListenUrl,
    /// Where it is HTTPS; without one a development certificate is used.
    pub certificate: Option<CertificateSource>,
}

/// Serilog's levels, of which .NET's older names are aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Verbose,
    Debug,
    Information,
    Warning,
    Error,
    Fatal,
    None,
}

/// A setting that can't be used; names its key.
#[derive(Debug, thiserror::Error)]
pub enum HubSettingsError {
    #[error("RedisConnectionString: {0}")]
    Redis(#[from] RedisStringError),
    #[error("RedisConnectionString: {0}")]
    RedisOption(#[from] Unsupported),
    #[error("BrokerConfiguration:Port: '{0}' is not a port (1 to 65535)")]
    Port(String),
    #[error("{key}: {error}")]
    Url {
        key: &'static str,
        error: ListenError,
    },
    #[error("{0}: certificates are read from files, not from a store; name one with Path")]
    CertificateStore(String),
    #[error("{0}: '{1}' is not true or false")]
    Boolean(&'static str, String),
    #[error("{0}: '{1}' is not a number above 0")]
    Count(&'static str, String),
    #[error("{0}: '{1}' is not a log level (Verbose, Debug, Information, Warning, Error, Fatal)")]
    LogLevel(&'static str, String),
    #[error("{0}: '{1}' is not an address, or a network such as 10.0.0.0/8")]
    Network(&'static str, String),
    #[error(
        "Admin:Url: {0} can be reached from other machines; the admin listener serves this one only"
    )]
    AdminNotLoopback(String),
}

impl HubSettings {
    /// Reads the settings of an environment; relative paths are below `folder`.
    pub fn read(
        layers: &Layers,
        environment: &str,
        folder: &Path,
    ) -> Result<Self, HubSettingsError> {
        let redis = layers.get("RedisConnectionString");
        let no_redis = redis.is_empty() || layers.get("redis").eq_ignore_ascii_case("none");
        let embedded = layers.get("rabbitmq").eq_ignore_ascii_case("embedded");
        let endpoints = endpoints(layers, folder)?;
        let options = options(layers)?;
        Ok(HubSettings {
            notifications: notifications(layers, &options)?,
            https_port: https_port(layers, &endpoints),
            endpoints,
            redis: if no_redis {
                None
            } else {
                let options = RedisOptions::parse(redis)?;
                options.check_supported()?;
                Some(options)
            },
            broker: if embedded {
                None
            } else {
                Some(broker_address(layers)?)
            },
            admin: admin(layers)?,
            admin_token_file: Some(layers.get("Admin:TokenFile"))
                .filter(|path| !path.is_empty())
                .map(|path| folder.join(path)),
            metrics: listen_url(layers, "Metrics:Url")?,
            origins: AllowedOrigins::new(list(layers, "Cors:Origins").iter().map(String::as_str)),
            proxies: proxies(layers)?,
            page: boolean(layers, "HubPage:Enabled")?
                .unwrap_or(environment.eq_ignore_ascii_case("Development")),
            hosts: AllowedHosts::parse(layers.get("AllowedHosts")),
            log_level: log_level(layers)?,
            token_secret: Some(layers.get("Authentication:Jwt:Secret"))
                .filter(|secret| !secret.is_empty())
                .map(Secret::new),
            options,
        })
    }
}

impl HubSettings {
    /// The certificate that is configured first.
    pub fn certificate(&self) -> Option<&CertificateSource> {
        self.endpoints
            .iter()
            .find_map(|endpoint| endpoint.certificate.as_ref())
    }
}

/// Harmony's hub offers more than its clients use; what it offers can be taken back.
fn options(layers: &Layers) -> Result<Options, HubSettingsError> {
    let mut options = Options {
        detailed_errors: boolean(layers, "DetailedErrors")?.unwrap_or(false),
        ..Options::default()
    };
    for (key, limit) in [
        ("Limits:Connections", &mut options.maximum_connections),
        (
            "Limits:NegotiatedConnections",
            &mut options.maximum_negotiated,
        ),
        ("Limits:Groups", &mut options.groups.count),
        ("Limits:GroupNameBytes", &mut options.groups.name_bytes),
        (
            "Limits:GroupNameBytesInAll",
            &mut options.groups.name_bytes_in_all,
        ),
        (
            "Limits:ConnectionsPerAddress",
            &mut options.gate.per_address,
        ),
        ("Limits:HalfOpenConnections", &mut options.gate.half_open),
        (
            "SignalR:MaximumParallelInvocationsPerClient",
            &mut options.parallel_invocations,
        ),
        ("Limits:MessageBytes", &mut options.maximum_message),
        ("Limits:WaitingMessages", &mut options.outbox.messages),
        ("Limits:WaitingBytes", &mut options.outbox.bytes),
        ("Limits:WaitingBytesInAll", &mut options.held_bytes),
    ] {
        *limit = count(layers, key)?.unwrap_or(*limit);
    }
    if let Some(messages) = count(layers, "Limits:MessagesPerSecond")? {
        options.messages_per_second = u32::try_from(messages).unwrap_or(u32::MAX);
    }
    if boolean(layers, "SignalR:MessagePack")? == Some(false) {
        options
            .protocols
            .retain(|protocol| *protocol != Protocol::MessagePack);
    }
    if boolean(layers, "SignalR:StatefulReconnect")? == Some(false) {
        options.resume = None;
    }
    Ok(options)
}

fn notifications(
    layers: &Layers,
    options: &Options,
) -> Result<NotificationLimits, HubSettingsError> {
    let mut limits = NotificationLimits::default();
    for (key, limit) in [
        ("Limits:NotificationBytes", &mut limits.body),
        ("Limits:NotificationElements", &mut limits.elements),
        ("Limits:NotificationOutputBytes", &mut limits.output),
    ] {
        *limit = count(layers, key)?.unwrap_or(*limit);
    }
    // What no client's queue could hold would cut all of them off.
    limits.output = limits.output.min(options.outbox.bytes / 2);
    Ok(limits)
}

/// RabbitMQ's address as the settings have it.
pub fn broker_address(layers: &Layers) -> Result<BrokerAddress, HubSettingsError> {
    let value = |name: &str| layers.get(&format!("BrokerConfiguration:{name}"));
    let text = |name: &str| Some(value(name)).filter(|text| !text.is_empty());
    let secure = boolean(layers, "BrokerConfiguration:Tls")? == Some(true);
    let port = match value("Port") {
        "" if secure => 5671,
        "" => 5672,
        text => match text.trim().parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => return Err(HubSettingsError::Port(text.to_owned())),
        },
    };
    let endpoint = Endpoint::new(text("Host").unwrap_or("localhost"), port);
    let [user, password, virtual_host] = ["Username", "Password", "VirtualHost"].map(value);
    let tls = BrokerTls {
        server_name: text("TlsServerName").map(str::to_owned),
        authorities: named_file(layers, "BrokerConfiguration:TlsCaFile"),
    };
    Ok(BrokerAddress {
        tls: secure.then_some(tls),
        ..BrokerAddress::new(endpoint, user, password, virtual_host)
    })
}

/// A file that a setting names; one that a settings file names is relative to that.
fn named_file(layers: &Layers, key: &str) -> Option<PathBuf> {
    let setting = layers.setting(key)?;
    let path = Some(layers.get(key)).filter(|path| !path.is_empty())?;
    Some(match &setting.source {
        Source::File { file, .. } => file.with_file_name(path),
        _ => path.into(),
    })
}

/// `Kestrel:Endpoints`, each with a certificate of its own or Kestrel's default; else what is listed without them.
fn endpoints(layers: &Layers, folder: &Path) -> Result<Vec<KestrelEndpoint>, HubSettingsError> {
    let default = match certificate(layers, folder, "Kestrel:Certificates:Default")? {
        None => certificate(layers, folder, "Kestrel:Certificates:Development")?,
        found => found,
    };
    let named = layers.children("Kestrel:Endpoints");
    if named.is_empty() {
        return Ok(urls(layers)?
            .into_iter()
            .map(|url| KestrelEndpoint {
                url,
                certificate: default.clone(),
            })
            .collect());
    }
    let endpoint = |name: String| {
        let place = format!("Kestrel:Endpoints:{name}");
        let url = ListenUrl::parse(layers.get(&format!("{place}:Url"))).map_err(|error| {
            HubSettingsError::Url {
                key: "Kestrel:Endpoints",
                error,
            }
        })?;
        let own = certificate(layers, folder, &format!("{place}:Certificate"))?;
        Ok(KestrelEndpoint {
            url,
            certificate: own.or_else(|| default.clone()),
        })
    };
    named.into_iter().map(endpoint).collect()
}

/// `urls`, else the ports alone, else port 5000 on this machine.
fn urls(layers: &Layers) -> Result<Vec<ListenUrl>, HubSettingsError> {
    let error = |key| move |error| HubSettingsError::Url { key, error };
    let listed = ListenUrl::parse_list(layers.get("urls")).map_err(error("urls"))?;
    if !listed.is_empty() {
        return Ok(listed);
    }
    let mut ports = Vec::new();
    for (key, scheme) in [("HTTP_PORTS", "http"), ("HTTPS_PORTS", "https")] {
        for port in layers
            .get(key)
            .split(';')
            .map(str::trim)
            .filter(|port| !port.is_empty())
        {
            ports.push(ListenUrl::parse(&format!("{scheme}://*:{port}")).map_err(error(key))?);
        }
    }
    if ports.is_empty() {
        ports.push(ListenUrl::parse("http://localhost:5000").map_err(error("urls"))?);
    }
    Ok(ports)
}

/// As ASP.NET Core finds it: told, or that of the one HTTPS address.
fn https_port(layers: &Layers, endpoints: &[KestrelEndpoint]) -> Option<u16> {
    let told = layers.get("https_port").trim().parse().ok();
    let mut secure: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| endpoint.url.tls)
        .map(|endpoint| endpoint.url.port)
        .collect();
    secure.dedup();
    told.or(if secure.len() == 1 {
        secure.first().copied().filter(|port| *port != 0)
    } else {
        None
    })
}

/// The certificate that a section names, if it does.
fn certificate(
    layers: &Layers,
    folder: &Path,
    place: &str,
) -> Result<Option<CertificateSource>, HubSettingsError> {
    let value =
        |name: &str| Some(layers.get(&format!("{place}:{name}"))).filter(|text| !text.is_empty());
    let Some(path) = value("Path") else {
        return if value("Subject").is_some() {
            Err(HubSettingsError::CertificateStore(place.to_owned()))
        } else {
            Ok(None)
        };
    };
    Ok(Some(CertificateSource {
        path: folder.join(path),
        key_path: value("KeyPath").map(|path| folder.join(path)),
        password: value("Password").map(Secret::new),
    }))
}

fn listen_url(layers: &Layers, key: &'static str) -> Result<Option<ListenUrl>, HubSettingsError> {
    match layers.get(key) {
        "" => Ok(None),
        text => match ListenUrl::parse(text) {
            Ok(url) => Ok(Some(url)),
            Err(error) => Err(HubSettingsError::Url { key, error }),
        },
    }
}

/// The admin listener's address. It leaves this machine in a container only, where what is published decides who
/// reaches it, and only by who starts the container: no settings file opens it.
fn admin(layers: &Layers) -> Result<Option<ListenUrl>, HubSettingsError> {
    const KEY: &str = "Admin:Url";
    let Some(url) = listen_url(layers, KEY)? else {
        return Ok(None);
    };
    let set_by = |key: &str| layers.setting(key).map(|setting| &setting.source);
    let told = matches!(set_by(KEY), Some(Source::CommandLine { .. }));
    // .NET's own images say so by a variable.
    let by_image = !matches!(set_by(IN_CONTAINER), Some(Source::File { .. }));
    let in_container = by_image && boolean(layers, IN_CONTAINER)? == Some(true);
    if url.is_loopback() || (told && in_container) {
        Ok(Some(url))
    } else {
        Err(HubSettingsError::AdminNotLoopback(
            layers.get(KEY).to_owned(),
        ))
    }
}

/// `ForwardedHeaders`: known proxies, else every one where ASP.NET Core's own switch is on.
fn proxies(layers: &Layers) -> Result<Proxies, HubSettingsError> {
    let mut known = Vec::new();
    for key in [
        "ForwardedHeaders:KnownProxies",
        "ForwardedHeaders:KnownNetworks",
    ] {
        for text in list(layers, key) {
            known.push(Network::parse(&text).ok_or(HubSettingsError::Network(key, text))?);
        }
    }
    let enabled = boolean(layers, "FORWARDEDHEADERS_ENABLED")? == Some(true);
    let limit = match layers.get("ForwardedHeaders:ForwardLimit").trim() {
        // As ASP.NET Core's null: every header counts.
        "0" => None,
        _ => Some(count(layers, "ForwardedHeaders:ForwardLimit")?.unwrap_or(1)),
    };
    let trust = match known {
        known if !known.is_empty() => ProxyTrust::Known(known),
        _ if enabled => ProxyTrust::Everybody,
        _ => ProxyTrust::Nobody,
    };
    Ok(Proxies { trust, limit })
}

/// A list's items, or the parts of a text at commas and semicolons.
fn list(layers: &Layers, key: &str) -> Vec<String> {
    let children = layers.children(key);
    let items = children
        .iter()
        .map(|child| layers.get(&format!("{key}:{child}")));
    std::iter::once(layers.get(key))
        .chain(items)
        .flat_map(|text| text.split([';', ',']))
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

fn boolean(layers: &Layers, key: &'static str) -> Result<Option<bool>, HubSettingsError> {
    match layers.get(key).trim() {
        "" => Ok(None),
        text if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        text if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        text => Err(HubSettingsError::Boolean(key, text.to_owned())),
    }
}

fn count(layers: &Layers, key: &'static str) -> Result<Option<usize>, HubSettingsError> {
    match layers.get(key).trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(count @ 1..) => Ok(Some(count)),
            _ => Err(HubSettingsError::Count(key, text.to_owned())),
        },
    }
}

/// Serilog's level, else that of .NET's older form; a level may be a name, a number or a switch.
fn log_level(layers: &Layers) -> Result<LogLevel, HubSettingsError> {
    for key in [
        "Serilog:MinimumLevel:Default",
        "Serilog:MinimumLevel:ControlledBy",
        "Serilog:MinimumLevel",
        "Logging:LogLevel:Default",
    ] {
        let mut text = layers.get(key).trim();
        if text.starts_with('$') {
            let switch = format!("Serilog:LevelSwitches:{text}");
            text = layers.get(&switch).trim();
        }
        if text.is_empty() {
            continue;
        }
        let level = LogLevel::named(text).or_else(|| LogLevel::numbered(text.parse().ok()?));
        return level.ok_or_else(|| HubSettingsError::LogLevel(key, text.to_owned()));
    }
    Ok(LogLevel::Information)
}

impl LogLevel {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "verbose" | "trace" => LogLevel::Verbose,
            "debug" => LogLevel::Debug,
            "information" => LogLevel::Information,
            "warning" => LogLevel::Warning,
            "error" => LogLevel::Error,
            "fatal" | "critical" => LogLevel::Fatal,
            "none" => LogLevel::None,
            _ => return None,
        })
    }

    /// Both forms count alike; a number that no level has logs what is above it.
    fn numbered(number: i32) -> Option<Self> {
        Some(match number {
            i32::MIN..=0 => LogLevel::Verbose,
            1 => LogLevel::Debug,
            2 => LogLevel::Information,
            3 => LogLevel::Warning,
            4 => LogLevel::Error,
            5 => LogLevel::Fatal,
            6.. => LogLevel::None,
        })
    }
}
