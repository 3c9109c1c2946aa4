//! The services of an instance: their names, labels and images.

/// Labels on everything we make, by which it is found again.
pub const INSTANCE_LABEL: &str = "harmony.instance";
pub const SERVICE_LABEL: &str = "harmony.service";
pub const VERSION_LABEL: &str = "harmony.version";
pub const HASH_LABEL: &str = "harmony.config-hash";
/// The image as it was asked for, and what it was when a container or volume was made of it.
pub const IMAGE_LABEL: &str = "harmony.image";
pub const DIGEST_LABEL: &str = "harmony.image-digest";
pub const SERVER_VERSION_LABEL: &str = "harmony.server-version";

const DEFAULT_INSTANCE: &str = "harmony";

/// Which of our services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Redis,
    RabbitMq,
    Hub,
}

pub const SERVICES: [Service; 3] = [Service::Redis, Service::RabbitMq, Service::Hub];

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Service::Redis => "redis",
            Service::RabbitMq => "rabbitmq",
            Service::Hub => "hub",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        SERVICES.into_iter().find(|service| service.name() == name)
    }

    /// Its name in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Service::Redis => "Redis",
            Service::RabbitMq => "RabbitMQ",
            Service::Hub => "the hub",
        }
    }

    /// What it is called inside the network of an instance, as in Harmony's own compose file.
    pub fn host_name(self) -> &'static str {
        match self {
            Service::Redis => "harmony-redis",
            Service::RabbitMq => "harmony-rabbitmq",
            Service::Hub => "harmony-signalr",
        }
    }

    /// The image that is run unless another is asked for; the hub's is made by ourselves.
    pub fn default_image(self) -> &'static str {
        match self {
            Service::Redis => "redis:8-alpine",
            Service::RabbitMq => "rabbitmq:4-management-alpine",
            Service::Hub => "harmony-signalr",
        }
    }
}

/// `harmony-redis` for the default instance, `harmony-blue-redis` for `blue`; the hub is
/// `harmony-signalr`, as in Harmony's own compose file.
pub fn container_name(instance: &str, service: Service) -> String {
    let name = service.host_name();
    if instance == DEFAULT_INSTANCE {
        name.to_owned()
    } else {
        name.replacen("harmony", &network_name(instance), 1)
    }
}

/// The volume in which a service of an instance keeps its data.
pub fn volume_name(instance: &str, service: Service) -> String {
    format!("harmony-{instance}-{}", service.name())
}

/// The network in which an instance's hub finds its servers where it is a container too.
pub fn network_name(instance: &str) -> String {
    if instance == DEFAULT_INSTANCE {
        instance.to_owned()
    } else {
        format!("harmony-{instance}")
    }
}
