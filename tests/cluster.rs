//! Several hubs on one Redis and one RabbitMQ, and the official clients.

mod chaos;
mod generations;
mod hubs;
mod laggards;
mod redis;
