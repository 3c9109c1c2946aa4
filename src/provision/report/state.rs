//! How a service is, in one word.

use serde::Serialize;

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
