//! The services we run, as data: image, ports, environment, files, volume. What each is for is said here.

pub mod credentials;
pub mod docker;
pub mod own_image;
pub mod ports;
pub mod readiness;
pub mod whereabouts;

use crate::connection_string::amqp::BrokerAddress;
use crate::secret::Secret;
use std::net::IpAddr;

/// Labels on everything we make, by which it is found again.
pub const INSTANCE_LABEL: &str = "harmony.instance";
pub const SERVICE_LABEL: &str = "harmony.service";
pub const VERSION_LABEL: &str = "harmony.version";
pub const HASH_LABEL: &str = "harmony.config-hash";

const DEFAULT_INSTANCE: &str = "harmony";

/// Redis needs little: a backplane stores nothing.
const REDIS_CONFIGURATION: &str = "/usr/local/etc/redis/harmony.conf";
const REDIS_MEMORY: &str = "256mb";

/// Which of our services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Redis,
    RabbitMq,
    Hub,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Service::Redis => "redis",
            Service::RabbitMq => "rabbitmq",
            Service::Hub => "hub",
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
            Service::Redis => "redis:7-alpine",
            Service::RabbitMq => "rabbitmq:3-management-alpine",
            Service::Hub => "harmony-signalr",
        }
    }
}

/// A port inside, and where it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub inside: u16,
    /// The engine's host's address.
    pub address: IpAddr,
    pub port: u16,
}

/// A container as it should be.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    pub service: Service,
    pub instance: String,
    pub image: String,
    pub ports: Vec<Published>,
    pub environment: Vec<(&'static str, Secret)>,
    pub command: Option<Vec<String>>,
    /// Path inside and content.
    pub files: Vec<(String, Secret)>,
    /// Volume and the folder where it is mounted.
    pub volume: Option<(String, &'static str)>,
    /// Folders kept in memory.
    pub in_memory: Vec<&'static str>,
    pub hostname: Option<&'static str>,
    /// A network to join, in which it is found by its service's name; joined or left without making it anew.
    pub network: Option<String>,
}

impl ContainerSpec {
    /// Redis with a password where there is one, a limit to its memory, and nothing kept unless that is wanted. The
    /// password goes into a file: an argument could be read by every user of the machine.
    pub fn redis(
        instance: &str,
        image: String,
        bind: IpAddr,
        port: u16,
        password: Option<&Secret>,
        keeps: bool,
    ) -> Self {
        // Without a password Redis would answer only inside its container.
        let access = password.map_or_else(
            || "protected-mode no".to_owned(),
            |password| format!("requirepass {}", password.reveal()),
        );
        let kept = if keeps {
            "appendonly yes"
        } else {
            "save \"\"\nappendonly no"
        };
        let configuration = format!(
            "{access}\nmaxmemory {REDIS_MEMORY}\nmaxmemory-policy noeviction\ndir /data\n{kept}\n"
        );
        ContainerSpec {
            service: Service::Redis,
            instance: instance.to_owned(),
            image,
            ports: vec![Published {
                inside: 6379,
                address: bind,
                port,
            }],
            environment: Vec::new(),
            command: Some(vec!["redis-server".into(), REDIS_CONFIGURATION.into()]),
            files: vec![(REDIS_CONFIGURATION.into(), Secret::new(configuration))],
            volume: keeps.then(|| (format!("harmony-{instance}-redis"), "/data")),
            in_memory: if keeps { Vec::new() } else { vec!["/data"] },
            hostname: None,
            network: None,
        }
    }

    /// The host's first published port.
    pub fn port(&self) -> u16 {
        self.ports.first().map_or(0, |published| published.port)
    }

    /// RabbitMQ with its own user and virtual host, and a volume. The host name is fixed: data is
    /// kept under the node's name, and would be lost with it.
    pub fn rabbitmq(
        instance: &str,
        image: String,
        bind: IpAddr,
        address: &BrokerAddress,
        management: u16,
    ) -> Self {
        ContainerSpec {
            service: Service::RabbitMq,
            instance: instance.to_owned(),
            image,
            ports: vec![
                Published {
                    inside: 5672,
                    address: bind,
                    port: address.endpoint.port,
                },
                Published {
                    inside: 15672,
                    address: bind,
                    port: management,
                },
            ],
            environment: vec![
                ("RABBITMQ_DEFAULT_USER", Secret::new(&*address.username)),
                ("RABBITMQ_DEFAULT_PASS", address.password.clone()),
                (
                    "RABBITMQ_DEFAULT_VHOST",
                    Secret::new(&*address.virtual_host),
                ),
            ],
            command: None,
            files: Vec::new(),
            volume: Some((format!("harmony-{instance}-rabbitmq"), "/var/lib/rabbitmq")),
            in_memory: Vec::new(),
            hostname: Some(Service::RabbitMq.host_name()),
            network: None,
        }
    }

    /// The hub, from an image of this very program: its files are copied in, since an engine elsewhere could not
    /// mount them.
    pub fn hub(
        instance: &str,
        image: String,
        command: Vec<String>,
        ports: Vec<Published>,
        files: Vec<(String, Secret)>,
    ) -> Self {
        ContainerSpec {
            service: Service::Hub,
            instance: instance.to_owned(),
            image,
            ports,
            // As in .NET's own images; behind a published port the admin listener may listen on all addresses.
            environment: vec![("DOTNET_RUNNING_IN_CONTAINER", Secret::new("true"))],
            command: Some(command),
            files,
            volume: None,
            in_memory: Vec::new(),
            hostname: Some(Service::Hub.host_name()),
            network: Some(network_name(instance)),
        }
    }

    pub fn name(&self) -> String {
        container_name(&self.instance, self.service)
    }

    /// A digest of everything that makes a container another one.
    pub fn hash(&self) -> String {
        let Self {
            service,
            instance: _,
            image,
            ports,
            environment,
            command,
            files,
            volume,
            in_memory,
            hostname,
            network: _,
        } = self;
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut add = |text: &str| {
            digest.update(&(text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        add(&format!(
            "{service:?} {image} {ports:?} {command:?} {volume:?} {in_memory:?} {hostname:?}"
        ));
        let environment = environment.iter().map(|(name, value)| (*name, value));
        for (name, value) in
            environment.chain(files.iter().map(|(path, content)| (path.as_str(), content)))
        {
            add(name);
            add(value.reveal());
        }
        crate::hex::encode(&digest.finish().as_ref()[..16])
    }
}

/// `harmony-redis` for the default instance, `harmony-blue-redis` for `blue`; the hub is `harmony-signalr`, as in
/// Harmony's own compose file.
pub fn container_name(instance: &str, service: Service) -> String {
    let name = service.host_name();
    if instance == DEFAULT_INSTANCE {
        name.to_owned()
    } else {
        name.replacen("harmony", &network_name(instance), 1)
    }
}

/// The network in which an instance's hub finds its servers where it is a container too.
pub fn network_name(instance: &str) -> String {
    if instance == DEFAULT_INSTANCE {
        instance.to_owned()
    } else {
        format!("harmony-{instance}")
    }
}
