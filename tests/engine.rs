//! The SignalR engine: parsers and writers against independent ones, the wire against recordings.

mod autobahn;
mod departed;
mod dotnet;
mod envelope;
mod half;
#[cfg(unix)]
mod hostile;
mod json;
mod message_pack;
mod reference;
mod results;
#[cfg(unix)]
mod scheduling;
mod streams;
mod websocket;
mod wire;
