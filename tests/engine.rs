//! The SignalR engine: parsers and writers against independent ones, the wire against recordings.

mod autobahn;
mod dotnet;
mod envelope;
mod half;
mod hostile;
mod json;
mod message_pack;
mod reference;
mod scheduling;
mod streams;
mod websocket;
mod wire;
