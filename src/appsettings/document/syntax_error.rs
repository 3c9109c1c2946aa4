//! Where and why a text is not what .NET reads.

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
    pub line: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.at;
        write!(
            formatter,
            "line {line}, column {column}: {}\n  {line} | {}",
            self.message, self.line
        )?;
        let margin = line.to_string().len() + 4 + column;
        write!(formatter, "\n{:>1$}", "^", margin + 1)
    }
}

impl std::error::Error for SyntaxError {}
