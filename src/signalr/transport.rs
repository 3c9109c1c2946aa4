//! What carries a connection's bytes: WebSockets, or HTTP requests.

pub mod http;
pub mod socket;
pub mod websocket;
