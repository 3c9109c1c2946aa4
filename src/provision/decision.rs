//! What was decided, as data: where Redis and RabbitMQ come from, and how the hub runs.

use crate::appsettings::SettingsFile;
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::containers::{ContainerSpec, Service};
use crate::hub_process::Launch;
use crate::instance::{ServiceOrigin, State};
use crate::provision::exposure::Exposure;
use crate::provision::request::Pull;
use crate::provision::warning::{PortMoved, Warning};
use crate::provision::world::HubImage;
use url::Url;

/// Everything decided, before anything is done.
#[derive(Debug, Clone)]
pub struct Decision {
    pub redis: RedisDecision,
    pub rabbitmq: RabbitMqDecision,
    pub hub: HubDecision,
    pub hub_url: Url,
    /// All settings files, as they should be.
    pub files: Vec<SettingsFile>,
    /// What to remember.
    pub state: State,
    pub pull: Pull,
    pub warnings: Vec<Warning>,
    /// Who can reach what.
    pub exposed: Vec<Exposure>,
}

impl Decision {
    /// A container as it should be.
    pub fn spec(&self, service: Service) -> Option<&ContainerSpec> {
        match service {
            Service::Redis => self.redis.spec(),
            Service::RabbitMq => self.rabbitmq.spec(),
            Service::Hub => self.hub.spec(),
        }
    }

    /// Why a container could not have the port that it should.
    pub fn moved(&self, service: Service) -> Option<&PortMoved> {
        match (service, &self.redis, &self.rabbitmq) {
            (Service::Redis, RedisDecision::Container { moved, .. }, _) => moved.as_ref(),
            (Service::RabbitMq, _, RabbitMqDecision::Container { moved, .. }) => moved.as_ref(),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub enum RedisDecision {
    Container {
        spec: Box<ContainerSpec>,
        options: RedisOptions,
        connection_string: String,
        moved: Option<PortMoved>,
    },
    External {
        options: RedisOptions,
        /// What the settings should say; `None` leaves them alone.
        connection_string: Option<String>,
    },
    None,
}

impl RedisDecision {
    pub fn spec(&self) -> Option<&ContainerSpec> {
        match self {
            RedisDecision::Container { spec, .. } => Some(spec.as_ref()),
            _ => None,
        }
    }

    pub fn options(&self) -> Option<&RedisOptions> {
        match self {
            RedisDecision::Container { options, .. } | RedisDecision::External { options, .. } => {
                Some(options)
            }
            RedisDecision::None => None,
        }
    }

    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.options()?.endpoints.first()
    }

    pub fn connection_string(&self) -> Option<&str> {
        match self {
            RedisDecision::Container {
                connection_string, ..
            } => Some(connection_string),
            RedisDecision::External {
                connection_string, ..
            } => connection_string.as_deref(),
            RedisDecision::None => None,
        }
    }

    pub fn choice(&self) -> ServiceOrigin {
        match self {
            RedisDecision::Container { .. } => ServiceOrigin::Container,
            RedisDecision::External { .. } => ServiceOrigin::External,
            RedisDecision::None => ServiceOrigin::Embedded,
        }
    }
}

#[derive(Debug, Clone)]
pub enum RabbitMqDecision {
    Container {
        spec: Box<ContainerSpec>,
        address: BrokerAddress,
        management_port: u16,
        moved: Option<PortMoved>,
    },
    External {
        address: BrokerAddress,
        edits: SettingsEdit,
    },
    Embedded,
}

/// Whether the settings have to say what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsEdit {
    Needed,
    NotNeeded,
}

impl RabbitMqDecision {
    pub fn spec(&self) -> Option<&ContainerSpec> {
        match self {
            RabbitMqDecision::Container { spec, .. } => Some(spec.as_ref()),
            _ => None,
        }
    }

    pub fn address(&self) -> Option<&BrokerAddress> {
        match self {
            RabbitMqDecision::Container { address, .. }
            | RabbitMqDecision::External { address, .. } => Some(address),
            RabbitMqDecision::Embedded => None,
        }
    }

    /// The address to write into the settings.
    pub fn to_write(&self) -> Option<&BrokerAddress> {
        match self {
            RabbitMqDecision::External {
                edits: SettingsEdit::NotNeeded,
                ..
            } => None,
            decision => decision.address(),
        }
    }

    pub fn choice(&self) -> ServiceOrigin {
        match self {
            RabbitMqDecision::Container { .. } => ServiceOrigin::Container,
            RabbitMqDecision::External { .. } => ServiceOrigin::External,
            RabbitMqDecision::Embedded => ServiceOrigin::Embedded,
        }
    }
}

#[derive(Debug, Clone)]
pub enum HubDecision {
    Process(Launch),
    Container {
        image: HubImage,
        spec: Box<ContainerSpec>,
    },
    None,
}

impl HubDecision {
    pub fn spec(&self) -> Option<&ContainerSpec> {
        match self {
            HubDecision::Container { spec, .. } => Some(spec),
            _ => None,
        }
    }

    pub fn launch(&self) -> Option<&Launch> {
        match self {
            HubDecision::Process(launch) => Some(launch),
            _ => None,
        }
    }
}
