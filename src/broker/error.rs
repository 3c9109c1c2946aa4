//! Why RabbitMQ can't be used.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// Why RabbitMQ can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    #[error("nobody answers: {0}")]
    Unreachable(String),
    #[error("the connection can't be made secure: {0}")]
    Tls(String),
    #[error("it refuses the user or the password")]
    Refused,
    #[error("the virtual host cannot be used: {0}")]
    VirtualHost(String),
    #[error("the user lacks a right: {0}")]
    Denied(String),
    #[error("an exchange or queue exists with other properties: {0}")]
    Topology(String),
    #[error("there is no such queue: {0}")]
    Missing(String),
    #[error("no queue takes the message")]
    Unroutable,
    #[error("it blocks publishers: {0}")]
    Blocked(String),
    #[error("it did not take a message")]
    NotTaken,
    #[error("it refuses a message for what it is: {0}")]
    Content(String),
    #[error("the connection is lost: {0}")]
    Lost(String),
}

impl From<lapin::Error> for BrokerError {
    fn from(error: lapin::Error) -> Self {
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return match error.kind() {
                ErrorKind::IOError(io) => BrokerError::Unreachable(io.to_string()),
                _ => BrokerError::Lost(error.to_string()),
            };
        };
        let text = protocol.get_message().to_string();
        match protocol.kind() {
            // The same code for a wrong password, before a channel is there, and for a missing
            // right on an exchange or queue.
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) if text.contains("access to") => {
                BrokerError::Denied(text)
            }
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => BrokerError::Refused,
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => BrokerError::Missing(text),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => BrokerError::Topology(text),
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => BrokerError::VirtualHost(text),
            _ => BrokerError::Lost(text),
        }
    }
}
