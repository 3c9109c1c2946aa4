//! Why a hub cannot be spoken to.

use super::response::Response;
use std::io;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0} is not a hub URL")]
    Url(String),
    #[error("cannot connect to {address}: {error}")]
    Unreachable { address: String, error: io::Error },
    #[error("TLS with {address} failed: {error}")]
    Tls { address: String, error: io::Error },
    #[error("{address} does not answer within {limit:?}")]
    Silent { address: String, limit: Duration },
    #[error("{url} answers with {response}")]
    Refused {
        url: String,
        response: Box<Response>,
    },
    #[error("the hub does not offer {0}")]
    NotOffered(&'static str),
    #[error("the response is not SignalR's: {0}")]
    Protocol(String),
    #[error("the connection ended{}", reason(.0))]
    Ended(String),
}

fn reason(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}
