//! How the hub is started: as a process of this machine, or as a container of an image made of this program.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::services::{RabbitMqDecision, RedisDecision};
use crate::appsettings::SettingsFile;
use crate::appsettings::document::NewValue;
use crate::appsettings::layers::file_names;
use crate::checkout::Checkout;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::rewrite;
use crate::containers::own_image::OwnImage;
use crate::containers::{ContainerSpec, Published, Service};
use crate::hub::settings::HubSettings;
use crate::hub_process::Launch;
use crate::instance::{Choice, State};
use crate::project::ApplicationSettings;
use crate::secret::Secret;
use crate::tls;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use url::Url;

/// Inside the container: its settings, its certificate, its admin listener.
const FOLDER: &str = "/app";
const CERTIFICATE: &str = "/app/https.pem";
const ADMIN_PORT: u16 = 9080;

/// The hub, decided.
pub enum Hosting {
    Process(Launch),
    Container {
        image: OwnImage,
        spec: Box<ContainerSpec>,
    },
    None,
}

impl Hosting {
    pub fn container(&self) -> Option<&ContainerSpec> {
        match self {
            Hosting::Container { spec, .. } => Some(spec),
            _ => None,
        }
    }

    pub fn process(&self) -> Option<&Launch> {
        match self {
            Hosting::Process(launch) => Some(launch),
            _ => None,
        }
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
    if state.redis == Choice::Embedded {
        arguments.push("--redis=none".into());
    }
    if state.rabbitmq == Choice::Embedded {
        arguments.push("--rabbitmq=embedded".into());
    }
    arguments
}

/// The hub as a process.
pub fn process(
    context: &Context,
    checkout: &Checkout,
    files: &[SettingsFile],
    state: &State,
    hub_url: &Url,
) -> Launch {
    let admin_url = state.admin_url();
    let mut arguments = arguments(
        state,
        &checkout.hub.display().to_string(),
        &listen_url(hub_url),
        &admin_url,
    );
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(format!("{} {arguments:?}", env!("CARGO_PKG_VERSION")).as_bytes());
    for file in files
        .iter()
        .filter(|file| file.path.starts_with(&checkout.hub))
    {
        digest.update(&file.document.to_bytes());
    }
    let fingerprint = crate::hex::encode(&digest.finish().as_ref()[..16]);
    arguments.extend([
        "--background".into(),
        context.instance.folder.display().to_string(),
        "--fingerprint".into(),
        fingerprint.clone(),
    ]);
    Launch {
        url: hub_url.clone(),
        admin_url,
        fingerprint,
        arguments,
        hidden_variables: hidden_variables(),
    }
}

/// The hub as a container, mapped as in Harmony's own compose file: its port inside is 443, or 80 without TLS.
/// Its copy of the settings leads to the servers by their names in the instance's network.
pub fn container(
    context: &Context,
    checkout: &Checkout,
    settings: &ApplicationSettings,
    state: &State,
    hub_url: &Url,
    (redis, rabbitmq): (&RedisDecision, &RabbitMqDecision),
) -> Result<Hosting, Failure> {
    let image = OwnImage::of_this_program(&context.instance.name).map_err(|error| {
        Failure::new(Exit::Failed, "hubImage", "the hub's image can't be made")
            .why(error.to_string())
            .fix("run the hub as a process: --hub process")
    })?;
    let mut settings = settings.clone();
    if redis.choice == Choice::Container {
        let password = redis
            .options
            .as_ref()
            .and_then(|options| options.password.clone());
        let known = redis.connection_string.as_deref().unwrap_or_default();
        let text = rewrite(
            known,
            &Endpoint::new(Service::Redis.host_name(), 6379),
            password.as_ref(),
        );
        settings.set("RedisConnectionString", NewValue::Text(text))?;
    } else if let Some(endpoint) = redis
        .options
        .iter()
        .flat_map(|options| &options.endpoints)
        .find(|endpoint| endpoint.is_loopback())
    {
        return Err(out_of_reach("Redis", endpoint));
    }
    if rabbitmq.choice == Choice::Container {
        settings.set(
            "BrokerConfiguration:Host",
            NewValue::Text(Service::RabbitMq.host_name().into()),
        )?;
        settings.set("BrokerConfiguration:Port", NewValue::Integer(5672))?;
    } else if let Some(address) = rabbitmq
        .address
        .as_ref()
        .filter(|address| address.endpoint.is_loopback())
    {
        return Err(out_of_reach("RabbitMQ", &address.endpoint));
    }
    let names = file_names(&state.environment);
    let read = settings
        .files()
        .iter()
        .filter(|file| names.iter().any(|name| file.path.ends_with(name)));
    let mut files: Vec<_> = read
        .filter_map(|file| {
            let name = file.path.file_name()?.to_str()?;
            Some((
                format!("{FOLDER}/{name}"),
                Secret::new(String::from_utf8_lossy(&file.document.to_bytes())),
            ))
        })
        .collect();
    let tls = hub_url.scheme() == "https";
    let inside = if tls { 443 } else { 80 };
    let mut command = image.command();
    command.push("hub".into());
    command.extend(arguments(
        state,
        FOLDER,
        &format!("{}://*:{inside}", hub_url.scheme()),
        &format!("http://*:{ADMIN_PORT}"),
    ));
    if tls {
        let settings = HubSettings::read(&settings.layers(), &state.environment, &checkout.hub)?;
        let source = match settings.certificate() {
            Some(source) => source.clone(),
            None => {
                tls::development_certificate(
                    context.home.as_deref(),
                    &super::context::certificates()?,
                )?
                .source
            }
        };
        files.push((CERTIFICATE.into(), tls::as_pem(&source)?));
        command.push(format!("--Kestrel:Certificates:Default:Path={CERTIFICATE}"));
        command.extend(
            ["KeyPath", "Password"].map(|name| format!("--Kestrel:Certificates:Default:{name}=")),
        );
    }
    let port = hub_url.port_or_known_default().unwrap_or_default();
    let published = |address| Published {
        inside,
        address,
        port,
    };
    let mut ports: Vec<_> = addresses(hub_url).into_iter().map(published).collect();
    ports.push(Published {
        inside: ADMIN_PORT,
        address: Ipv4Addr::LOCALHOST.into(),
        port: state.admin_port,
    });
    let spec = ContainerSpec::hub(
        &context.instance.name,
        image.name.clone(),
        command,
        ports,
        files,
    );
    Ok(Hosting::Container {
        image,
        spec: Box::new(spec),
    })
}

fn out_of_reach(name: &str, endpoint: &Endpoint) -> Failure {
    Failure::new(Exit::Failed, "outOfReach", format!("the hub's container can't reach {name} at {endpoint}"))
        .why("inside a container that address is the container's own")
        .fix(format!("let the hub be a process (--hub process), or {name} a container or a server at an address that others reach"))
}

/// The addresses that the host of a URL means: both loopback ones for a name, where this machine has both.
fn addresses(hub: &Url) -> Vec<IpAddr> {
    match hub.host() {
        Some(url::Host::Ipv4(address)) => vec![address.into()],
        Some(url::Host::Ipv6(address)) => vec![address.into()],
        _ if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        _ => vec![Ipv4Addr::LOCALHOST.into()],
    }
}

/// Variables of this shell that would override what the files say.
pub fn hidden_variables() -> Vec<String> {
    const DECIDED: [&str; 8] = [
        "RedisConnectionString",
        "BrokerConfiguration__",
        "BrokerConfiguration:",
        "ASPNETCORE_URLS",
        "URLS",
        "HTTP_PORTS",
        "HTTPS_PORTS",
        "Kestrel__Endpoints",
    ];
    let decided = |name: &str| {
        DECIDED.iter().any(|prefix| {
            name.get(..prefix.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        })
    };
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| decided(name))
        .collect()
}

/// Where the hub listens for clients that use a URL: on its address where it is one, else on this machine only.
fn listen_url(hub: &Url) -> String {
    let port = hub.port_or_known_default().unwrap_or(443);
    match hub.host() {
        Some(host @ (url::Host::Ipv4(_) | url::Host::Ipv6(_))) => {
            format!("{}://{host}:{port}", hub.scheme())
        }
        _ => format!("{}://localhost:{port}", hub.scheme()),
    }
}
