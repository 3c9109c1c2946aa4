//! How Redis and RabbitMQ are, where, and how that differs from the plan.

use super::state::ServiceState;
use crate::appsettings::layers::Layers;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::{RedisOptions, masked};
use crate::containers::docker::ObservedContainer;
use crate::containers::{ContainerSpec, Service};
use crate::hub::settings::broker_address;
use crate::instance::ServiceOrigin;
use crate::provision::decision::{RabbitMqDecision, RedisDecision};
use crate::provision::world::{EngineLook, World};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    pub state: ServiceState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Without its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_url: Option<String>,
    /// How it differs from the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
    /// Messages that could not be delivered, where RabbitMQ was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_messages: Option<u32>,
}

impl ServiceReport {
    fn new(state: ServiceState) -> Self {
        ServiceReport {
            state,
            endpoint: None,
            connection_string: None,
            container: None,
            image: None,
            management_url: None,
            drift: None,
            rejected_messages: None,
        }
    }

    /// What `up` brought about.
    fn of_choice(choice: ServiceOrigin, spec: Option<&ContainerSpec>) -> Self {
        let state = match choice {
            ServiceOrigin::Container => ServiceState::Running,
            ServiceOrigin::External => ServiceState::External,
            ServiceOrigin::Embedded | ServiceOrigin::Unknown => ServiceState::Embedded,
        };
        ServiceReport {
            container: spec.map(ContainerSpec::name),
            image: spec.map(|spec| spec.image.clone()),
            ..ServiceReport::new(state)
        }
    }

    /// As it was found.
    fn of_found(choice: ServiceOrigin, health: Health, world: &World, service: Service) -> Self {
        let found = world.found(service);
        let (state, drift) = found_state(choice, health, found, &world.engine);
        let moved = found.filter(|found| found.image_moved).map(|found| {
            format!(
                "its tag {} stands for a newer image here; 'harmony down' and 'harmony up' take it",
                found.image
            )
        });
        ServiceReport {
            container: found.map(|found| found.name.clone()),
            image: found.map(|found| found.image.clone()),
            drift: drift.map(str::to_owned).or(moved),
            ..ServiceReport::new(state)
        }
    }

    fn has_address(&self) -> bool {
        !matches!(
            self.state,
            ServiceState::Embedded | ServiceState::Absent | ServiceState::Unknown
        )
    }
}

/// Whether a server responds as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Responds,
    Fails,
}

fn found_state(
    choice: ServiceOrigin,
    health: Health,
    found: Option<&ObservedContainer>,
    engine: &EngineLook,
) -> (ServiceState, Option<&'static str>) {
    match (choice, found, health) {
        (_, Some(found), _) if !found.running => (
            ServiceState::Stopped,
            Some("the container is stopped; 'harmony up' starts it"),
        ),
        (_, Some(_), Health::Responds) => (ServiceState::Running, None),
        (_, Some(_), Health::Fails) => (
            ServiceState::Unhealthy,
            Some("it does not respond as the settings say"),
        ),
        (ServiceOrigin::External, None, Health::Responds) => (ServiceState::External, None),
        (ServiceOrigin::External, None, Health::Fails) => (
            ServiceState::Unhealthy,
            Some("it does not respond at the configured address"),
        ),
        (ServiceOrigin::Embedded, None, _) => (ServiceState::Embedded, None),
        (ServiceOrigin::Container | ServiceOrigin::Unknown, None, _)
            if matches!(engine, EngineLook::Unreachable(_)) =>
        {
            (ServiceState::Unknown, None)
        }
        (ServiceOrigin::Container, None, _) => (
            ServiceState::Absent,
            Some("the container is gone; 'harmony up' makes it again"),
        ),
        (ServiceOrigin::Unknown, None, _) => (ServiceState::Absent, None),
    }
}

/// Redis as `up` brought it about.
pub fn redis_decided(decision: &RedisDecision) -> ServiceReport {
    ServiceReport {
        endpoint: decision.endpoint().cloned(),
        connection_string: decision.connection_string().map(masked),
        ..ServiceReport::of_choice(decision.choice(), decision.spec())
    }
}

/// RabbitMQ as `up` brought it about.
pub fn rabbitmq_decided(decision: &RabbitMqDecision, world: &World) -> ServiceReport {
    ServiceReport {
        endpoint: decision.address().map(|address| address.endpoint.clone()),
        management_url: management_url_of(decision, world),
        ..ServiceReport::of_choice(decision.choice(), decision.spec())
    }
}

pub fn redis_found(world: &World, layers: &Layers) -> ServiceReport {
    let text = layers.get("RedisConnectionString");
    let health = health(world.redis.as_ref().map(|probe| probe.result.is_ok()));
    let mut report = ServiceReport::of_found(world.known.redis, health, world, Service::Redis);
    if report.has_address() {
        let options = RedisOptions::parse(text).ok();
        report.endpoint = options.and_then(|options| options.endpoints.into_iter().next());
        report.connection_string = Some(masked(text));
    }
    report
}

pub fn rabbitmq_found(world: &World, layers: &Layers) -> ServiceReport {
    let health = health(world.rabbitmq.as_ref().map(|probe| probe.result.is_ok()));
    let mut report =
        ServiceReport::of_found(world.known.rabbitmq, health, world, Service::RabbitMq);
    if report.has_address() {
        report.endpoint = broker_address(layers).ok().map(|address| address.endpoint);
        let container = report.container.as_ref();
        report.management_url =
            container.and_then(|_| management_url(world.known.management_port, world));
    }
    report
}

fn health(responds: Option<bool>) -> Health {
    match responds {
        Some(true) => Health::Responds,
        _ => Health::Fails,
    }
}

fn management_url_of(decision: &RabbitMqDecision, world: &World) -> Option<String> {
    match decision {
        RabbitMqDecision::Container {
            management_port, ..
        } => management_url(*management_port, world),
        _ => None,
    }
}

/// RabbitMQ's management is on the loopback of the engine's machine: out of reach from another one.
fn management_url(port: u16, world: &World) -> Option<String> {
    let here = world.other_machine.is_none();
    here.then(|| format!("http://127.0.0.1:{port}"))
}
