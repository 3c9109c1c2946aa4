//! Bring Redis, RabbitMQ, settings and the hub to what was asked for.

pub mod plan;
