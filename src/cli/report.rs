//! What runs, in the words of the command-line contract.

use crate::appsettings::SettingsFile;
use crate::connection_string::Endpoint;
use crate::plan::{Action, Plan, Step};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Running,
    Unhealthy,
    Stopped,
    Absent,
    External,
    Embedded,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubReport {
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_url: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Without its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_url: Option<String>,
    /// How it differs from the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
}

impl ServiceReport {
    pub fn new(state: State) -> Self {
        ServiceReport { state, endpoint: None, connection_string: None, container: None, image: None, management_url: None, drift: None }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    pub path: PathBuf,
    pub changed: bool,
}

impl From<&SettingsFile> for FileReport {
    fn from(file: &SettingsFile) -> Self {
        FileReport { path: file.path.clone(), changed: file.is_changed() }
    }
}

/// A step that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    pub action: Action,
    pub target: String,
    pub cause: String,
    pub outcome: &'static str,
    pub milliseconds: u64,
}

impl StepReport {
    pub fn done(step: &Step, milliseconds: u64) -> Self {
        let Step { action, target, cause, .. } = step.clone();
        StepReport { action, target, cause, outcome: "done", milliseconds }
    }
}

/// `up` and `status`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub instance: String,
    pub changes: usize,
    pub hub: HubReport,
    pub redis: ServiceReport,
    pub rabbitmq: ServiceReport,
    pub files: Vec<FileReport>,
    pub steps: Vec<StepReport>,
    pub milliseconds: u64,
}

/// What a dry run shows.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun<'p> {
    #[serde(flatten)]
    pub plan: &'p Plan,
}

impl fmt::Display for DryRun<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(formatter)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            State::Running => "running",
            State::Unhealthy => "unhealthy",
            State::Stopped => "stopped",
            State::Absent => "absent",
            State::External => "external",
            State::Embedded => "embedded",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut details = self.hub.url.clone().unwrap_or_default();
        if let Some(pid) = self.hub.pid {
            details.push_str(&format!("  pid {pid}"));
        }
        if let Some(started_at) = self.hub.started_at {
            let seconds = crate::hub_process::now().saturating_sub(started_at);
            details.push_str(&format!("  for {}", duration(seconds)));
        }
        write!(formatter, "hub       {:<10}{details}", self.hub.state)?;
        for (name, service) in [("redis", &self.redis), ("rabbitmq", &self.rabbitmq)] {
            write!(formatter, "\n{name:<10}{:<10}", service.state)?;
            if let Some(endpoint) = &service.endpoint {
                write!(formatter, "{endpoint}")?;
            }
            if let Some(container) = &service.container {
                write!(formatter, "  container {container}")?;
            }
            if let Some(url) = &service.management_url {
                write!(formatter, "  management {url}")?;
            }
            if let Some(drift) = &service.drift {
                write!(formatter, "  ({drift})")?;
            }
        }
        Ok(())
    }
}

/// `5 s`, `3 min`, `2 h`, `4 days`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
