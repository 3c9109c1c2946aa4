//! The services we run, as data: image, ports, environment, files, volume. What each is for is said here.

pub mod credentials;
pub mod docker;
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

/// Redis needs little: a backplane stores nothing.
const REDIS_CONFIGURATION: &str = "/usr/local/etc/redis/harmony.conf";
const REDIS_MEMORY: &str = "256mb";

/// Which of our services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Redis,
    RabbitMq,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Service::Redis => "redis",
            Service::RabbitMq => "rabbitmq",
        }
    }

    /// The image that is run unless another is asked for.
    pub fn default_image(self) -> &'static str {
        match self {
            Service::Redis => "redis:7-alpine",
            Service::RabbitMq => "rabbitmq:3-management-alpine",
        }
    }
}

/// A container as it should be.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    pub service: Service,
    pub instance: String,
    pub image: String,
    /// The host's address that ports are published on.
    pub bind: IpAddr,
    /// Port inside, port on the host.
    pub ports: Vec<(u16, u16)>,
    pub environment: Vec<(&'static str, Secret)>,
    pub command: Option<Vec<String>>,
    /// Path inside and content.
    pub files: Vec<(&'static str, Secret)>,
    /// Volume and the folder where it is mounted.
    pub volume: Option<(String, &'static str)>,
    /// Folders kept in memory.
    pub in_memory: Vec<&'static str>,
    pub hostname: Option<&'static str>,
}

impl ContainerSpec {
    /// Redis with a password where there is one, a limit to its memory, and nothing kept. The password goes into a
    /// file: an argument could be read by every user of the machine.
    pub fn redis(instance: &str, image: String, bind: IpAddr, port: u16, password: Option<&Secret>) -> Self {
        // Without a password Redis would answer only inside its container.
        let access = password.map_or_else(|| "protected-mode no".to_owned(), |password| format!("requirepass {}", password.reveal()));
        let configuration =
            format!("{access}\nmaxmemory {REDIS_MEMORY}\nmaxmemory-policy noeviction\nsave \"\"\nappendonly no\n");
        ContainerSpec {
            service: Service::Redis,
            instance: instance.to_owned(),
            image,
            bind,
            ports: vec![(6379, port)],
            environment: Vec::new(),
            command: Some(vec!["redis-server".into(), REDIS_CONFIGURATION.into()]),
            files: vec![(REDIS_CONFIGURATION, Secret::new(configuration))],
            volume: None,
            in_memory: vec!["/data"],
            hostname: None,
        }
    }

    /// RabbitMQ with its own user and virtual host, and a volume. The host name is fixed: data is
    /// kept under the node's name, and would be lost with it.
    pub fn rabbitmq(instance: &str, image: String, bind: IpAddr, address: &BrokerAddress, management: u16) -> Self {
        ContainerSpec {
            service: Service::RabbitMq,
            instance: instance.to_owned(),
            image,
            bind,
            ports: vec![(5672, address.endpoint.port), (15672, management)],
            environment: vec![
                ("RABBITMQ_DEFAULT_USER", Secret::new(&*address.username)),
                ("RABBITMQ_DEFAULT_PASS", address.password.clone()),
                ("RABBITMQ_DEFAULT_VHOST", Secret::new(&*address.virtual_host)),
            ],
            command: None,
            files: Vec::new(),
            volume: Some((format!("harmony-{instance}-rabbitmq"), "/var/lib/rabbitmq")),
            in_memory: Vec::new(),
            hostname: Some("harmony-rabbitmq"),
        }
    }

    pub fn name(&self) -> String {
        container_name(&self.instance, self.service)
    }

    /// A digest of everything that makes a container another one.
    pub fn hash(&self) -> String {
        let Self { service, instance: _, image, bind, ports, environment, command, files, volume, in_memory, hostname } = self;
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut add = |text: &str| {
            digest.update(&(text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        add(&format!("{service:?} {image} {bind} {ports:?} {command:?} {volume:?} {in_memory:?} {hostname:?}"));
        for (name, value) in environment.iter().chain(files) {
            add(name);
            add(value.reveal());
        }
        crate::hex::encode(&digest.finish().as_ref()[..16])
    }
}

/// `harmony-redis` for the default instance, `harmony-blue-redis` for `blue`.
pub fn container_name(instance: &str, service: Service) -> String {
    if instance == "harmony" {
        format!("harmony-{}", service.name())
    } else {
        format!("harmony-{instance}-{}", service.name())
    }
}
