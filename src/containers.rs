//! Redis, RabbitMQ and the hub's container: what they should be, and the door to Docker.

pub mod credentials;
pub mod docker;
pub mod generation;
pub mod hardening;
pub mod own_image;
pub mod ports;
pub mod readiness;
pub mod redis_configuration;
mod service;
mod spec;
pub mod whereabouts;

pub use service::{
    DIGEST_LABEL, HASH_LABEL, IMAGE_LABEL, INSTANCE_LABEL, SERVER_VERSION_LABEL, SERVICE_LABEL,
    SERVICES, Service, VERSION_LABEL, container_name, network_name, volume_name,
};
pub use spec::{ContainerSpec, Published};
