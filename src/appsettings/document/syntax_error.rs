//! Where and why a text is not what .NET reads.

use super::excerpt::Excerpt;
use std::fmt;

/// A place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Text that .NET would not read either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: Position,
    pub message: String,
    /// The line, for showing.
    pub excerpt: Excerpt,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.at;
        let pointer = self.excerpt.pointer(line);
        write!(
            formatter,
            "line {line}, column {column}: {}\n  {pointer}",
            self.message
        )
    }
}

impl std::error::Error for SyntaxError {}
