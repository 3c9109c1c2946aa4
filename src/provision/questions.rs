//! What has to be looked at before a decision: which servers to ask, which ports to try.

use crate::appsettings::layers::Layers;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::hub::settings::{HubSettings, HubSettingsError, broker_address};
use crate::instance::State;
use crate::project::{HUB_URL, Project};
use crate::provision::ports::{LOOPBACK, MANAGEMENT_PORT, PortAddress, RABBITMQ_PORT, REDIS_PORT};
use crate::provision::request::{HubChoice, Request, ServerChoice, Wanted};
use crate::provision::servers::{postponed, rabbitmq_to_ask, redis_to_ask};
use crate::tls::CertificateSource;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use url::Url;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Questions {
    pub engine: AskEngine,
    pub redis: Option<RedisOptions>,
    pub rabbitmq: Option<BrokerAddress>,
    pub servers: AskServers,
    /// Not asked before the plan was agreed to: a file alone sends credentials there.
    pub postponed: Vec<Service>,
    /// How long a server may take to respond.
    pub within: Duration,
    pub ports: Vec<(PortAddress, u16)>,
    /// Wait for a hub that is just ending to leave its port.
    pub hub_port: Option<(PortAddress, u16)>,
    pub hub_container: Option<HubContainerFiles>,
}

/// Whether the Docker engine is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskEngine {
    Yes,
    No,
    /// Unless the user chose to do without containers, and none are left.
    UnlessEmbedded,
}

/// Which servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskServers {
    All,
    /// Not those that are our own containers: whether they are ready is found out later.
    NotOurs,
}

/// What the hub's container needs besides its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubContainerFiles {
    NoCertificate,
    Certificate(CertificateSource),
    DevelopmentCertificate,
}

/// Servers that exist already respond at once; an absent one must not hold us up.
const SERVER_WITHIN: Duration = Duration::from_millis(1500);

impl Questions {
    /// What exists of the instance, without asking servers.
    pub fn about_existence() -> Self {
        Questions {
            engine: AskEngine::UnlessEmbedded,
            redis: None,
            rabbitmq: None,
            servers: AskServers::All,
            postponed: Vec::new(),
            within: SERVER_WITHIN,
            ports: Vec::new(),
            hub_port: None,
            hub_container: None,
        }
    }

    /// What exists, and whether the servers of the settings respond.
    pub fn about_servers(layers: &Layers, within: Duration) -> Self {
        let text = layers.get("RedisConnectionString");
        Questions {
            redis: RedisOptions::parse(text).ok(),
            rabbitmq: broker_address(layers).ok(),
            within,
            ..Self::about_existence()
        }
    }

    /// Everything that `up` decides from.
    pub fn of_request(
        request: &Request,
        project: &Project,
        known: &State,
        other_machine: Option<&str>,
    ) -> Result<Self, HubSettingsError> {
        let wanted = remembered(&request.wanted, known);
        let layers = project.hub.layers();
        let hub_url = hub_url(&wanted, project);
        let in_container = hub_in_container(&wanted, known);
        let hub_port = hub_url.as_ref().map(|url| {
            let port = url.port_or_known_default().unwrap_or_default();
            (PortAddress::of_url(url), port)
        });
        let hub_container = match (in_container, &hub_url) {
            (true, Some(url)) => Some(hub_container_files(request, project, url)?),
            _ => None,
        };
        let ports = match other_machine {
            // Only the engine itself knows the ports of another machine.
            Some(_) => Vec::new(),
            None => container_ports(&wanted, &layers, known),
        };
        let redis = redis_to_ask(&wanted, &layers)?;
        let rabbitmq = rabbitmq_to_ask(&wanted, &layers)?;
        let engine = wanted.may_use_containers() || in_container || known.has_containers();
        let process = !in_container && wanted.hub != Some(HubChoice::None);
        Ok(Questions {
            engine: match engine {
                true => AskEngine::Yes,
                false => AskEngine::No,
            },
            postponed: postponed(&wanted, project, redis.as_ref(), rabbitmq.as_ref()),
            redis,
            rabbitmq,
            servers: AskServers::NotOurs,
            within: SERVER_WITHIN,
            ports: ports
                .into_iter()
                .chain([(PortAddress::Localhost, known.admin_port)])
                .filter(|(_, port)| *port != 0)
                .collect(),
            hub_port: hub_port.filter(|_| process),
            hub_container,
        })
    }
}

