//! Harmony's real-time hub, set up and served.
//!
//! One crate, four bands; imports point down only, and `tests/tidy.rs` keeps the table.
//!
//! | module | may import |
//! |---|---|
//! | **what a human touches** | |
//! | [`cli`]: one file a command | terminal, form, provision, project, checkout, schema, appsettings, connection_string, containers, templates, hub_process, hub_client, admin_token, instance, hub, signalr, broker, listen, tls, task, telemetry, secret, hex, moment, platform |
//! | [`form`]: settings edited by questions that their schemas ask | terminal, schema, appsettings, secret |
//! | [`terminal`]: the only code that prints and asks | platform |
//! | **configuration and provisioning** | |
//! | [`provision`]: bring Redis, RabbitMQ, settings and the hub to what was asked for | project, checkout, schema, appsettings, connection_string, containers, hub_process, hub_client, admin_token, instance, hub, tls, secret, hex, moment |
//! | [`project`]: one checkout's settings, edited together | checkout, schema, appsettings, connection_string, templates, secret |
//! | [`checkout`]: finding Harmony and its files | |
//! | [`schema`]: what settings may say | appsettings, connection_string, listen, secret |
//! | [`appsettings`]: settings files, edited in place, layered as .NET layers them | json, hex, platform, secret |
//! | [`containers`]: Redis and RabbitMQ by Docker; whether they answer | connection_string, broker, redis, secret, hex, platform |
//! | [`templates`]: files made where there are none | |
//! | [`instance`]: what was chosen, and where it is remembered | secret, platform |
//! | [`hub_process`]: the hub in the background | hub_client, admin_token, instance, platform |
//! | [`admin_token`]: the token of the admin listener | secret, platform |
//! | [`hub_client`]: a small SignalR client, as proof | connection_string, socket, task |
//! | **the server** | |
//! | [`hub`]: Harmony's use of the engine | signalr, broker, appsettings, connection_string, listen, tls, task, telemetry, json, json_web_token, secret, platform |
//! | [`signalr`]: a SignalR server that knows nothing of Harmony | connection_string, redis, socket, task, json, message_pack, secret, hex |
//! | **leaves** | |
//! | [`broker`]: the one door to RabbitMQ | connection_string, socket, tls |
//! | [`redis`]: the one door to Redis | connection_string, socket, tls, secret |
//! | [`socket`]: sockets to servers | connection_string, platform |
//! | [`connection_string`]: addresses as Harmony's settings spell them | secret |
//! | [`listen`]: addresses to listen on | platform |
//! | [`tls`]: certificates | secret, socket, platform |
//! | [`task`]: tasks that start seldom | |
//! | [`telemetry`]: logs and metrics | |
//! | [`json`]: JSON as System.Text.Json reads it | |
//! | [`message_pack`]: MessagePack as .NET writes it | |
//! | [`json_web_token`]: tokens as Harmony.Api signs them | |
//! | [`platform`]: the only code that differs between operating systems | |
//! | [`hex`]: bytes as hexadecimal digits | |
//! | [`moment`]: times as RFC 3339 has them | |
//! | [`secret`]: texts that never print themselves | |
//!
//! A CardCreated goes `hub::consumer -> hub::notification -> signalr::broadcast ->
//! signalr::backplane -> signalr::delivery -> signalr::registry -> signalr::outbox ->
//! signalr::transport`, encoded once.
#![doc = ""]
#![doc = include_str!("security.md")]

pub mod admin_token;
pub mod appsettings;
pub mod broker;
pub mod checkout;
pub mod cli;
pub mod connection_string;
pub mod containers;
pub mod form;
pub mod hex;
pub mod hub;
pub mod hub_client;
pub mod hub_process;
pub mod instance;
pub mod json;
pub mod json_web_token;
pub mod listen;
pub mod message_pack;
pub mod moment;
pub mod platform;
pub mod project;
pub mod provision;
pub mod redis;
pub mod schema;
pub mod secret;
pub mod signalr;
pub mod socket;
pub mod task;
pub mod telemetry;
pub mod templates;
pub mod terminal;
pub mod tls;
