//! Appending to the log, and asking Redis where it ends.

use super::refusal::{is_forbidden, is_full};
use super::{
    CHUNK, ENTRY_BYTES, KEPT_SECONDS, LOG_BYTES, LOG_ENTRIES, Log, LogMessage, LogPlace, Mark,
};
use crate::redis::{RedisConnection, RedisError, RedisValue, cmd, pipe};
use std::sync::atomic::Ordering;

/// Trims the log to KEPT_SECONDS and publishes a mark: the epoch, the last entry and the mark's
/// number.
const MARK: &str = "
local epoch = redis.call('GET', KEYS[2])
if not epoch then epoch = ARGV[1] end
redis.call('SET', KEYS[2], epoch, 'EX', 3600)
local now = redis.call('TIME')
redis.pcall('XTRIM', KEYS[1], 'MINID', '~', (now[1] - tonumber(ARGV[2])) .. '000')
redis.call('EXPIRE', KEYS[1], 3600)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local id = last[1] and last[1][1] or '0-0'
redis.call('PUBLISH', ARGV[3], epoch .. ' ' .. id .. ' ' .. ARGV[4])
return {epoch, id}";

impl Log {
    /// Appends messages and publishes them, as one transaction.
    pub(in crate::signalr::backplane::redis) async fn publish(
        &self,
        redis: &mut RedisConnection,
        messages: &[LogMessage],
    ) -> Result<(), RedisError> {
        if self.is_available() {
            match self.append(redis, messages, true).await {
                Err(error) if is_full(&error) => {
                    tracing::warn!(%error, "Redis is out of memory; deleting the log of messages");
                    cmd("DEL").arg(&self.key).query_async::<()>(redis).await?;
                }
                Err(error) if is_forbidden(&error) => {
                    self.unavailable.store(true, Ordering::Relaxed);
                    tracing::warn!(
                        %error,
                        "Redis refuses the log of messages: a hub that loses its connection misses messages"
                    );
                }
                appended => return appended,
            }
        }
        let mut pipeline = pipe();
        for (channel, payload) in messages {
            pipeline.cmd("PUBLISH").arg(channel).arg(payload).ignore();
        }
        pipeline.query_async(redis).await
    }

    pub(in crate::signalr::backplane::redis) async fn append(
        &self,
        redis: &mut RedisConnection,
        messages: &[LogMessage],
        publish: bool,
    ) -> Result<(), RedisError> {
        let mut pipeline = pipe();
        // Not the library's transaction, which hides why EXEC was refused, for example for lack of
        // memory.
        pipeline.cmd("MULTI").ignore();
        for (channel, payload) in messages {
            pipeline
                .cmd("XADD")
                .arg(&self.key)
                .arg("*")
                .arg("c")
                .arg(channel)
                .arg("p")
                .arg(payload)
                .ignore();
            if publish {
                pipeline.cmd("PUBLISH").arg(channel).arg(payload).ignore();
            }
        }
        pipeline
            .cmd("XTRIM")
            .arg(&self.key)
            .arg("MAXLEN")
            .arg("~")
            .arg(self.length(messages))
            .ignore();
        pipeline.cmd("EXEC");
        let (done,) = pipeline.query_async::<(Vec<RedisValue>,)>(redis).await?;
        // Only XADD replies with a string.
        let last = done.iter().rev().find_map(|answer| match answer {
            RedisValue::BulkString(id) => std::str::from_utf8(id).ok(),
            _ => None,
        });
        if let Some(place) = last.and_then(LogPlace::read) {
            let mut state = self.lock();
            state.own_last = state.own_last.max(place);
        }
        Ok(())
    }

    /// How many messages of mean size fit into the log.
    fn length(&self, messages: &[LogMessage]) -> usize {
        let mut state = self.lock();
        for (channel, payload) in messages {
            state.mean = (state.mean * 63 + channel.len() + payload.len() + ENTRY_BYTES) / 64;
        }
        (LOG_BYTES / state.mean.max(1)).clamp(CHUNK, LOG_ENTRIES)
    }

    /// Makes Redis publish a numbered mark to a channel, and returns the mark.
    pub(in crate::signalr::backplane::redis) async fn ask_for_mark(
        &self,
        redis: &mut RedisConnection,
        channel: &str,
        number: u64,
    ) -> Result<Mark, RedisError> {
        let mut command = cmd("EVAL");
        command.arg(MARK).arg(2).arg(&self.key).arg(&self.epoch_key);
        command
            .arg(format!("{:016x}", crate::secret::arbitrary()))
            .arg(KEPT_SECONDS)
            .arg(channel)
            .arg(number);
        let (epoch, end) = command.query_async::<(String, String)>(redis).await?;
        Ok(Mark {
            epoch,
            end: LogPlace::read(&end).unwrap_or_default(),
        })
    }
}
