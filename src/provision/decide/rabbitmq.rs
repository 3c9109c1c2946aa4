//! Where RabbitMQ comes from.

use super::basis::{Basis, PortWish};
use super::image;
use crate::connection_string::amqp::BrokerAddress;
use crate::containers::readiness::NotReady;
use crate::containers::{ContainerSpec, Service, network_name};
use crate::instance::ServiceOrigin;
use crate::provision::decision::{RabbitMqDecision, SettingsEdit};
use crate::provision::error::Error;
use crate::provision::ports::{LOOPBACK, MANAGEMENT_PORT, RABBITMQ_PORT};
use crate::provision::questions::configured_port;
use crate::provision::request::ServerChoice;
use crate::provision::servers::{configured_rabbitmq, rabbitmq_at};

pub fn decide(basis: &Basis<'_>) -> Result<RabbitMqDecision, Error> {
    let configured = configured_rabbitmq(&basis.wanted, basis.layers)?;
    match &basis.wanted.rabbitmq {
        Some(ServerChoice::Without) => return Ok(RabbitMqDecision::Embedded),
        Some(ServerChoice::Server(endpoint)) => {
            let address = rabbitmq_at(&basis.wanted, configured, endpoint);
            demand_response(basis, &address)?;
            return Ok(RabbitMqDecision::External {
                address,
                edits: SettingsEdit::Needed,
            });
        }
        Some(ServerChoice::Container) => basis.demand_engine()?,
        None if basis.world.found(Service::RabbitMq).is_some() => {}
        None => {
            if responds(basis, &configured)? {
                return Ok(RabbitMqDecision::External {
                    address: configured,
                    edits: edits(basis),
                });
            }
            if basis.fallback()? == ServiceOrigin::Embedded {
                return Ok(RabbitMqDecision::Embedded);
            }
        }
    }
    container(basis, configured)
}

/// Credentials that were given have to go into the settings.
fn edits(basis: &Basis<'_>) -> SettingsEdit {
    let wanted = &basis.wanted;
    let given = wanted.rabbitmq_user.is_some()
        || wanted.rabbitmq_password.is_some()
        || wanted.rabbitmq_vhost.is_some();
    if given {
        SettingsEdit::Needed
    } else {
        SettingsEdit::NotNeeded
    }
}

/// Whether the server of the settings responds.
fn responds(basis: &Basis<'_>, address: &BrokerAddress) -> Result<bool, Error> {
    match basis.world.rabbitmq.as_ref().map(|probe| &probe.result) {
        Some(Ok(()) | Err(NotReady::NotAsked)) => Ok(true),
        // `guest` may be anybody's; a user of their own means this very server.
        Some(Err(NotReady::Refused)) if address.username != "guest" => {
            Err(unusable(address, &NotReady::Refused))
        }
        Some(Err(error @ (NotReady::VirtualHost(_) | NotReady::Denied(_))))
            if address.username != "guest" =>
        {
            Err(unusable(address, error))
        }
        Some(Err(
            error @ (NotReady::TooOld(..) | NotReady::Topology(_) | NotReady::Blocked(_)),
        )) => Err(unusable(address, error)),
        Some(Err(_)) | None => Ok(false),
    }
}

fn demand_response(basis: &Basis<'_>, address: &BrokerAddress) -> Result<(), Error> {
    match basis.world.rabbitmq.as_ref().map(|probe| &probe.result) {
        Some(Ok(()) | Err(NotReady::NotAsked)) => Ok(()),
        Some(Err(error)) if basis.accepts(error) => Ok(()),
        Some(Err(error)) => Err(unusable(address, error)),
        None => Err(unusable(
            address,
            &NotReady::Other("nobody asked it".into()),
        )),
    }
}

fn unusable(address: &BrokerAddress, error: &NotReady) -> Error {
    Error::ServerUnusable {
        service: Service::RabbitMq,
        endpoint: address.endpoint.clone(),
        error: error.clone(),
        advice: error.rabbitmq_advice(address),
    }
}

fn container(basis: &Basis<'_>, configured: BrokerAddress) -> Result<RabbitMqDecision, Error> {
    let (wanted, world) = (&basis.wanted, basis.world);
    let (port, moved) = basis.port(&PortWish {
        service: Service::RabbitMq,
        address: basis.bind,
        inside: RABBITMQ_PORT,
        asked: wanted.rabbitmq_port,
        before: basis.known().rabbitmq_port,
        configured: configured_port(Service::RabbitMq, basis.layers),
        free: world.free_ports.rabbitmq,
    })?;
    let (management_port, _) = basis.port(&PortWish {
        service: Service::RabbitMq,
        // Whoever may manage RabbitMQ is on its machine, whatever the other ports are bound to.
        address: LOOPBACK,
        inside: MANAGEMENT_PORT,
        asked: None,
        before: basis.known().management_port,
        configured: None,
        free: world.free_ports.management,
    })?;
    let address = credentials(basis, configured, port);
    let spec = ContainerSpec::rabbitmq(
        &world.instance,
        image::choose(basis, Service::RabbitMq, wanted.rabbitmq_image.as_deref())?,
        basis.bind,
        &address,
        management_port,
    );
    Ok(RabbitMqDecision::Container {
        spec: Box::new(spec),
        address,
        management_port,
        moved,
    })
}

/// `guest` is everybody's: the container has a user of its own, with a password that nobody knows.
fn credentials(basis: &Basis<'_>, configured: BrokerAddress, port: u16) -> BrokerAddress {
    let own = configured.username != "guest";
    let keeps = own
        && configured.password.reveal() != "guest"
        && (!basis.wanted.rotate_credentials || basis.wanted.rabbitmq_password.is_some());
    BrokerAddress {
        endpoint: basis.endpoint(port),
        tls: None,
        username: if own {
            configured.username
        } else {
            "harmony".into()
        },
        password: if keeps {
            configured.password
        } else {
            basis.world.new_passwords.rabbitmq.clone()
        },
        virtual_host: configured.virtual_host,
    }
}

/// Lets a container of RabbitMQ join the network of the hub's container.
pub fn join_network(decision: &mut RabbitMqDecision, instance: &str) {
    if let RabbitMqDecision::Container { spec, .. } = decision {
        spec.network = Some(network_name(instance));
    }
}
