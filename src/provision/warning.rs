//! What the user should know of a decision before agreeing to it.

use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::provision::ports::PortHolder;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// A port that a container should have had, and the one that it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMoved {
    pub service: Service,
    pub from: u16,
    pub to: u16,
    pub holder: Option<PortHolder>,
}

impl fmt::Display for PortMoved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortMoved {
            service,
            from,
            to,
            holder,
        } = self;
        write!(formatter, "port {from} is taken by ")?;
        match holder {
            Some(holder) => write!(formatter, "{holder}")?,
            None => formatter.write_str("another program")?,
        }
        write!(formatter, "; {} uses {to} instead", service.name())
    }
}

/// Something to know before the plan is agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    PortMoved(PortMoved),
    /// The engine is on another machine, and publishes ports there.
    PublishedOnAnotherMachine(String),
    PublishedOn(IpAddr),
    /// A container runs another image than its tag stands for by now.
    ImageMoved {
        service: Service,
        image: String,
        digest: String,
    },
    /// Harmony's caches read `HOST:PORT` only.
    CachesLeftAlone,
    /// The gateway's route to the hub cannot be pointed elsewhere by an edit.
    RouteLeftAlone(String),
    /// Harmony's caches cannot give a password.
    RedisWithoutPassword,
    /// Docker cannot be asked, so containers of earlier runs stay.
    ContainersRemain(String),
    /// What F5 starts does not read what is written.
    NotReadByF5(String),
    /// Programs that see the passwords only as variables.
    SecretsInVariables(Vec<String>),
    /// A password goes to another machine that a file names, not the user.
    SecretGoesTo(Service, Endpoint),
    /// The checkout that the instance belonged to is gone.
    Moved(PathBuf),
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::PortMoved(moved) => moved.fmt(formatter),
            Warning::PublishedOnAnotherMachine(machine) => write!(
                formatter,
                "Docker runs on {machine}: Redis and RabbitMQ are published on its addresses, \
                 protected by their passwords only"
            ),
            Warning::PublishedOn(bind) => write!(
                formatter,
                "Redis and RabbitMQ are published on {bind}: everyone who reaches that address \
                 reaches them, protected by their passwords only"
            ),
            Warning::ImageMoved {
                service,
                image,
                digest,
            } => write!(
                formatter,
                "{} still runs {digest}, although {image} is a newer image here; 'harmony down' and \
                 'harmony up' replace it, and what is in no volume is lost",
                service.title()
            ),
            Warning::RouteLeftAlone(why) => write!(
                formatter,
                "clients may not find the hub, because the gateway's routes are left alone: {why}"
            ),
            Warning::CachesLeftAlone => formatter.write_str(
                "Harmony's caches (CacheProvider: Redis) read HOST:PORT only, without password, \
                 TLS or IPv6; their RedisConnectionString was not changed",
            ),
            Warning::RedisWithoutPassword => formatter.write_str(
                "Redis runs without a password, because Harmony's caches (CacheProvider: Redis) \
                 cannot give one; every user of this machine can read and change it",
            ),
            Warning::ContainersRemain(why) => write!(
                formatter,
                "containers of an earlier run were not removed, because Docker is not reachable: \
                 {why}"
            ),
            Warning::NotReadByF5(why) => write!(
                formatter,
                "Visual Studio and 'dotnet run' start Harmony.SignalR otherwise: {why}"
            ),
            Warning::SecretsInVariables(readers) => write!(
                formatter,
                "start {} with the passwords in variables: \
                 eval \"$(harmony status --format dotnet-env)\"",
                readers.join(", ")
            ),
            Warning::SecretGoesTo(service, endpoint) => write!(
                formatter,
                "{endpoint}, on another machine, gets the password of {} once you agree",
                service.title()
            ),
            Warning::Moved(path) => write!(
                formatter,
                "the checkout {} does not exist any more; this instance now belongs to the \
                 present one",
                path.display()
            ),
        }
    }
}
