//! One connection to Redis: which server it goes to, made, made again, and a first greeting to see whether it can be
//! used.
//!
//! A connection string may name one server, several of which one is the primary, sentinels that know it, or nodes of a
//! cluster. Everything goes to one of them: channels reach the whole of a cluster from any node, and the keys that are
//! used have one slot between them, so the node that keeps it serves both connections.

use crate::connection_string::Endpoint;
use crate::connection_string::redis::RedisOptions;
use ::redis::aio::MultiplexedConnection;
use ::redis::io::AsyncDNSResolver;
use ::redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo, PushInfo,
    RedisConnectionInfo, RedisError, RedisFuture, ServerErrorKind, Value,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

pub(super) type Push = Box<dyn Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync>;

/// Connects with a growing pause between tries; says once what is wrong and once that it is well. `key` is one that
/// the connection is to be used for.
pub(super) async fn connect_until_it_works(
    options: &RedisOptions,
    key: &str,
    push: Option<Push>,
    purpose: &'static str,
) -> MultiplexedConnection {
    let push: Option<Arc<Push>> = push.map(Arc::new);
    let mut pause = FIRST_RETRY;
    let mut complained = false;
    loop {
        match find(options, key, push.clone()).await {
            Ok((endpoint, connection)) => {
                tracing::info!(%endpoint, purpose, "Redis is connected");
                return connection;
            }
            Err(error) if !complained => {
                complained = true;
                tracing::error!(purpose, error = %error, "Redis is not reachable; trying on");
            }
            Err(_) => {}
        }
        let [jitter] = crate::secret::random();
        tokio::time::sleep(pause + pause * u32::from(jitter) / 512).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}

/// Connects to the server that serves a key: the first of the endpoints that is a primary, and in a cluster the one
/// that it names.
async fn find(
    options: &RedisOptions,
    key: &str,
    push: Option<Arc<Push>>,
) -> Result<(Endpoint, MultiplexedConnection), RedisError> {
    let named = match &options.service_name {
        Some(name) => vec![ask_sentinels(options, name).await?],
        None => options.endpoints.clone(),
    };
    let choose = options.service_name.is_some() || named.len() > 1;
    let mut last = RedisError::from((ErrorKind::Client, "no endpoint"));
    for endpoint in named {
        let found = async {
            let mut connection = connect(options, &endpoint, push.clone()).await?;
            if choose && !is_primary(&mut connection).await {
                return Err(RedisError::from((
                    ErrorKind::Client,
                    "it is a replica",
                    endpoint.to_string(),
                )));
            }
            match ::redis::cmd("EXISTS")
                .arg(key)
                .query_async::<Value>(&mut connection)
                .await
            {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Moved) => {
                    let keeper = error
                        .redirect_node()
                        .and_then(|(node, _)| Endpoint::parse(node, 6379))
                        .ok_or(error)?;
                    let connection = connect(options, &keeper, push.clone()).await?;
                    Ok((keeper, connection))
                }
                // Who may not read that key may still publish.
                Ok(_) | Err(_) => Ok((endpoint, connection)),
            }
        };
        match found.await {
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The primary's address, as the first sentinel that answers knows it.
async fn ask_sentinels(options: &RedisOptions, name: &str) -> Result<Endpoint, RedisError> {
    let mut last = RedisError::from((ErrorKind::Client, "no sentinel"));
    // Sentinels seldom have the password that their servers have; both ways are tried.
    let open = RedisOptions {
        user: None,
        password: None,
        ..options.clone()
    };
    for endpoint in &options.endpoints {
        for options in [options, &open] {
            let mut command = ::redis::cmd("SENTINEL");
            command.arg("get-master-addr-by-name").arg(name);
            let asked = async {
                command
                    .query_async::<Option<(String, u16)>>(
                        &mut connect(options, endpoint, None).await?,
                    )
                    .await
            };
            match asked.await {
                Ok(Some((host, port))) => return Ok(Endpoint::new(host, port)),
                Ok(None) => {
                    last = RedisError::from((
                        ErrorKind::Client,
                        "no sentinel knows the service",
                        name.to_owned(),
                    ))
                }
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

/// Whether others may write to it; where it may not be asked, it is believed to be.
async fn is_primary(connection: &mut MultiplexedConnection) -> bool {
    match ::redis::cmd("ROLE").query_async::<Value>(connection).await {
        Ok(Value::Array(role)) => role.first() == Some(&Value::BulkString(b"master".to_vec())),
        _ => true,
    }
}

async fn connect(
    options: &RedisOptions,
    endpoint: &Endpoint,
    push: Option<Arc<Push>>,
) -> Result<MultiplexedConnection, RedisError> {
    let (host, port) = (endpoint.host.clone(), endpoint.port);
    let address = if options.tls {
        // The name on the certificate, which may not be that of the address.
        let host = options.tls_host.clone().unwrap_or(host);
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
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
    let client =
        ::redis::Client::open(address.into_connection_info()?.set_redis_settings(settings))?;
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_timeout))
        .set_response_timeout(Some(options.async_timeout))
        .set_dns_resolver(Always(endpoint.host.clone()));
    if let Some(push) = push {
        config = config.set_push_sender(move |info: PushInfo| push(info));
    }
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// Looks up one host, whatever it is asked for.
struct Always(String);

impl AsyncDNSResolver for Always {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((self.0.as_str(), port)).await?;
            Ok(Box::new(addresses) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
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
    let greeting = async {
        let (_, mut connection) = find(options, "harmony", None).await?;
        ::redis::cmd("PING")
            .query_async::<Value>(&mut connection)
            .await?;
        ::redis::cmd("INFO")
            .arg("server")
            .query_async::<String>(&mut connection)
            .await
    };
    match tokio::time::timeout(within, greeting).await {
        Ok(Ok(info)) => {
            let version = info
                .lines()
                .find_map(|line| line.strip_prefix("redis_version:"))
                .unwrap_or_default();
            Ok(Greeting {
                version: version.trim().to_owned(),
            })
        }
        Ok(Err(error)) => {
            let text = error.to_string();
            if error.kind() == ErrorKind::RESP3NotSupported {
                return Err(GreetingError::TooOld(text));
            }
            let refused = ["WRONGPASS", "NOAUTH", "NOPERM", "AUTH"]
                .iter()
                .any(|code| text.contains(code))
                || error.kind() == ErrorKind::AuthenticationFailed;
            Err(if refused {
                GreetingError::Refused(text)
            } else {
                GreetingError::Unreachable(text)
            })
        }
        Err(_) => Err(GreetingError::Unreachable(format!(
            "no answer within {within:?}"
        ))),
    }
}
