//! A SignalR server that knows nothing of Harmony.
//!
//! An application implements [`hub::Hub`], makes a [`server::Server`] of it, gives that an
//! [`endpoint::HubEndpoint`] with a path, and lets [`serve`] answer requests.
//!
//! Files in reading order, each importing only files above it:
//!
//! | file | what it is |
//! |---|---|
//! | [`metrics`], [`budget`], [`gate`] | what is counted; what may be held; how many connections are let in |
//! | [`value`], [`frame`], [`transport_type`] | values, WebSocket frames, the three transports |
//! | [`protocol`] | hub messages, as JSON and as MessagePack |
//! | [`broadcast`], [`outbox`], [`registry`], [`delivery`] | one message for many clients, and its way to their sockets |
//! | [`results`], [`backplane`], [`clients`] | answers that clients owe; other servers; reaching clients |
//! | [`hub_error`], [`streams`], [`hub`] | what an application implements |
//! | [`options`], [`server`] | what all connections share |
//! | [`resume`], [`connection`] | one client's connection |
//! | [`transport`] | what carries its bytes |
//! | [`response`], [`request`], [`paced`], [`endpoint`], [`serve`] | HTTP |
#![doc = ""]
#![doc = include_str!("signalr/protocol.md")]

pub mod backplane;
pub mod broadcast;
pub mod budget;
pub mod clients;
pub mod connection;
pub mod delivery;
pub mod endpoint;
pub mod forwarded;
pub mod frame;
pub mod gate;
pub mod hub;
pub mod hub_error;
pub mod metrics;
pub mod options;
pub mod outbox;
pub mod paced;
pub mod protocol;
pub mod registry;
pub mod request;
pub mod response;
pub mod results;
pub mod resume;
pub mod serve;
pub mod server;
pub mod streams;
pub mod transport;
pub mod transport_type;
pub mod value;
