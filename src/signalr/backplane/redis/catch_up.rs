//! Catches up on messages that were published while this hub was disconnected, and restores
//! messages that Redis lost.

use super::log::{CHUNK, Counts, LogMessage, LogPlace, is_forbidden, is_full};
use super::shared::Shared;
use crate::message_pack;
use crate::redis::{ErrorKind, RedisConnection, RedisError, cmd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// An epoch that no Redis has.
const UNKNOWN_EPOCH: &str = "?";
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

impl Shared {
    /// Makes Redis publish a mark with the end of its log; the reply also shows that the connection
    /// works.
    pub(super) async fn mark(&self, redis: &mut RedisConnection) -> Result<(), RedisError> {
        self.mark_with(redis, 0).await
    }

    async fn mark_with(&self, redis: &mut RedisConnection, number: u64) -> Result<(), RedisError> {
        if !self.log.is_available() {
            return cmd("PING").query_async(redis).await;
        }
        let marked = self
            .log
            .ask_for_mark(
                redis,
                &self.channel(&format!("internal:mark:{}", self.server)),
                number,
            )
            .await;
        match marked {
            Err(error) if is_forbidden(&error) => {
                self.log.unavailable.store(true, Ordering::Relaxed);
                self.log.lock().catching_up = None;
                Ok(())
            }
            Err(error) if is_full(&error) => {
                self.log.full.store(true, Ordering::Relaxed);
                Ok(())
            }
            marked => {
                self.log.full.store(false, Ordering::Relaxed);
                marked.map(drop)
            }
        }
    }

    /// After all channels are subscribed again: delivers the missed messages, then the held ones.
    pub(super) async fn catch_up(
        self: &Arc<Self>,
        redis: &mut RedisConnection,
    ) -> Result<(), RedisError> {
        let Some(number) = self.log.await_mark() else {
            return self.mark(redis).await;
        };
        self.mark_with(redis, number).await?;
        let reached = async {
            while self
                .log
                .lock()
                .catching_up
                .as_ref()
                .is_some_and(|catching_up| catching_up.end.is_none())
            {
                self.log.marked.notified().await;
            }
        };
        // The mark arrives on this connection with the reply, unless Redis is out of memory.
        if tokio::time::timeout(ANSWER_WITHIN, reached).await.is_err()
            && !self.log.full.load(Ordering::Relaxed)
        {
            return Err(RedisError::from((
                ErrorKind::Client,
                "Redis did not say where its log ends",
            )));
        }
        let Some((since, end, mut heard)) = self.log.gap() else {
            self.release_held().await;
            return Ok(());
        };
        let (mut missed, mut known) = (0, Counts::new());
        let mut pages = self.log.pages(since, end);
        loop {
            let page = match pages.next(redis).await {
                Err(error) if is_forbidden(&error) => break,
                page => page?,
            };
            if page.is_empty() {
                break;
            }
            for message in page {
                self.log.count(&mut known, &message);
                if !self.log.take(&mut heard, &message) {
                    missed += 1;
                    self.deliver_late(&message).await;
                }
            }
        }
        // Of the messages held before the mark, deliver only those that are not in the log.
        while let Some(message) = self.log.held_before_mark() {
            if !self.log.take(&mut known, &message) {
                self.deliver_late(&message).await;
            }
            self.log.let_go();
        }
        self.release_held().await;
        if missed > 0 {
            tracing::info!(
                missed,
                "what was published while Redis could not be heard was read from its log"
            );
        }
        Ok(())
    }

    /// Delivers the held messages and ends holding.
    async fn release_held(self: &Arc<Self>) {
        let count = self.log.lock().heard_count;
        loop {
            let message = {
                let mut state = self.log.lock();
                let Some(catching_up) = &mut state.catching_up else {
                    return;
                };
                match catching_up.held.front() {
                    Some(message) => message.clone(),
                    None => {
                        let end = state
                            .catching_up
                            .take()
                            .and_then(|catching_up| catching_up.end);
                        state.mark = end.map(|(mark, _)| (mark, count)).or(state.mark.take());
                        return;
                    }
                }
            };
            self.deliver_late(&message).await;
            self.log.let_go();
        }
    }

    pub(super) async fn deliver_late(self: &Arc<Self>, (channel, payload): &LogMessage) {
        if !self.subscriptions.is_wanted(channel) {
            return;
        }
        if let Some((target, broadcast)) = self.read(channel, payload) {
            self.parts.delivery.send(target, broadcast).await;
        }
        self.log.note(&mut self.log.lock(), channel, payload);
    }

    /// If Redis lost its log: appends this hub's last messages again and tells the other hubs.
    pub(super) async fn restore_log(&self, redis: &mut RedisConnection) -> Result<(), RedisError> {
        if !self.log.is_available() {
            return Ok(());
        }
        let mark = match self
            .log
            .ask_for_mark(
                redis,
                &self.channel(&format!("internal:mark:{}", self.server)),
                0,
            )
            .await
        {
            Err(error) if is_forbidden(&error) || is_full(&error) => return Ok(()),
            mark => mark?,
        };
        let messages: Vec<LogMessage> = {
            let mut state = self.log.lock();
            if state.own_epoch.is_empty()
                || (state.own_epoch == mark.epoch && state.own_last <= mark.end)
            {
                state.own_epoch = mark.epoch;
                return Ok(());
            }
            // Others read the range only after all of it is appended.
            state.own_epoch = UNKNOWN_EPOCH.into();
            state.own_last = LogPlace::default();
            state.own.iter().map(|own| own.message.clone()).collect()
        };
        for chunk in messages.chunks(CHUNK) {
            self.log.append(redis, chunk, false).await?;
        }
        if !messages.is_empty() {
            let end = self.log.lock().own_last;
            let mut note = Vec::new();
            message_pack::write_array(&mut note, 2);
            message_pack::write_text(&mut note, &mark.end.to_string());
            message_pack::write_text(&mut note, &end.to_string());
            cmd("PUBLISH")
                .arg(self.channel("internal:log"))
                .arg(note)
                .query_async::<()>(redis)
                .await?;
        }
        self.log.lock().own_epoch = mark.epoch;
        Ok(())
    }
}
