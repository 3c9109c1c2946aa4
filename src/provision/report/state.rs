//! How a service is, in one word.

use serde::Serialize;
use std::fmt;

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceState {
    Running,
    Unhealthy,
    Stopped,
    Absent,
    External,
    Embedded,
    /// Docker cannot be asked.
    Unknown,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            ServiceState::Running => "running",
            ServiceState::Unhealthy => "unhealthy",
            ServiceState::Stopped => "stopped",
            ServiceState::Absent => "absent",
            ServiceState::External => "external",
            ServiceState::Embedded => "embedded",
            ServiceState::Unknown => "unknown",
        })
    }
}
