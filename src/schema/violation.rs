//! What a schema objects to, with its place in the file.

use serde::Serialize;
use std::path::PathBuf;

/// A value that its application could not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub key: String,
    /// `error`, or `warning` for what is legal and probably a mistake.
    pub severity: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// Settings that their application could not use; all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Violations(pub Vec<Violation>);

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Violation {
            file,
            line,
            column,
            key,
            severity,
            message,
            suggestion,
        } = self;
        let severity = if *severity == "error" {
            ""
        } else {
            "warning: "
        };
        write!(
            formatter,
            "{}:{line}:{column}: {severity}{key}: {message}",
            file.display()
        )?;
        suggestion.as_ref().map_or(Ok(()), |suggestion| {
            write!(formatter, "; did you mean {suggestion}?")
        })
    }
}
