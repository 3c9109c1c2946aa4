//! Takes the look: asks Docker, servers, ports and the hub, all at once.

mod servers;

pub use servers::ask_postponed;

use crate::admin_token;
use crate::containers::Service;
use crate::containers::docker::{DockerError, Observer};
use crate::containers::own_image::OwnImage;
use crate::containers::ports;
use crate::containers::whereabouts::Whereabouts;
use crate::hub_process;
use crate::instance::State;
use crate::provision::error::Error;
use crate::provision::ports::{PortAddress, PortHolder, PortLook, PortState};
use crate::provision::questions::{AskEngine, HubContainerFiles, Questions};
use crate::provision::request::Installation;
use crate::provision::variables::overriding;
use crate::provision::world::{
    EngineContents, EngineLook, FreePorts, HubImage, NewPasswords, World,
};
use crate::secret::Secret;
use crate::tls;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

/// An engine that takes longer to respond is no better than none.
const ENGINE_WITHIN: Duration = Duration::from_secs(10);

/// What was found, and the way to the engine, where it can be asked.
pub struct Sight {
    pub world: World,
    pub observer: Option<Observer>,
}

/// Looks at what the questions ask for.
pub async fn look(installation: &Installation, questions: &Questions) -> Result<Sight, Error> {
    let instance = &installation.instance;
    let known = instance.state()?;
    let whereabouts = installation.docker.docker_host();
    let mut world = World {
        instance: instance.name.clone(),
        engine_configured: whereabouts.as_ref().map_or(true, |found| found.configured),
        other_machine: whereabouts
            .as_ref()
            .ok()
            .and_then(Whereabouts::other_machine),
        owner_is_gone: !known.checkout.exists(),
        overriding_variables: overriding(&installation.variables),
        localhost: localhost(),
        hub: hub_process::find(instance)?,
        known,
        ..World::default()
    };
    let embedded = known_embedded(&world.known);
    let observer = match questions.engine {
        AskEngine::No => None,
        AskEngine::UnlessEmbedded if embedded => None,
        AskEngine::Yes | AskEngine::UnlessEmbedded => {
            let connected = match whereabouts {
                Ok(whereabouts) => connect(&whereabouts).await,
                Err(error) => Err(error.into()),
            };
            look_at_engine(&mut world, connected).await?
        }
    };
    servers::ask(&mut world, questions).await;
    look_at_ports(&mut world, observer.as_ref(), questions, installation).await?;
    if questions.hub_port.is_some() && world.hub.is_none() {
        // A killed run may have started it meanwhile.
        world.hub = hub_process::find_started(instance).await?;
    }
    if let Some(files) = &questions.hub_container {
        look_at_own_image(&mut world, observer.as_ref(), installation, files).await?;
    }
    world.new_passwords = NewPasswords {
        redis: Secret::generate()?,
        rabbitmq: Secret::generate()?,
    };
    Ok(Sight { world, observer })
}

/// Whether the user chose to do without containers, and none are left.
fn known_embedded(known: &State) -> bool {
    known.without_redis && known.without_rabbitmq && !known.has_containers()
}

async fn connect(whereabouts: &Whereabouts) -> Result<Observer, DockerError> {
    let connected = tokio::time::timeout(ENGINE_WITHIN, Observer::connect(whereabouts)).await;
    connected.unwrap_or_else(|_| {
        Err(DockerError::NotRunning {
            host: whereabouts.host.clone(),
            error: format!("no response within {ENGINE_WITHIN:?}"),
        })
    })
}

async fn look_at_engine(
    world: &mut World,
    connected: Result<Observer, DockerError>,
) -> Result<Option<Observer>, Error> {
    let expected = world.engine_configured || world.known.has_containers();
    match connected {
        Ok(observer) => {
            world.engine = EngineLook::Reachable(contents(&observer, &world.instance).await?);
            Ok(Some(observer))
        }
        Err(DockerError::NoSocket(_)) if !expected => {
            world.engine = EngineLook::Absent;
            Ok(None)
        }
        Err(error) => {
            world.engine = EngineLook::Unreachable(error);
            Ok(None)
        }
    }
}

async fn contents(observer: &Observer, instance: &str) -> Result<EngineContents, DockerError> {
    let (containers, networks, names, own_images) = tokio::try_join!(
        observer.containers(instance),
        observer.networks(instance),
        observer.volumes(instance),
        observer.own_images(instance)
    )?;
    let mut volumes = Vec::new();
    for name in names {
        volumes.extend(observer.volume(&name).await?);
    }
    Ok(EngineContents {
        containers,
        networks,
        volumes,
        own_images,
    })
}

