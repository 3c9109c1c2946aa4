//! What a run did so far, so that a failure can take it back.

use crate::appsettings::change;
use crate::containers::docker::engine::{Created, Engine};
use crate::hub_process::{self, Launch, Running};
use crate::provision::error::Error;
use crate::provision::request::Installation;
use std::time::Duration;

const STOP_WITHIN: Duration = Duration::from_secs(15);
const START_WITHIN: Duration = Duration::from_secs(15);

/// Takes one thing back.
#[derive(Debug, Clone)]
pub enum Undo {
    /// The settings files were written.
    Files,
    /// Something was created in Docker.
    Created(Created),
    /// A container was stopped, and perhaps set aside under another name.
    Restore {
        id: String,
        name: String,
        was_running: bool,
    },
    /// A container was started.
    StopContainer { id: String, name: String },
    /// The hub was started as a process.
    StopHub(Running),
    /// The hub was stopped.
    RelaunchHub(Box<Launch>),
}

/// Takes everything back, the last thing first. Failures are collected; none keeps the rest from
/// being taken back.
pub async fn roll_back(
    undos: Vec<Undo>,
    installation: &Installation,
    engine: Option<&Engine>,
) -> Vec<Error> {
    let mut failures = Vec::new();
    for undo in undos.into_iter().rev() {
        if let Err(error) = take_back(undo, installation, engine).await {
            failures.push(error);
        }
    }
    failures
}

async fn take_back(
    undo: Undo,
    installation: &Installation,
    engine: Option<&Engine>,
) -> Result<(), Error> {
    let instance = &installation.instance;
    match (undo, engine) {
        (Undo::Files, _) => {
            change::undo(&instance.backups(), 1)?;
        }
        (Undo::Created(created), Some(engine)) => engine.undo(&created).await?,
        (
            Undo::Restore {
                id,
                name,
                was_running,
            },
            Some(engine),
        ) => {
            engine.rename(&id, &name).await?;
            if was_running {
                engine.start(&id, &name).await?;
            }
        }
        (Undo::StopContainer { id, name }, Some(engine)) => engine.stop(&id, &name).await?,
        (Undo::StopHub(running), _) => {
            hub_process::stop(instance, &running, STOP_WITHIN).await?;
        }
        (Undo::RelaunchHub(launch), _) => {
            hub_process::launch(instance, &launch, START_WITHIN).await?;
        }
        // Without an engine nothing was done in it.
        (Undo::Created(_) | Undo::Restore { .. } | Undo::StopContainer { .. }, None) => {}
    }
    Ok(())
}