/// What is wanted, with what was asked for earlier and is not taken back.
pub fn remembered(wanted: &Wanted, known: &State) -> Wanted {
    let mut wanted = wanted.clone();
    let without = |choice: &mut Option<ServerChoice>, known: bool| {
        if choice.is_none() && known {
            *choice = Some(ServerChoice::Without);
        }
    };
    without(&mut wanted.redis, known.without_redis);
    without(&mut wanted.rabbitmq, known.without_rabbitmq);
    if wanted.hub.is_none() && known.without_hub {
        wanted.hub = Some(HubChoice::None);
    }
    wanted
}

/// Where clients should find the hub.
pub fn hub_url(wanted: &Wanted, project: &Project) -> Option<Url> {
    let configured = || project.hub_url().or_else(|| Url::parse(HUB_URL).ok());
    wanted.hub_url.clone().or_else(configured)
}

pub fn hub_in_container(wanted: &Wanted, known: &State) -> bool {
    match wanted.hub {
        Some(choice) => choice == HubChoice::Container,
        None => known.hub_in_container,
    }
}

/// The address that ports are published on.
pub fn bind(wanted: &Wanted, known: &State, other_machine: Option<&str>) -> IpAddr {
    // Another machine's loopback would be out of reach.
    let default = match other_machine {
        Some(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        None => LOOPBACK,
    };
    wanted.bind.or(known.bind).unwrap_or(default)
}

/// The port that the settings have for a service on this machine.
pub fn configured_port(service: Service, layers: &Layers) -> Option<u16> {
    let endpoint = match service {
        Service::Redis => {
            let options = RedisOptions::parse(layers.get("RedisConnectionString")).ok()?;
            options.endpoints.into_iter().next()?
        }
        Service::RabbitMq => broker_address(layers).ok()?.endpoint,
        Service::Hub => return None,
    };
    endpoint.is_loopback().then_some(endpoint.port)
}

/// Every port that a container could be published on.
fn container_ports(wanted: &Wanted, layers: &Layers, known: &State) -> Vec<(PortAddress, u16)> {
    let bind = PortAddress::Ip(bind(wanted, known, None));
    let candidates = |service, asked: Option<u16>, before, usual| {
        let configured = configured_port(service, layers);
        [asked, Some(before), configured, Some(usual)]
    };
    let redis = candidates(
        Service::Redis,
        wanted.redis_port,
        known.redis_port,
        REDIS_PORT,
    );
    let rabbitmq = candidates(
        Service::RabbitMq,
        wanted.rabbitmq_port,
        known.rabbitmq_port,
        RABBITMQ_PORT,
    );
    let servers = redis.into_iter().chain(rabbitmq).flatten();
    let management = [known.management_port, MANAGEMENT_PORT];
    let loopback = PortAddress::Ip(LOOPBACK);
    let mut ports: Vec<_> = servers
        .map(|port| (bind, port))
        .chain(management.map(|port| (loopback, port)))
        .collect();
    ports.sort_by_key(|(_, port)| *port);
    ports.dedup();
    ports
}

fn hub_container_files(
    request: &Request,
    project: &Project,
    url: &Url,
) -> Result<HubContainerFiles, HubSettingsError> {
    if url.scheme() != "https" {
        return Ok(HubContainerFiles::NoCertificate);
    }
    let environment = &request.scope.environment;
    let settings = HubSettings::read(&project.hub.layers(), environment, &request.checkout.hub)?;
    Ok(match settings.certificate() {
        Some(source) => HubContainerFiles::Certificate(source.clone()),
        None => HubContainerFiles::DevelopmentCertificate,
    })
}
