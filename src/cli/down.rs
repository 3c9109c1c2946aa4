//! `harmony down`: stop the hub and the containers; data only where that was asked for.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::report::{DryRun, StepReport};
use crate::containers::docker::{DockerError, Observer};
use crate::hub_process;
use crate::plan::{Action, Plan};
use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};

const STOP_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub struct DownArguments {
    /// Also delete the data that is kept in volumes
    #[arg(long)]
    volumes: bool,
}

#[derive(Debug, Serialize)]
struct DownReport {
    instance: String,
    changes: usize,
    steps: Vec<StepReport>,
    milliseconds: u64,
}

impl fmt::Display for DownReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changes {
            0 => formatter.write_str("Nothing was running."),
            1 => formatter.write_str("Stopped; 1 step."),
            steps => write!(formatter, "Stopped; {steps} steps."),
        }
    }
}

pub async fn run(context: &Context, arguments: DownArguments) -> Result<(), Failure> {
    let began = Instant::now();
    let _lock = if context.dry_run { None } else { Some(context.instance.lock()?) };
    let instance = &context.instance;
    let running = hub_process::find(instance)?;
    let observer = docker(context).await?;
    let (containers, volumes) = match &observer {
        Some(observer) => {
            let volumes = if arguments.volumes { observer.volumes(&instance.name).await? } else { Vec::new() };
            (observer.containers(&instance.name).await?, volumes)
        }
        None => (Vec::new(), Vec::new()),
    };
    let mut plan = Plan::default();
    if running.is_some() {
        plan.add(Action::Stop, "hub", "down");
    }
    for found in &containers {
        plan.add(Action::Remove, format!("container {}", found.service), "down");
    }
    for volume in &volumes {
        plan.add_destructive(Action::Remove, format!("volume {volume}"), "down --volumes");
    }
    if context.dry_run {
        context.terminal.result(&DryRun { plan: &plan });
        return Ok(());
    }
    if !volumes.is_empty() && !context.yes {
        agree_to_loss(context, &volumes).await?;
    }
    let mut steps = Vec::new();
    let mut planned = plan.steps.iter();
    let mut done = |since: Instant| {
        let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        steps.extend(planned.next().map(|step| StepReport::done(step, milliseconds)));
    };
    if let Some(running) = &running {
        let (since, _step) = (Instant::now(), context.terminal.step("stopping the hub"));
        hub_process::stop(instance, running, STOP_WITHIN).await?;
        done(since);
    } else if !context.dry_run {
        // A hub that died may be about to be started again.
        hub_process::supervisor::end(instance)?;
    }
    if let Some(engine) = observer.map(Observer::into_engine) {
        let (since, _step) = (Instant::now(), (!containers.is_empty()).then(|| context.terminal.step("stopping containers")));
        let stops = containers.iter().map(|found| async {
            engine.stop(&found.id, &found.service).await?;
            engine.remove(&found.id, &found.service).await
        });
        futures_util::future::try_join_all(stops).await?;
        containers.iter().for_each(|_| done(since));
        for volume in &volumes {
            let since = Instant::now();
            engine.remove_volume(volume).await?;
            done(since);
        }
    }
    if arguments.volumes {
        instance.forget();
    }
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    context.terminal.result(&DownReport { instance: instance.name.clone(), changes: plan.changes, steps, milliseconds });
    Ok(())
}

/// Docker, where it is; a machine without it has no containers of ours.
async fn docker(context: &Context) -> Result<Option<Observer>, Failure> {
    let host = context.surroundings.docker_host().map_err(DockerError::from)?;
    match Observer::connect(&host).await {
        Ok(observer) => Ok(Some(observer)),
        Err(error) => {
            let state = context.instance.state()?;
            let containers = [state.redis, state.rabbitmq].contains(&crate::instance::Choice::Container);
            if containers { Err(error.into()) } else { Ok(None) }
        }
    }
}

async fn agree_to_loss(context: &Context, volumes: &[String]) -> Result<(), Failure> {
    let question = format!("All data in {} will be lost. Delete it?", volumes.join(", "));
    let missing = Failure::new(Exit::Usage, "answerMissing", "whether to delete data has to be answered")
        .why(format!("{} would be lost, and there is no terminal to ask on", volumes.join(", ")))
        .fix("agree with --yes, or keep the data by leaving --volumes out");
    context.agree(&question, false, missing, "nothing was changed").await
}
