//! Which ports a decision opens, and who can reach them.

use super::basis::Basis;
use crate::connection_string::Endpoint;
use crate::containers::{ContainerSpec, Published, Service};
use crate::provision::decision::{Decision, HubDecision};
use crate::provision::exposure::{Exposure, Reach};
use crate::provision::ports::MANAGEMENT_PORT;
use std::net::IpAddr;
use url::{Host, Url};

pub fn exposed(basis: &Basis<'_>, decision: &Decision) -> Vec<Exposure> {
    let specs = [
        decision.redis.spec(),
        decision.rabbitmq.spec(),
        decision.hub.spec(),
    ];
    let mut exposed: Vec<_> = specs
        .into_iter()
        .flatten()
        .flat_map(|spec| spec.ports.iter().map(|port| published(basis, spec, port)))
        .collect();
    if matches!(decision.hub, HubDecision::Process(_)) {
        exposed.push(hub(&decision.hub_url));
        exposed.push(Exposure {
            what: "the hub's admin listener",
            address: Endpoint::new("127.0.0.1", decision.state.admin_port),
            reach: Reach::ThisMachine,
        });
    }
    exposed
}

fn published(basis: &Basis<'_>, spec: &ContainerSpec, port: &Published) -> Exposure {
    let what = match (spec.service, port.inside) {
        (Service::Redis, _) => "Redis",
        (Service::RabbitMq, MANAGEMENT_PORT) => "RabbitMQ's management",
        (Service::RabbitMq, _) => "RabbitMQ",
        (Service::Hub, 80 | 443) => "the hub",
        (Service::Hub, _) => "the hub's admin listener",
    };
    let reach = match (port.address.is_loopback(), &basis.world.other_machine) {
        (true, None) => Reach::ThisMachine,
        (true, Some(_)) => Reach::EngineMachine,
        (false, _) => Reach::Network,
    };
    Exposure {
        what,
        address: Endpoint::new(port.address.to_string(), port.port),
        reach,
    }
}

/// The hub as a process listens where its URL says: on an address, else on this machine only.
fn hub(url: &Url) -> Exposure {
    let (host, reach) = match url.host() {
        Some(Host::Ipv4(address)) => (address.to_string(), reach(address.into())),
        Some(Host::Ipv6(address)) => (address.to_string(), reach(address.into())),
        _ => ("localhost".to_owned(), Reach::ThisMachine),
    };
    Exposure {
        what: "the hub",
        address: Endpoint::new(host, url.port_or_known_default().unwrap_or_default()),
        reach,
    }
}

fn reach(address: IpAddr) -> Reach {
    if address.is_loopback() {
        Reach::ThisMachine
    } else {
        Reach::Network
    }
}
