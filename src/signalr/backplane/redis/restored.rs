//! What other hubs appended to the log again after Redis had lost it: one reads it at a time, and not more of it than
//! is new.

use super::link::FIRST_RETRY;
use super::log::{Log, LogPlace};
use super::shared::Shared;
use crate::message_pack::MessagePackReader;
use crate::redis::{RedisConnection, RedisError};
use std::sync::Arc;

/// What is older than this was heard, or was missed before: digests are kept a little longer.
const NEW_MILLISECONDS: u64 = 25_000;

impl Shared {
    /// Another hub appended again what Redis had lost: what of it was not heard is delivered.
    pub(super) fn restored(self: &Arc<Self>, note: &[u8]) {
        let mut reader = MessagePackReader::new(note);
        let read = reader
            .array()
            .and_then(|_| Ok((reader.text()?.to_owned(), reader.text()?.to_owned())));
        let Ok((Some(after), Some(end))) =
            read.map(|(after, end)| (LogPlace::read(&after), LogPlace::read(&end)))
        else {
            return;
        };
        if self.restoring.add(after, end) {
            let shared = self.clone();
            tokio::spawn(async move {
                while let Some((after, end)) = shared.restoring.next() {
                    shared.read_restored(after, end).await;
                }
            });
        }
    }

    async fn read_restored(self: &Arc<Self>, after: LogPlace, end: LogPlace) {
        // The one that catches up reads it anyway; then what it delivered is known.
        while self.log.lock().catching_up.is_some() {
            tokio::time::sleep(FIRST_RETRY).await;
        }
        // A connection that is not back yet, or is lost again, is waited for: nobody says it twice.
        let mut publisher = self.publisher.subscribe();
        let after = after.max(end.before(NEW_MILLISECONDS));
        loop {
            let Ok(redis) = publisher
                .wait_for(Option::is_some)
                .await
                .map(|redis| redis.clone())
            else {
                return;
            };
            let Some(mut redis) = redis else { continue };
            match self.deliver_restored(&mut redis, after, end).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "what Redis had lost is read once more"),
            }
            tokio::time::sleep(FIRST_RETRY).await;
        }
    }

    async fn deliver_restored(
        self: &Arc<Self>,
        redis: &mut RedisConnection,
        after: LogPlace,
        end: LogPlace,
    ) -> Result<(), RedisError> {
        let mut heard = Log::heard_since(&self.log.lock(), 0);
        let mut pages = self.log.pages(Some(after), end);
        loop {
            let page = pages.next(redis).await?;
            if page.is_empty() {
                return Ok(());
            }
            for message in page {
                if !self.log.take(&mut heard, &message) {
                    self.deliver_late(&message).await;
                }
            }
        }
    }
}
