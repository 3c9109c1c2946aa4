//! A first greeting: whether a server answers, and to these credentials.

use super::primary::find;
use crate::connection_string::redis::RedisOptions;
use ::redis::{ErrorKind, Value as RedisValue, cmd};
use std::time::Duration;

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
        cmd("PING")
            .query_async::<RedisValue>(&mut connection)
            .await?;
        cmd("INFO")
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
