//! The publishing connection, and the number of hubs that are subscribed.

use super::link::{FIRST_RETRY, connect_until_it_works};
use super::shared::{HEARTBEAT, Shared, keep_alive};
use crate::redis::{RedisConnection, RedisError, cmd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long publishing waits after an outage for the other hubs to subscribe again;
/// StackExchange.Redis takes up to ten seconds.
const REUNION: Duration = Duration::from_secs(12);

/// Keeps a publishing connection open.
pub(super) async fn publish_task(shared: Arc<Shared>) {
    loop {
        let mut connection =
            connect_until_it_works(&shared.options, shared.log.key(), None, "publishing").await;
        await_reunion(&shared, connection.clone()).await;
        if let Err(error) = shared.restore_log(&mut connection).await {
            tracing::debug!(%error, "the publishing connection to Redis failed; reconnecting");
            tokio::time::sleep(FIRST_RETRY).await;
            continue;
        }
        shared.publisher.send_replace(Some(connection.clone()));
        shared.ask();
        tokio::select! {
            () = count_hubs(&shared, connection.clone()) => {}
            () = keep_alive(&shared, connection, &shared.publisher_lost, false) => {}
        }
        shared.publisher.send_replace(None);
    }
}

/// Waits, up to a limit, until as many hubs are subscribed as before the connection was lost:
/// earlier messages would not reach their clients.
async fn await_reunion(shared: &Shared, mut connection: RedisConnection) {
    let before = shared.hubs.load(Ordering::Relaxed);
    let reunited = async {
        while listening_hubs(shared, &mut connection)
            .await
            .is_ok_and(|hubs| hubs < before)
        {
            tokio::time::sleep(FIRST_RETRY).await;
        }
    };
    if before > 1 && tokio::time::timeout(REUNION, reunited).await.is_err() {
        tracing::warn!(
            before,
            "fewer hubs listen on Redis than before; publishing goes on without them"
        );
    }
}

/// Tracks how many hubs are subscribed; ends if Redis does not answer.
async fn count_hubs(shared: &Shared, mut connection: RedisConnection) {
    while let Ok(hubs) = listening_hubs(shared, &mut connection).await {
        shared.hubs.store(hubs, Ordering::Relaxed);
        tokio::time::sleep(HEARTBEAT).await;
    }
}

async fn listening_hubs(
    shared: &Shared,
    connection: &mut RedisConnection,
) -> Result<usize, RedisError> {
    let mut command = cmd("PUBSUB");
    command.arg("NUMSUB").arg(shared.channel("internal:groups"));
    let counts = command
        .query_async::<Vec<(String, usize)>>(connection)
        .await?;
    Ok(counts.first().map_or(0, |(_, count)| *count))
}
