//! How the hub runs: as a process of this machine, or as a container of an image of this program.

use super::basis::Basis;
use crate::appsettings::SettingsFile;
use crate::appsettings::document::NewValue;
use crate::appsettings::layers::file_names;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::rewrite;
use crate::containers::{ContainerSpec, Published, Service};
use crate::hub_process::Launch;
use crate::instance::{ServiceOrigin, State};
use crate::project::{ApplicationSettings, Project};
use crate::provision::decision::{HubDecision, RabbitMqDecision, RedisDecision};
use crate::provision::error::Error;
use crate::provision::ports::{PortAddress, PortState};
use crate::provision::request::HubChoice;
use crate::provision::world::HubImage;
use crate::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};
use url::{Host, Url};

/// Inside the container: the settings, the certificate, the admin listener.
const FOLDER: &str = "/app";
const CERTIFICATE: &str = "/app/https.pem";
const ADMIN_TOKEN: &str = "/app/admin-token";
const ADMIN_PORT: u16 = 9080;

type Servers<'s> = (&'s RedisDecision, &'s RabbitMqDecision);

pub fn decide(
    basis: &Basis<'_>,
    project: &Project,
    state: &State,
    url: &Url,
    servers: Servers<'_>,
) -> Result<HubDecision, Error> {
    if basis.wanted.hub == Some(HubChoice::None) {
        return Ok(HubDecision::None);
    }
    if state.hub_in_container {
        return container(basis, project, state, url, servers);
    }
    check_port(basis, url)?;
    Ok(HubDecision::Process(process(basis, project, state, url)))
}

/// The hub's own port must be free, unless the hub itself has it.
fn check_port(basis: &Basis<'_>, url: &Url) -> Result<(), Error> {
    // A container of the hub makes room first, however far it has come.
    if basis.world.hub.is_some() || basis.world.found(Service::Hub).is_some() {
        return Ok(());
    }
    let port = url.port_or_known_default().unwrap_or_default();
    match basis.world.port(PortAddress::of_url(url), port) {
        PortState::Taken(holder) => Err(Error::PortInUse {
            port,
            holder: holder.clone(),
        }),
        // An address of another machine is that of a proxy in front of the hub.
        PortState::Free | PortState::AddressNotHere => Ok(()),
    }
}

/// The port of the admin listener: as before, unless somebody took it meanwhile.
pub fn admin_port(basis: &Basis<'_>) -> u16 {
    let known = basis.known().admin_port;
    let runs = basis.world.hub.is_some() || basis.world.found(Service::Hub).is_some();
    let free = matches!(
        basis.world.port(PortAddress::Localhost, known),
        PortState::Free
    );
    if known != 0 && (runs || free) {
        known
    } else {
        basis.world.free_ports.admin
    }
}

/// What follows `harmony hub`, wherever that runs; never a secret, since others can read it.
fn arguments(state: &State, settings: &str, urls: &str, admin: &str) -> Vec<String> {
    let mut arguments = vec![
        "--settings".to_owned(),
        settings.to_owned(),
        format!("--environment={}", state.environment),
        format!("--urls={urls}"),
        format!("--Admin:Url={admin}"),
    ];
    if state.redis == ServiceOrigin::Embedded {
        arguments.push("--redis=none".into());
    }
    if state.rabbitmq == ServiceOrigin::Embedded {
        arguments.push("--rabbitmq=embedded".into());
    }
    arguments
}

fn process(basis: &Basis<'_>, project: &Project, state: &State, url: &Url) -> Launch {
    let request = basis.request;
    let admin_url = state.admin_url();
    let folder = &request.checkout.hub;
    let settings = folder.display().to_string();
    let mut arguments = arguments(state, &settings, &listen_url(url), &admin_url);
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(format!("{} {arguments:?}", env!("CARGO_PKG_VERSION")).as_bytes());
    for file in project.hub.all_files() {
        digest.update(&file.document.to_bytes());
    }
    let fingerprint = crate::hex::encode(&digest.finish().as_ref()[..16]);
    let instance = &request.installation.instance;
    arguments.extend([
        "--background".into(),
        instance.folder.display().to_string(),
        "--fingerprint".into(),
        fingerprint.clone(),
    ]);
    Launch {
        url: url.clone(),
        admin_url,
        fingerprint,
        arguments,
        hidden_variables: basis.world.overriding_variables.clone(),
    }
}

/// Where the hub listens for clients that use a URL: on its address where it is one, else on this
/// machine only.
fn listen_url(hub: &Url) -> String {
    let port = hub.port_or_known_default().unwrap_or(443);
    match hub.host() {
        Some(host @ (Host::Ipv4(_) | Host::Ipv6(_))) => {
            format!("{}://{host}:{port}", hub.scheme())
        }
        _ => format!("{}://localhost:{port}", hub.scheme()),
    }
}

