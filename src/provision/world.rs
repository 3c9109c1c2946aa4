//! One look at everything that decisions are made from: Docker, containers, servers, ports, the
//! running hub, what is remembered.

use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::containers::docker::{DockerError, ObservedContainer, ObservedVolume};
use crate::containers::readiness::NotReady;
use crate::containers::{Service, container_name, volume_name};
use crate::hub_process::Running;
use crate::instance::State;
use crate::provision::ports::{PortAddress, PortLook, PortState};
use crate::secret::Secret;
use std::net::IpAddr;

/// What was found, as data.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub instance: String,
    pub engine: EngineLook,
    /// `DOCKER_HOST` or a context names the engine.
    pub engine_configured: bool,
    /// The machine that the engine publishes ports on, where it is another one.
    pub other_machine: Option<String>,
    pub redis: Option<Probe<RedisOptions>>,
    pub rabbitmq: Option<Probe<BrokerAddress>>,
    pub ports: Vec<PortLook>,
    /// Ports that nobody uses, one for each that could be needed.
    pub free_ports: FreePorts,
    /// The hub as a process, where it runs.
    pub hub: Option<Running>,
    /// What is remembered from the run before.
    pub known: State,
    /// The checkout that the instance belongs to does not exist any more.
    pub owner_is_gone: bool,
    /// The image of this very program, where the hub could become a container.
    pub own_image: Option<HubImage>,
    pub has_own_image: bool,
    /// The certificate for the hub's container.
    pub certificate: Option<Secret>,
    /// What opens the admin listener of the hub's container.
    pub admin_token: Option<Secret>,
    /// The addresses that `localhost` means here.
    pub localhost: Vec<IpAddr>,
    /// Variables of this process that would override what the settings files say.
    pub overriding_variables: Vec<String>,
    pub new_passwords: NewPasswords,
}

/// The image of this program: its name, and how the program is started inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubImage {
    pub name: String,
    pub command: Vec<String>,
}

/// Ports to use where the usual ones are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreePorts {
    pub redis: u16,
    pub rabbitmq: u16,
    pub management: u16,
    pub admin: u16,
}

/// Passwords to use where there are none yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewPasswords {
    pub redis: Secret,
    pub rabbitmq: Secret,
}

/// What became of asking the Docker engine.
#[derive(Debug, Clone, Default)]
pub enum EngineLook {
    /// Nothing that was asked for needs it.
    #[default]
    NotAsked,
    /// There is none: no socket, and nothing says that there should be one.
    Absent,
    /// There should be one, and it cannot be asked.
    Unreachable(DockerError),
    Reachable(EngineContents),
}

/// What the engine has of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineContents {
    pub containers: Vec<ObservedContainer>,
    /// Names; one may be there twice.
    pub networks: Vec<String>,
    pub volumes: Vec<ObservedVolume>,
    /// Images of this program, of all versions.
    pub own_images: Vec<String>,
}

/// A server that was asked, and what it said.
#[derive(Debug, Clone)]
pub struct Probe<A> {
    pub asked: A,
    pub result: Result<(), NotReady>,
}

impl<A> Probe<A> {
    fn error(&self) -> Option<NotReady> {
        self.result.clone().err()
    }
}

impl World {
    /// What the engine has, where it could be asked.
    pub fn contents(&self) -> Option<&EngineContents> {
        match &self.engine {
            EngineLook::Reachable(contents) => Some(contents),
            _ => None,
        }
    }

    /// Whether a server is not asked before the plan was agreed to.
    pub fn is_postponed(&self, service: Service) -> bool {
        let not_asked = Some(NotReady::NotAsked);
        match service {
            Service::Redis => self.redis.as_ref().and_then(Probe::error) == not_asked,
            Service::RabbitMq => self.rabbitmq.as_ref().and_then(Probe::error) == not_asked,
            Service::Hub => false,
        }
    }

    /// A service's container.
    pub fn found(&self, service: Service) -> Option<&ObservedContainer> {
        let name = container_name(&self.instance, service);
        let mut containers = self.contents()?.containers.iter();
        containers.find(|found| found.name == name)
    }

    /// Containers that an interrupted run set aside.
    pub fn leftovers(&self) -> impl Iterator<Item = (Service, &ObservedContainer)> {
        let containers = self.contents().map(|contents| contents.containers.iter());
        containers.into_iter().flatten().filter_map(|found| {
            let service = Service::named(&found.service)?;
            (found.name != container_name(&self.instance, service)).then_some((service, found))
        })
    }

    /// The volume of a service.
    pub fn volume(&self, service: Service) -> Option<&ObservedVolume> {
        let name = volume_name(&self.instance, service);
        let mut volumes = self.contents()?.volumes.iter();
        volumes.find(|volume| volume.name == name)
    }

    /// What was found at a port; what nobody looked at is free.
    pub fn port(&self, address: PortAddress, port: u16) -> &PortState {
        let look = |look: &&PortLook| look.address == address && look.port == port;
        self.ports
            .iter()
            .find(look)
            .map_or(&PortState::Free, |look| &look.state)
    }

    /// Whether nothing can be said without the engine: it was named, or containers are remembered.
    fn needs_engine(&self) -> bool {
        let configured = self.engine_configured && !self.known.does_without_containers();
        configured || self.known.has_containers()
    }

    /// The engine's error, where nothing can be said without the engine. This is the one rule for
    /// `up`, `down`, `status`, `logs` and `doctor`.
    pub fn engine_failure(&self) -> Option<&DockerError> {
        match &self.engine {
            EngineLook::Unreachable(error) if self.needs_engine() => Some(error),
            _ => None,
        }
    }
}
