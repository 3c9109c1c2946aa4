//! Reports and plans as text. As JSON they are what they are.

pub mod plan;

use crate::hub_process::now;
use crate::provision::plan::Plan;
use crate::provision::report::{DownReport, HubReport, Report, ServiceReport};
use serde::Serialize;
use std::fmt;

/// A report or a plan, ready to be shown.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Shown<'r, R: Serialize>(pub &'r R);

impl fmt::Display for Shown<'_, Plan> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Shown<'_, DownReport> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.changes {
            0 => formatter.write_str("Nothing was running."),
            1 => formatter.write_str("Stopped; 1 step."),
            steps => write!(formatter, "Stopped; {steps} steps."),
        }
    }
}

impl fmt::Display for Shown<'_, Report> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            hub,
            redis,
            rabbitmq,
            ..
        } = self.0;
        write!(formatter, "{}", hub_line(hub))?;
        write!(formatter, "\n{}", service_line("redis", redis))?;
        write!(formatter, "\n{}", service_line("rabbitmq", rabbitmq))
    }
}

fn hub_line(hub: &HubReport) -> String {
    let mut line = format!("hub       {:<10}", hub.state);
    line.push_str(hub.url.as_deref().unwrap_or_default());
    if let Some(pid) = hub.pid {
        line.push_str(&format!("  pid {pid}"));
    }
    if let Some(container) = &hub.container {
        line.push_str(&format!("  container {container}"));
    }
    if let Some(holder) = &hub.held_by {
        line.push_str(&format!("  {holder}"));
    }
    if let Some(started_at) = hub.started_at {
        let seconds = now().saturating_sub(started_at);
        line.push_str(&format!("  for {}", duration(seconds)));
    }
    line
}

fn service_line(name: &str, service: &ServiceReport) -> String {
    let mut line = format!("{name:<10}{:<10}", service.state);
    if let Some(endpoint) = &service.endpoint {
        line.push_str(&endpoint.to_string());
    }
    if let Some(container) = &service.container {
        line.push_str(&format!("  container {container}"));
    }
    if let Some(url) = &service.management_url {
        line.push_str(&format!("  management {url}"));
    }
    if let Some(drift) = &service.drift {
        line.push_str(&format!("  ({drift})"));
    }
    if let Some(count) = service.rejected_messages.filter(|count| *count > 0) {
        line.push_str(&format!(
            "  {count} rejected messages: 'harmony rejected list' shows them"
        ));
    }
    line
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