async fn look_at_ports(
    world: &mut World,
    observer: Option<&Observer>,
    questions: &Questions,
    installation: &Installation,
) -> Result<(), Error> {
    let runs = world.hub.is_some() || world.found(Service::Hub).is_some();
    let hub = questions.hub_port.filter(|_| !runs);
    if let Some((PortAddress::Localhost, port)) = hub {
        ports::settle(port).await;
    }
    // A running hub has its admin port itself; to look for a holder takes long.
    let admin_port = runs.then_some(world.known.admin_port);
    for &(address, port) in questions.ports.iter().chain(&hub) {
        let state = match try_port(address, port) {
            PortState::Taken(_) if admin_port != Some(port) => {
                PortState::Taken(match own_container(world, port) {
                    None => holder(observer, installation, port).await,
                    own => own,
                })
            }
            state => state,
        };
        world.ports.push(PortLook {
            address,
            port,
            state,
        });
    }
    world.free_ports = free_ports().map_err(Error::NoPort)?;
    Ok(())
}

fn free_ports() -> std::io::Result<FreePorts> {
    let mut taken = Vec::new();
    let mut draw = || {
        loop {
            let port = ports::free_port()?;
            if !taken.contains(&port) {
                taken.push(port);
                return Ok::<_, std::io::Error>(port);
            }
        }
    };
    Ok(FreePorts {
        redis: draw()?,
        rabbitmq: draw()?,
        management: draw()?,
        admin: draw()?,
    })
}

/// Whether a port could be listened on.
fn try_port(address: PortAddress, port: u16) -> PortState {
    let address = match address {
        PortAddress::Ip(address) => address,
        PortAddress::Localhost if ports::is_free_on_localhost(port) => return PortState::Free,
        PortAddress::Localhost => return PortState::Taken(None),
    };
    match ports::try_listen(address, port) {
        Ok(()) => PortState::Free,
        Err(ErrorKind::AddrNotAvailable) => PortState::AddressNotHere,
        Err(_) => PortState::Taken(None),
    }
}

/// The instance's own container that publishes a port.
fn own_container(world: &World, port: u16) -> Option<PortHolder> {
    let services = [Service::Redis, Service::RabbitMq, Service::Hub];
    let mut found = services.iter().filter_map(|service| world.found(*service));
    let owner = found.find(|found| found.ports.iter().any(|published| published.port == port))?;
    Some(PortHolder::Container(owner.name.clone()))
}

/// Who listens on a port: a container, else a process.
async fn holder(
    observer: Option<&Observer>,
    installation: &Installation,
    port: u16,
) -> Option<PortHolder> {
    let own = &installation.instance;
    if let Some(observer) = observer
        && let Some(publisher) = observer.publisher(port).await
    {
        let name = publisher.container;
        return Some(
            match publisher.instance.filter(|other| *other != own.name) {
                Some(instance) => PortHolder::Instance {
                    instance,
                    what: format!("container {name}"),
                },
                None => PortHolder::Container(name),
            },
        );
    }
    let process = ports::holder(port)?;
    let hub_of = |instance: String| PortHolder::Instance {
        instance,
        what: format!("the hub, {process},"),
    };
    let other = own.others().into_iter().find(|other| {
        let running = hub_process::find(other).ok().flatten();
        running.is_some_and(|running| process.ends_with(&format!("(pid {})", running.pid)))
    });
    Some(match other {
        Some(other) => hub_of(other.name),
        None => PortHolder::Process(process),
    })
}

async fn look_at_own_image(
    world: &mut World,
    observer: Option<&Observer>,
    installation: &Installation,
    files: &HubContainerFiles,
) -> Result<(), Error> {
    let image = OwnImage::of_this_program(&world.instance).map_err(Error::HubImage)?;
    if let Some(observer) = observer {
        world.has_own_image = observer.has_image(&image.name).await;
    }
    world.own_image = Some(HubImage {
        command: image.command(),
        name: image.name,
    });
    let token = installation.instance.folder.join(admin_token::FILE);
    world.admin_token = Some(admin_token::keep(&token).map_err(Error::AdminToken)?);
    world.certificate = match files {
        HubContainerFiles::NoCertificate => None,
        HubContainerFiles::Certificate(source) => Some(tls::as_pem(source)?),
        HubContainerFiles::DevelopmentCertificate => {
            let home = installation.home.as_deref();
            let made = tls::development_certificate(home, &installation.certificates)?;
            Some(tls::as_pem(&made.source)?)
        }
    };
    Ok(())
}

/// The addresses that `localhost` means: both loopback ones, where this machine has both.
fn localhost() -> Vec<IpAddr> {
    let mut addresses = vec![Ipv4Addr::LOCALHOST.into()];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(Ipv6Addr::LOCALHOST.into());
    }
    addresses
}
