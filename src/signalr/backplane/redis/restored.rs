//! Reads messages that other hubs restored to the log after Redis lost it: one reader at a time,
//! and only what is new.

use super::link::FIRST_RETRY;
use super::log::{Log, LogPlace};
use super::shared::Shared;
use crate::message_pack::MessagePackReader;
use crate::redis::{RedisConnection, RedisError};
use crate::task;
use std::sync::Arc;

/// Older messages were received or missed before; digests are kept a little longer than this.
const NEW_MILLISECONDS: u64 = 25_000;

impl Shared {
    /// Another hub restored messages: delivers those that this hub has not received.
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
            task::spawn(async move {
                while let Some((after, end)) = shared.restoring.next() {
                    shared.read_restored(after, end).await;
                }
            });
        }
    }

    async fn read_restored(self: &Arc<Self>, after: LogPlace, end: LogPlace) {
        // A hub that is catching up reads them anyway; afterwards their digests are known.
        while self.log.lock().catching_up.is_some() {
            tokio::time::sleep(FIRST_RETRY).await;
        }
        // Wait for a connection that is lost: this is announced only once.
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
                Err(error) => {
                    tracing::debug!(%error, "cannot read restored messages yet; trying again")
                }
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
