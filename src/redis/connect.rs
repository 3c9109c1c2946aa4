//! One connection to one server.

use crate::connection_string::Endpoint;
use crate::connection_string::redis::RedisOptions;
use crate::socket::{self, ByteStream};
use crate::tls::client::{VERSIONS, connector, secure};
pub use ::redis::aio::MultiplexedConnection as RedisConnection;
use ::redis::{
    AsyncConnectionConfig, ErrorKind, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError,
    cmd,
};
use std::io;
use std::sync::Arc;

/// Takes what a server says unasked.
pub type Push = Box<dyn Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync>;

/// Connects and authenticates, within the time that the options give.
pub async fn connect(
    options: &RedisOptions,
    endpoint: &Endpoint,
    push: Option<Arc<Push>>,
) -> Result<RedisConnection, RedisError> {
    options.check_supported().map_err(io::Error::other)?;
    let connecting = open(options, endpoint, push);
    match tokio::time::timeout(options.connect_timeout, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

async fn open(
    options: &RedisOptions,
    endpoint: &Endpoint,
    push: Option<Arc<Push>>,
) -> Result<RedisConnection, RedisError> {
    let mut info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(options.database.into());
    if !options.set_library {
        info = info.set_skip_set_lib_name();
    }
    if let Some(user) = &options.user {
        info = info.set_username(user);
    }
    if let Some(password) = &options.password {
        info = info.set_password(password.reveal());
    }
    let mut config = AsyncConnectionConfig::new().set_response_timeout(Some(options.async_timeout));
    if let Some(push) = push {
        config = config.set_push_sender(move |info: PushInfo| push(info));
    }
    let socket = secured(options, endpoint).await?;
    let opening = RedisConnection::new_with_config(&info, socket, config);
    let (mut connection, driver) = opening.await?;
    // It ends with the last of the connection's handles.
    tokio::spawn(driver);
    if let Some(name) = &options.client_name {
        let mut command = cmd("CLIENT");
        command.arg("SETNAME").arg(name);
        command.query_async::<()>(&mut connection).await?;
    }
    Ok(connection)
}

async fn secured(
    options: &RedisOptions,
    endpoint: &Endpoint,
) -> Result<Box<dyn ByteStream>, RedisError> {
    let socket = socket::connect(endpoint, options.tunnel.as_ref()).await?;
    if !options.tls {
        return Ok(socket);
    }
    let versions: Vec<_> = VERSIONS
        .iter()
        .copied()
        .filter(|version| allows(&options.tls_versions, version.version))
        .collect();
    let connector = connector(None, &versions).map_err(io::Error::other)?;
    // The name on the certificate, which may not be that of the address.
    let name = options.tls_host.as_ref().unwrap_or(&endpoint.host);
    let invalid = |error: io::Error| {
        RedisError::from((ErrorKind::Io, "the TLS handshake failed", error.to_string()))
    };
    secure(socket, &connector, name).await.map_err(invalid)
}

/// Whether a version of TLS is among those that .NET's names allow.
fn allows(names: &[String], version: rustls::ProtocolVersion) -> bool {
    let name = match version {
        rustls::ProtocolVersion::TLSv1_2 => "tls12",
        rustls::ProtocolVersion::TLSv1_3 => "tls13",
        _ => return false,
    };
    names.is_empty() || names.iter().any(|allowed| allowed == name)
}
