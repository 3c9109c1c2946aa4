//! Settings that the hub cannot use.

use crate::connection_string::redis::{RedisStringError, Unsupported};
use crate::listen::ListenError;

/// A setting that can't be used; names its key.
#[derive(Debug, thiserror::Error)]
pub enum HubSettingsError {
    #[error("RedisConnectionString: {0}")]
    Redis(#[from] RedisStringError),
    #[error("RedisConnectionString: {0}")]
    RedisOption(#[from] Unsupported),
    #[error("BrokerConfiguration:Port: '{0}' is not a port (1 to 65535)")]
    Port(String),
    #[error("{key}: {error}")]
    Url {
        key: &'static str,
        error: ListenError,
    },
    #[error("{0}: certificates are read from files, not from a store; name one with Path")]
    CertificateStore(String),
    #[error("{0}: '{1}' is not true or false")]
    Boolean(&'static str, String),
    #[error("{0}: '{1}' is not a number above 0")]
    Count(&'static str, String),
    #[error("{0}: '{1}' is not a log level (Verbose, Debug, Information, Warning, Error, Fatal)")]
    LogLevel(&'static str, String),
    #[error("{0}: '{1}' is not an address, or a network such as 10.0.0.0/8")]
    Network(&'static str, String),
    #[error(
        "Admin:Url: {0} can be reached from other machines; the admin listener serves this one only"
    )]
    AdminNotLoopback(String),
}
