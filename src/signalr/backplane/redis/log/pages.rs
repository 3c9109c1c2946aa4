//! Reading the log page by page.

use super::{CHUNK, Log, LogMessage, LogPlace};
use crate::redis::{RedisConnection, RedisError, cmd};

/// The entries of the first page, and the size above which the next page is shorter.
const FIRST_PAGE: usize = 16;

const PAGE_BYTES: usize = 1 << 20;

/// An entry of the stream: its place, and its fields by name.
type LogEntry = (String, Vec<(String, Vec<u8>)>);

impl Log {
    /// Reads the messages after one place up to another, page by page.
    pub(in crate::signalr::backplane::redis) fn pages(
        &self,
        after: Option<LogPlace>,
        end: LogPlace,
    ) -> LogPages<'_> {
        LogPages {
            key: &self.key,
            from: after.map_or_else(|| "-".to_owned(), |after| format!("({after}")),
            end,
            count: FIRST_PAGE,
        }
    }
}

/// An iterator over the pages of the log.
pub(in crate::signalr::backplane::redis) struct LogPages<'l> {
    key: &'l str,
    from: String,
    end: LogPlace,
    /// The entries of the next page: fewer if they are large.
    count: usize,
}

impl LogPages<'_> {
    /// The next messages; none at the end.
    pub(in crate::signalr::backplane::redis) async fn next(
        &mut self,
        redis: &mut RedisConnection,
    ) -> Result<Vec<LogMessage>, RedisError> {
        let mut messages = Vec::new();
        // A page may hold only foreign entries.
        while messages.is_empty() {
            let mut command = cmd("XRANGE");
            command
                .arg(self.key)
                .arg(&self.from)
                .arg(self.end.to_string())
                .arg("COUNT")
                .arg(self.count);
            let entries: Vec<LogEntry> = command.query_async(redis).await?;
            let Some((last, _)) = entries.last() else {
                return Ok(messages);
            };
            self.from = format!("({last}");
            let mut bytes = 0;
            for (_, fields) in entries {
                bytes += fields.iter().map(|(_, value)| value.len()).sum::<usize>();
                if let [(_, channel), (_, payload)] = &mut { fields }[..] {
                    messages.push((
                        String::from_utf8_lossy(channel).into_owned(),
                        std::mem::take(payload),
                    ));
                }
            }
            self.count = match bytes {
                ..PAGE_BYTES => (self.count * 2).min(CHUNK),
                _ => (self.count / 4).max(1),
            };
        }
        Ok(messages)
    }
}
