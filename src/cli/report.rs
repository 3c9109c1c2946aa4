//! What runs, in the words of the command-line contract.

use super::up::Decided;
use crate::appsettings::SettingsFile;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::masked;
use crate::containers::{ContainerSpec, Service};
use crate::hub_process::{Running, now};
use crate::instance::{self, Choice};
use crate::provision::plan::{Action, Plan, Step, Target};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

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
    pub container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_url: Option<String>,
}

impl HubReport {
    pub fn new(state: State) -> Self {
        HubReport {
            state,
            url: None,
            pid: None,
            container: None,
            version: None,
            started_at: None,
            admin_url: None,
        }
    }

    pub fn of_process(running: &Running, known: &instance::State) -> Self {
        HubReport {
            url: Some(known.hub_url.trim_end_matches('/').to_owned()),
            pid: Some(running.pid),
            version: Some(running.version.clone()),
            started_at: Some(running.started_at),
            admin_url: Some(running.admin_url.clone()),
            ..HubReport::new(State::Running)
        }
    }

    pub fn of_container(
        name: String,
        version: String,
        started_at: u64,
        known: &instance::State,
    ) -> Self {
        HubReport {
            url: Some(known.hub_url.trim_end_matches('/').to_owned()),
            container: Some(name),
            version: Some(version),
            started_at: Some(started_at),
            admin_url: Some(known.admin_url()),
            ..HubReport::new(State::Running)
        }
    }
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
        ServiceReport {
            state,
            endpoint: None,
            connection_string: None,
            container: None,
            image: None,
            management_url: None,
            drift: None,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    pub path: PathBuf,
    pub changed: bool,
}

impl From<&SettingsFile> for FileReport {
    fn from(file: &SettingsFile) -> Self {
        FileReport {
            path: file.path.clone(),
            changed: file.is_changed(),
        }
    }
}

/// A step that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    pub action: Action,
    pub target: Target,
    pub cause: String,
    pub outcome: &'static str,
    pub milliseconds: u64,
}

impl StepReport {
    pub fn done(step: &Step, milliseconds: u64) -> Self {
        let Step {
            action,
            target,
            cause,
            ..
        } = step.clone();
        StepReport {
            action,
            target,
            cause,
            outcome: "done",
            milliseconds,
        }
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

impl Report {
    /// What `up` brought about.
    pub fn of(
        decided: Decided,
        running: Option<Running>,
        files: Vec<FileReport>,
        took: &[(Target, u64)],
        began: Instant,
    ) -> Self {
        let milliseconds = |target: &Target| {
            took.iter()
                .find(|(known, _)| known == target)
                .map_or(0, |(_, milliseconds)| *milliseconds)
        };
        let steps = decided
            .plan
            .steps
            .iter()
            .map(|step| StepReport::done(step, milliseconds(&step.target)))
            .collect();
        let service = |service: Service, choice| ServiceReport {
            container: decided.spec(service).map(ContainerSpec::name),
            image: decided.spec(service).map(|spec| spec.image.clone()),
            ..ServiceReport::new(match choice {
                Choice::Container => State::Running,
                Choice::External => State::External,
                Choice::Embedded | Choice::Unknown => State::Embedded,
            })
        };
        Report {
            instance: decided.instance.clone(),
            changes: decided.plan.changes,
            hub: match (decided.hosting.container(), &running) {
                (Some(spec), _) => {
                    let created = decided
                        .found(Service::Hub)
                        .filter(|found| found.hash == spec.hash());
                    let started_at = created
                        .and_then(|found| u64::try_from(found.created).ok())
                        .unwrap_or_else(now);
                    HubReport::of_container(
                        spec.name(),
                        env!("CARGO_PKG_VERSION").into(),
                        started_at,
                        &decided.state,
                    )
                }
                (None, Some(running)) => HubReport::of_process(running, &decided.state),
                (None, None) => HubReport::new(State::Absent),
            },
            redis: ServiceReport {
                endpoint: decided
                    .redis
                    .options
                    .as_ref()
                    .and_then(|options| options.endpoints.first().cloned()),
                connection_string: decided.redis.connection_string.as_deref().map(masked),
                ..service(Service::Redis, decided.redis.choice)
            },
            rabbitmq: ServiceReport {
                endpoint: decided
                    .rabbitmq
                    .address
                    .as_ref()
                    .map(|address| address.endpoint.clone()),
                management_url: decided
                    .rabbitmq
                    .container
                    .as_ref()
                    .map(|_| format!("http://127.0.0.1:{}", decided.rabbitmq.management_port)),
                ..service(Service::RabbitMq, decided.rabbitmq.choice)
            },
            files,
            steps,
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
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
        if let Some(container) = &self.hub.container {
            details.push_str(&format!("  container {container}"));
        }
        if let Some(started_at) = self.hub.started_at {
            let seconds = now().saturating_sub(started_at);
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
