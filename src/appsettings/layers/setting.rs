//! One key's value in one layer, and where it comes from.

use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Source {
    /// `ASPNETCORE_…` and `DOTNET_…` variables, whose prefix is taken off; the lowest layer.
    Host {
        variable: String,
    },
    File {
        file: PathBuf,
        line: usize,
    },
    Environment {
        variable: String,
    },
    CommandLine {
        argument: String,
    },
    /// No layer has the key; the application does as if.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Host { variable } | Source::Environment { variable } => {
                write!(formatter, "variable {variable}")
            }
            Source::File { file, line } => write!(formatter, "{}:{line}", file.display()),
            Source::CommandLine { argument } => write!(formatter, "argument {argument}"),
            Source::Default => formatter.write_str("default"),
        }
    }
}

/// One key's value in one layer; `None` hides what lower layers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    pub value: Option<String>,
    pub source: Source,
}
