//! What every decision stands on: the request with what is remembered, the world, and the settings.

use crate::appsettings::layers::Layers;
use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::containers::docker::DockerError;
use crate::containers::readiness::NotReady;
use crate::instance::{ServiceOrigin, State};
use crate::provision::error::Error;
use crate::provision::ports::{LOOPBACK, PortAddress, PortHolder, PortState};
use crate::provision::questions::{bind, remembered};
use crate::provision::request::{Request, ServerChoice, Wanted};
use crate::provision::warning::PortMoved;
use crate::provision::world::{EngineLook, World};
use std::net::{IpAddr, Ipv6Addr};

pub const WITHOUT: ServerChoice = ServerChoice::Without;
/// Where Docker's socket usually is.
const USUAL_SOCKET: &str = "/var/run/docker.sock";

pub struct Basis<'b> {
    pub request: &'b Request,
    /// What is wanted, with what was asked for earlier.
    pub wanted: Wanted,
    pub world: &'b World,
    pub layers: &'b Layers,
    /// The address that ports are published on.
    pub bind: IpAddr,
}

/// Where a port should be published.
pub struct PortWish {
    pub service: Service,
    pub address: IpAddr,
    /// The port inside the container.
    pub inside: u16,
    /// As asked for: this one or none.
    pub asked: Option<u16>,
    /// As before; 0 where there was none.
    pub before: u16,
    /// As in the settings.
    pub configured: Option<u16>,
    /// The one to use where the wanted one is taken.
    pub free: u16,
}

impl<'b> Basis<'b> {
    pub fn new(request: &'b Request, world: &'b World, layers: &'b Layers) -> Self {
        let wanted = remembered(&request.wanted, &world.known);
        Basis {
            request,
            bind: bind(&wanted, &world.known, world.other_machine.as_deref()),
            wanted,
            world,
            layers,
        }
    }

    pub fn known(&self) -> &State {
        &self.world.known
    }

    /// Whether a server that was named will do as it is: the user said so, and it may come yet.
    pub fn accepts(&self, error: &NotReady) -> bool {
        self.wanted.use_anyway && !matches!(error, NotReady::TooOld(..))
    }

    /// Fails where nothing can be decided without the engine, and it cannot be asked.
    pub fn check_engine(&self) -> Result<(), Error> {
        match self.world.engine_failure() {
            Some(error) if self.wanted.may_use_containers() => Err(error.clone().into()),
            _ => Ok(()),
        }
    }

    /// Fails where the engine is not there; a container was decided on.
    pub fn demand_engine(&self) -> Result<(), Error> {
        match &self.world.engine {
            EngineLook::Reachable(_) => Ok(()),
            EngineLook::Unreachable(error) => Err(error.clone().into()),
            EngineLook::Absent | EngineLook::NotAsked => {
                Err(DockerError::NoSocket(USUAL_SOCKET.into()).into())
            }
        }
    }

    /// What a service becomes that nobody asked about and that does not respond: a container, or
    /// nothing on a machine without Docker.
    pub fn fallback(&self) -> Result<ServiceOrigin, Error> {
        match &self.world.engine {
            EngineLook::Absent => Ok(ServiceOrigin::Embedded),
            _ => self.demand_engine().map(|()| ServiceOrigin::Container),
        }
    }

    /// The host by which this machine reaches what is published.
    pub fn reached_at(&self) -> String {
        if let Some(machine) = &self.world.other_machine {
            return machine.clone();
        }
        let loopback = match self.bind {
            IpAddr::V4(_) => LOOPBACK,
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let here = Some(self.bind).filter(|bind| !bind.is_unspecified());
        here.unwrap_or(loopback).to_string()
    }

    /// The port to publish on: the one asked for, which must be free; else the one of the container
    /// that is there, the one before, the one in the settings, the usual one; where that is taken,
    /// a free one, and why.
    pub fn port(&self, wish: &PortWish) -> Result<(u16, Option<PortMoved>), Error> {
        let found = self.world.found(wish.service);
        let ours = found
            .and_then(|found| found.ports.iter().find(|port| port.inside == wish.inside))
            .map(|published| published.port);
        let before = Some(wish.before).filter(|port| *port != 0);
        let port = wish
            .asked
            .or(ours)
            .or(before)
            .or(wish.configured)
            .unwrap_or(wish.inside);
        // Only the engine itself knows the ports of another machine.
        if ours == Some(port) || self.world.other_machine.is_some() {
            return Ok((port, None));
        }
        let holder = match self.world.port(PortAddress::Ip(wish.address), port) {
            PortState::Free => return Ok((port, None)),
            PortState::AddressNotHere => return Err(Error::AddressNotHere(wish.address)),
            PortState::Taken(holder) => holder.clone(),
        };
        // A run that was killed while a container started may have left it starting.
        let starting = found.is_some_and(|found| {
            found.unfinished || holder == Some(PortHolder::Container(found.name.clone()))
        });
        if starting {
            return Ok((port, None));
        }
        if wish.asked.is_some() {
            return Err(Error::PortInUse { port, holder });
        }
        let moved = PortMoved {
            service: wish.service,
            from: port,
            to: wish.free,
            holder,
        };
        Ok((wish.free, Some(moved)))
    }

    /// An endpoint as this machine reaches it.
    pub fn endpoint(&self, port: u16) -> Endpoint {
        Endpoint::new(self.reached_at(), port)
    }
}
