//! Lines and columns of places in a text.

use super::syntax_error::Position;

pub(super) fn position(text: &str, at: usize) -> Position {
    LineCounter::new(text).position(at)
}

/// Counts lines for places asked for in ascending order, without starting anew each time.
pub(super) struct LineCounter<'t> {
    text: &'t str,
    counted: usize,
    line: usize,
    line_start: usize,
}

impl<'t> LineCounter<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        LineCounter {
            text,
            counted: 0,
            line: 1,
            line_start: 0,
        }
    }

    pub(super) fn position(&mut self, at: usize) -> Position {
        if at < self.counted {
            *self = LineCounter::new(self.text);
        }
        for newline in memchr::memchr_iter(b'\n', &self.text.as_bytes()[self.counted..at]) {
            self.line += 1;
            self.line_start = self.counted + newline + 1;
        }
        self.counted = at;
        Position {
            line: self.line,
            column: self.text[self.line_start..at].chars().count() + 1,
        }
    }
}
