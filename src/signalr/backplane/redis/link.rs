//! Connects to Redis, again and again until it works.

use crate::connection_string::redis::RedisOptions;
use crate::redis::{Push, RedisConnection, find};
use std::sync::Arc;
use std::time::Duration;

pub(super) const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Connects with growing pauses between attempts; logs the first failure and the success. `key` is
/// a key that the connection will use.
pub(super) async fn connect_until_it_works(
    options: &RedisOptions,
    key: &str,
    push: Option<Push>,
    purpose: &'static str,
) -> RedisConnection {
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
                tracing::error!(purpose, error = %error, "cannot reach Redis; still trying");
            }
            Err(_) => {}
        }
        let jitter = (crate::secret::arbitrary() % 256) as u32;
        tokio::time::sleep(pause + pause * jitter / 512).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}
