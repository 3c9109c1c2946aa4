//! Places in the log: the ids of a Redis stream.

/// A place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::signalr::backplane::redis) struct LogPlace(u64, u64);

impl LogPlace {
    pub(in crate::signalr::backplane::redis) fn read(text: &str) -> Option<Self> {
        let (milliseconds, number) = text.split_once('-')?;
        Some(LogPlace(milliseconds.parse().ok()?, number.parse().ok()?))
    }

    /// The place that the log had reached so many milliseconds earlier.
    pub(in crate::signalr::backplane::redis) fn before(self, milliseconds: u64) -> Self {
        LogPlace(self.0.saturating_sub(milliseconds), 0)
    }
}

impl std::fmt::Display for LogPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.0, self.1)
    }
}
