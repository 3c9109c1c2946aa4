//! One connection to Redis: made, made again, and a first greeting to see whether it can be used.

use super::{FIRST_RETRY, LAST_RETRY};
use crate::connection_string::redis::RedisOptions;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, PushInfo, RedisConnectionInfo, RedisError, Value};
use std::sync::Arc;
use std::time::Duration;

pub(super) type Push = Box<dyn Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync>;

/// Connects with a growing pause between tries; says once what is wrong and once that it is well.
pub(super) async fn connect_until_it_works(options: &RedisOptions, push: Option<Push>, purpose: &'static str) -> MultiplexedConnection {
    let push: Option<Arc<Push>> = push.map(Arc::new);
    let mut pause = FIRST_RETRY;
    let mut complained = false;
    for endpoint in options.endpoints.iter().cycle() {
        match connect(options, endpoint, push.clone()).await {
            Ok(connection) => {
                tracing::info!(%endpoint, purpose, "Redis is connected");
                return connection;
            }
            Err(error) if !complained => {
                complained = true;
                tracing::error!(%endpoint, purpose, error = %error, "Redis is not reachable; trying on");
            }
            Err(_) => {}
        }
        let [jitter] = crate::secret::random();
        tokio::time::sleep(pause + pause * u32::from(jitter) / 512).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
    std::future::pending().await // never: an option set has at least one endpoint
}

async fn connect(
    options: &RedisOptions,
    endpoint: &crate::connection_string::Endpoint,
    push: Option<Arc<Push>>,
) -> Result<MultiplexedConnection, RedisError> {
    let (host, port) = (endpoint.host.clone(), endpoint.port);
    let address = if options.tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let mut settings = RedisConnectionInfo::default().set_protocol(::redis::ProtocolVersion::RESP3);
    if let Some(user) = &options.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &options.password {
        settings = settings.set_password(password.reveal());
    }
    let client = ::redis::Client::open(address.into_connection_info()?.set_redis_settings(settings))?;
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_timeout))
        .set_response_timeout(Some(options.async_timeout));
    if let Some(push) = push {
        config = config.set_push_sender(move |info: PushInfo| push(info));
    }
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// What Redis said to a first greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// `7.0.15`.
    pub version: String,
}

/// Why Redis can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    #[error("nobody answers: {0}")]
    Unreachable(String),
    /// It answers, but not to these credentials.
    #[error("it refuses the credentials: {0}")]
    Refused(String),
    /// It is older than 6.0, which knows no HELLO.
    #[error("it is older than Redis 6.0: {0}")]
    TooOld(String),
}

/// Speaks to Redis once as the backplane will: authentication, RESP3, PING.
pub async fn greet(options: &RedisOptions, within: Duration) -> Result<Greeting, GreetingError> {
    let endpoint = options.endpoints.first().ok_or_else(|| GreetingError::Unreachable("no endpoint".into()))?;
    let greeting = async {
        let mut connection = connect(options, endpoint, None).await?;
        ::redis::cmd("PING").query_async::<Value>(&mut connection).await?;
        ::redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await
    };
    match tokio::time::timeout(within, greeting).await {
        Ok(Ok(info)) => {
            let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
            Ok(Greeting { version: version.trim().to_owned() })
        }
        Ok(Err(error)) => {
            let text = error.to_string();
            let refused = ["WRONGPASS", "NOAUTH", "NOPERM", "AUTH"].iter().any(|code| text.contains(code))
                || error.kind() == ::redis::ErrorKind::AuthenticationFailed;
            if error.kind() == ::redis::ErrorKind::RESP3NotSupported {
                return Err(GreetingError::TooOld(text));
            }
            Err(if refused { GreetingError::Refused(text) } else { GreetingError::Unreachable(text) })
        }
        Err(_) => Err(GreetingError::Unreachable(format!("no answer within {within:?}"))),
    }
}
