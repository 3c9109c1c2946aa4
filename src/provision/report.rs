//! What runs, as data, in the words of the command-line contract.

mod hub;
mod service;
mod state;

pub use hub::HubReport;
pub use service::ServiceReport;
pub use state::ServiceState;

use crate::appsettings::SettingsFile;
use crate::appsettings::layers::Layers;
use crate::provision::apply::Applied;
use crate::provision::decision::Decision;
use crate::provision::plan::{Action, Plan, Step, Target};
use crate::provision::world::World;
use serde::Serialize;
use std::path::PathBuf;

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
    pub fn done(step: &Step, took: &[(Target, u64)]) -> Self {
        let took = took.iter().find(|(target, _)| *target == step.target);
        StepReport {
            action: step.action,
            target: step.target.clone(),
            cause: step.cause.clone(),
            outcome: "done",
            milliseconds: took.map_or(0, |(_, milliseconds)| *milliseconds),
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
    pub fn of_up(
        decision: &Decision,
        world: &World,
        plan: &Plan,
        done: &Applied,
        milliseconds: u64,
    ) -> Self {
        Report {
            instance: world.instance.clone(),
            changes: plan.changes,
            hub: HubReport::of_decision(decision, world, done.running.as_ref()),
            redis: service::redis_decided(&decision.redis),
            rabbitmq: service::rabbitmq_decided(&decision.rabbitmq, world),
            files: decision.files.iter().map(FileReport::from).collect(),
            steps: plan
                .steps
                .iter()
                .map(|step| StepReport::done(step, &done.took))
                .collect(),
            milliseconds,
        }
    }

    /// What was found. Whether the hub responds is the caller's to ask.
    pub fn of_world(world: &World, layers: &Layers, milliseconds: u64) -> Self {
        Report {
            instance: world.instance.clone(),
            changes: 0,
            hub: HubReport::of_world(world),
            redis: service::redis_found(world, layers),
            rabbitmq: service::rabbitmq_found(world, layers),
            files: Vec::new(),
            steps: Vec::new(),
            milliseconds,
        }
    }
}

/// `down`.
#[derive(Debug, Clone, Serialize)]
pub struct DownReport {
    pub instance: String,
    pub changes: usize,
    pub steps: Vec<StepReport>,
    pub milliseconds: u64,
}
