//! A container as it should be: image, ports, environment, files, volume.

use super::generation::{Generation, Product};
use super::redis_configuration::redis_configuration;
use super::service::{Service, container_name, network_name, volume_name};
use crate::connection_string::amqp::BrokerAddress;
use crate::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};

const REDIS_CONFIGURATION: &str = "/usr/local/etc/redis/harmony.conf";

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
    /// A network to join, in which it is found by its service's name; joined or left without making
    /// it anew.
    pub network: Option<String>,
}

impl ContainerSpec {
    /// Redis with a password where there is one, a limit to its memory, and nothing kept unless
    /// that is wanted. The password goes into a file: an argument could be read by every user of
    /// the machine.
    pub fn redis(
        instance: &str,
        image: String,
        bind: IpAddr,
        port: u16,
        password: Option<&Secret>,
        keeps: bool,
    ) -> Self {
        let configuration = redis_configuration(password, keeps);
        let valkey =
            Generation::of(&image, "").is_some_and(|image| image.product == Product::Valkey);
        let server = if valkey {
            "valkey-server"
        } else {
            "redis-server"
        };
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
            command: Some(vec![server.into(), REDIS_CONFIGURATION.into()]),
            files: vec![(REDIS_CONFIGURATION.into(), configuration)],
            volume: keeps.then(|| (volume_name(instance, Service::Redis), "/data")),
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
                    // Whoever manages RabbitMQ does it from its machine.
                    address: Ipv4Addr::LOCALHOST.into(),
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
            volume: Some((
                volume_name(instance, Service::RabbitMq),
                "/var/lib/rabbitmq",
            )),
            in_memory: Vec::new(),
            hostname: Some(Service::RabbitMq.host_name()),
            network: None,
        }
    }

    /// The hub, from an image of this very program: its files are copied in, since an engine
    /// elsewhere could not mount them.
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
            // As in .NET's own images; behind a published port the admin listener may listen on all
            // addresses.
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