/// The hub as a container, mapped as in Harmony's own compose file: its port inside is 443, or 80
/// without TLS.
fn container(
    basis: &Basis<'_>,
    project: &Project,
    state: &State,
    url: &Url,
    servers: Servers<'_>,
) -> Result<HubDecision, Error> {
    basis.demand_engine()?;
    if let Some(machine) = &basis.world.other_machine {
        return Err(Error::HubOnAnotherMachine(machine.clone()));
    }
    let Some(image) = &basis.world.own_image else {
        let error = std::io::Error::other("this program could not be read");
        return Err(Error::HubImage(error));
    };
    let settings = settings_inside(&project.hub, servers)?;
    let mut files = files_inside(&settings, &state.environment);
    let mut command = command(image, state, url);
    if let Some(certificate) = &basis.world.certificate {
        files.push((CERTIFICATE.into(), certificate.clone()));
        command.push(format!("--Kestrel:Certificates:Default:Path={CERTIFICATE}"));
        let empty = ["KeyPath", "Password"];
        command.extend(empty.map(|name| format!("--Kestrel:Certificates:Default:{name}=")));
    }
    if let Some(token) = &basis.world.admin_token {
        files.push((ADMIN_TOKEN.into(), token.clone()));
        command.push(format!("--Admin:TokenFile={ADMIN_TOKEN}"));
    }
    let ports = ports(basis, state, url);
    let instance = &basis.world.instance;
    let spec = ContainerSpec::hub(instance, image.name.clone(), command, ports, files);
    Ok(HubDecision::Container {
        image: image.clone(),
        spec: Box::new(spec),
    })
}

/// The hub's settings as its container needs them: they lead to the servers by their names in the
/// instance's network.
fn settings_inside(
    settings: &ApplicationSettings,
    (redis, rabbitmq): Servers<'_>,
) -> Result<ApplicationSettings, Error> {
    let mut settings = settings.with_secrets_in_files()?;
    let out_of_reach = |service, endpoint: &Endpoint| Error::OutOfReach {
        service,
        endpoint: endpoint.clone(),
    };
    match redis {
        RedisDecision::Container {
            options,
            connection_string,
            ..
        } => {
            let inside = Endpoint::new(Service::Redis.host_name(), 6379);
            let text = rewrite(connection_string, &inside, options.password.as_ref());
            settings.set("RedisConnectionString", NewValue::Text(text))?;
        }
        RedisDecision::External { options, .. } => {
            let mut endpoints = options.endpoints.iter();
            if let Some(endpoint) = endpoints.find(|endpoint| endpoint.is_loopback()) {
                return Err(out_of_reach(Service::Redis, endpoint));
            }
        }
        RedisDecision::None => {}
    }
    match rabbitmq {
        RabbitMqDecision::Container { .. } => {
            let host = NewValue::Text(Service::RabbitMq.host_name().into());
            settings.set("BrokerConfiguration:Host", host)?;
            settings.set("BrokerConfiguration:Port", NewValue::Integer(5672))?;
        }
        RabbitMqDecision::External { address, .. } if address.endpoint.is_loopback() => {
            return Err(out_of_reach(Service::RabbitMq, &address.endpoint));
        }
        RabbitMqDecision::External { .. } | RabbitMqDecision::Embedded => {}
    }
    Ok(settings)
}

/// The settings files that the environment reads, by their paths inside.
fn files_inside(settings: &ApplicationSettings, environment: &str) -> Vec<(String, Secret)> {
    let names = file_names(environment);
    let read = settings
        .files()
        .iter()
        .filter(|file| names.iter().any(|name| file.path.ends_with(name)));
    let inside = |file: &SettingsFile| {
        let name = file.path.file_name()?.to_str()?;
        let text = String::from_utf8_lossy(&file.document.to_bytes()).into_owned();
        Some((format!("{FOLDER}/{name}"), Secret::new(text)))
    };
    read.filter_map(inside).collect()
}

fn command(image: &HubImage, state: &State, url: &Url) -> Vec<String> {
    let mut command = image.command.clone();
    command.push("hub".into());
    let urls = format!("{}://*:{}", url.scheme(), inside(url));
    let admin = format!("http://*:{ADMIN_PORT}");
    command.extend(arguments(state, FOLDER, &urls, &admin));
    command
}

/// The hub's port inside its container.
fn inside(url: &Url) -> u16 {
    if url.scheme() == "https" { 443 } else { 80 }
}

fn ports(basis: &Basis<'_>, state: &State, url: &Url) -> Vec<Published> {
    let port = url.port_or_known_default().unwrap_or_default();
    let published = |address| Published {
        inside: inside(url),
        address,
        port,
    };
    let mut ports: Vec<_> = addresses(basis, url).into_iter().map(published).collect();
    ports.push(Published {
        inside: ADMIN_PORT,
        address: Ipv4Addr::LOCALHOST.into(),
        port: state.admin_port,
    });
    ports
}

/// The addresses that the host of a URL means; for a name those of localhost.
fn addresses(basis: &Basis<'_>, hub: &Url) -> Vec<IpAddr> {
    match hub.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        _ => basis.world.localhost.clone(),
    }
}
