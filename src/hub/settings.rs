//! What the hub reads from its settings: .NET's own keys, and a few of ours (contract.md, "Settings
//! of the hub").

mod addresses;
mod error;
mod kinds;
mod log_level;

pub use addresses::KestrelEndpoint;
pub use error::HubSettingsError;
pub use log_level::LogLevel;

use crate::appsettings::layers::{Layers, Source};
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::{BrokerAddress, BrokerTls};
use crate::connection_string::redis::RedisOptions;
use crate::hub::allowed_hosts::AllowedHosts;
use crate::hub::allowed_origins::AllowedOrigins;
use crate::hub::notification::NotificationLimits;
use crate::listen::ListenUrl;
use crate::secret::Secret;
use crate::signalr::forwarded::{Network, Proxies, ProxyTrust};
use crate::signalr::options::Options;
use crate::signalr::protocol::Protocol;
use crate::tls::CertificateSource;
use addresses::{admin, endpoints, https_port, listen_url};
use kinds::{boolean, count};
use log_level::log_level;
use std::path::{Path, PathBuf};

/// The hub's .NET name, by which its Redis channels are called.
pub const HUB_NAME: &str = "Harmony.SignalR.Hubs.SignalRHub";
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
            origins: AllowedOrigins::new(&layers.list("Cors:Origins")),
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

/// `ForwardedHeaders`: known proxies, else every one where ASP.NET Core's own switch is on.
fn proxies(layers: &Layers) -> Result<Proxies, HubSettingsError> {
    let mut known = Vec::new();
    for key in [
        "ForwardedHeaders:KnownProxies",
        "ForwardedHeaders:KnownNetworks",
    ] {
        for text in layers.list(key) {
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

/// A file that a setting names; one that a settings file names is relative to that.
fn named_file(layers: &Layers, key: &str) -> Option<PathBuf> {
    let setting = layers.setting(key)?;
    let path = Some(layers.get(key)).filter(|path| !path.is_empty())?;
    Some(match &setting.source {
        Source::File { file, .. } => file.with_file_name(path),
        _ => path.into(),
    })
}
