//! Why a backplane could not do what it was asked.

use std::time::Duration;

/// The backplane cannot do this at the moment.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackplaneError {
    #[error("Redis is not reachable: {0}")]
    Unreachable(String),
    #[error("Redis did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("no server that shares the backplane holds the connection '{0}'")]
    NoSuchConnection(String),
}
