//! Finding the server to connect to: the primary of several, the one that sentinels name, the
//! keeper of a key's slot.

use super::connect::{Push, RedisConnection, connect};
use crate::connection_string::Endpoint;
use crate::connection_string::redis::RedisOptions;
use crate::secret::Secret;
use ::redis::{ErrorKind, RedisError, ServerErrorKind, Value as RedisValue, cmd};
use std::sync::Arc;

/// Connects to the server that serves a key: the first of the endpoints that is a primary, and in a
/// cluster the one that it names.
pub async fn find(
    options: &RedisOptions,
    key: &str,
    push: Option<Arc<Push>>,
) -> Result<(Endpoint, RedisConnection), RedisError> {
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
            match cmd("EXISTS")
                .arg(key)
                .query_async::<RedisValue>(&mut connection)
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
    // Sentinels seldom have the password that their servers have; both ways are tried, and first
    // their own.
    let known_as = |user: &Option<String>, password: &Option<Secret>| RedisOptions {
        user: user.clone(),
        password: password.clone(),
        database: 0,
        ..options.clone()
    };
    let ways = [
        known_as(&options.sentinel_user, &options.sentinel_password),
        known_as(&options.user, &options.password),
        known_as(&None, &None),
    ];
    let own = usize::from(options.sentinel_password.is_none());
    for endpoint in &options.endpoints {
        for options in &ways[own..] {
            let mut command = cmd("SENTINEL");
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
async fn is_primary(connection: &mut RedisConnection) -> bool {
    match cmd("ROLE").query_async::<RedisValue>(connection).await {
        Ok(RedisValue::Array(role)) => {
            role.first() == Some(&RedisValue::BulkString(b"master".to_vec()))
        }
        _ => true,
    }
}
