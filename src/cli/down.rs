//! `harmony down`: stop the hub and the containers; data only where that was asked for.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::report::{DryRun, StepReport};
use crate::containers::Service;
use crate::containers::docker::engine::Engine;
use crate::containers::docker::{DockerError, ObservedContainer, Observer};
use crate::hub_process::{self, Running};
use crate::provision::plan::{Action, Plan, Step, Target};
use serde::Serialize;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const STOP_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub struct DownArguments {
    /// Also delete the data in volumes
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
    let _lock = if context.dry_run {
        None
    } else {
        Some(context.instance.lock()?)
    };
    let instance = &context.instance;
    let running = hub_process::find(instance)?;
    let observer = docker(context).await?;
    let there = match &observer {
        Some(observer) => There::look(observer, &instance.name, arguments.volumes).await?,
        None => There::default(),
    };
    let plan = plan(running.is_some(), &there);
    if context.dry_run {
        context.terminal.result(&DryRun { plan: &plan });
        return Ok(());
    }
    if !there.volumes.is_empty() && !context.yes {
        agree_to_loss(context, &there.volumes).await?;
    }
    let engine = observer.map(Engine::new);
    let took = Mutex::new(Vec::new());
    let act = async |step: &Step| {
        let since = Instant::now();
        take_away(context, step, running.as_ref(), engine.as_ref(), &there).await?;
        let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Ok(mut took) = took.lock() {
            took.push(StepReport::done(step, milliseconds));
        }
        Ok::<_, Failure>(())
    };
    plan.apply(act).await?;
    let steps = took.into_inner().unwrap_or_default();
    if running.is_none() {
        // A hub that died may be about to be started again.
        hub_process::supervisor::end(instance)?;
    }
    if arguments.volumes {
        instance.forget();
    }
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    context.terminal.result(&DownReport {
        instance: instance.name.clone(),
        changes: plan.changes,
        steps,
        milliseconds,
    });
    Ok(())
}

/// What of an instance is there, in Docker.
#[derive(Default)]
struct There {
    containers: Vec<ObservedContainer>,
    networks: Vec<String>,
    /// Only looked for where they are to go.
    volumes: Vec<String>,
    images: Vec<String>,
}

impl There {
    async fn look(observer: &Observer, instance: &str, all: bool) -> Result<Self, DockerError> {
        let (containers, mut networks) =
            tokio::try_join!(observer.containers(instance), observer.networks(instance))?;
        networks.dedup();
        let volumes = if all {
            observer.volumes(instance).await?
        } else {
            Vec::new()
        };
        let images = if all {
            observer.own_images(instance).await?
        } else {
            Vec::new()
        };
        Ok(There {
            containers,
            networks,
            volumes,
            images,
        })
    }
}

fn plan(hub_runs: bool, there: &There) -> Plan {
    let mut plan = Plan::default();
    let remove = |target, cause| Step::new(Action::Remove, target, cause);
    if hub_runs {
        plan.add(Step::new(Action::Stop, Target::Hub, "down"));
    }
    // The hub goes first, so that it tells its clients while its servers still are.
    let hub = there
        .containers
        .iter()
        .filter(|found| found.service == Service::Hub.name())
        .map(|found| Target::Container(found.service.clone()));
    let hub: Vec<_> = hub.chain([Target::Hub]).collect();
    let containers: Vec<_> = there
        .containers
        .iter()
        .map(|found| Target::Container(found.service.clone()))
        .collect();
    for container in hub.iter().filter(|target| **target != Target::Hub) {
        plan.add(remove(container.clone(), "down"));
    }
    for container in containers.iter().filter(|target| !hub.contains(target)) {
        plan.add(remove(container.clone(), "down").after(hub.clone()));
    }
    for network in &there.networks {
        plan.add(remove(Target::Network(network.clone()), "down").after(containers.clone()));
    }
    for volume in &there.volumes {
        plan.add(
            remove(Target::Volume(volume.clone()), "down --volumes")
                .destructive()
                .after(containers.clone()),
        );
    }
    for image in &there.images {
        plan.add(
            remove(
                Target::Image(image.clone()),
                "down --volumes; it is made anew where it is wanted",
            )
            .after(containers.clone()),
        );
    }
    plan
}

async fn take_away(
    context: &Context,
    step: &Step,
    running: Option<&Running>,
    engine: Option<&Engine>,
    there: &There,
) -> Result<(), Failure> {
    match (&step.target, engine) {
        (Target::Hub, _) => {
            let _step = context.terminal.step("stopping the hub");
            match running {
                Some(running) => {
                    Ok(hub_process::stop(&context.instance, running, STOP_WITHIN).await?)
                }
                None => Ok(()),
            }
        }
        (Target::Container(service), Some(engine)) => {
            let _step = context.terminal.step(format!("stopping {service}"));
            for found in there
                .containers
                .iter()
                .filter(|found| found.service == *service)
            {
                engine.stop(&found.id, service).await?;
                engine.remove(&found.id, service).await?;
            }
            Ok(())
        }
        (Target::Network(name), Some(engine)) => Ok(engine.remove_network(name).await?),
        (Target::Volume(name), Some(engine)) => Ok(engine.remove_volume(name).await?),
        (Target::Image(name), Some(engine)) => Ok(engine.remove_image(name).await?),
        (
            Target::File(_)
            | Target::Container(_)
            | Target::Network(_)
            | Target::Volume(_)
            | Target::Image(_),
            _,
        ) => Ok(()),
    }
}

/// Docker, where it is; a machine without it has no containers of ours.
async fn docker(context: &Context) -> Result<Option<Observer>, Failure> {
    let host = context
        .surroundings
        .docker_host()
        .map_err(DockerError::from)?;
    match Observer::connect(&host).await {
        Ok(observer) => Ok(Some(observer)),
        Err(error) => {
            let state = context.instance.state()?;
            let containers = state.hub_in_container
                || [state.redis, state.rabbitmq].contains(&crate::instance::Choice::Container);
            if containers {
                Err(error.into())
            } else {
                Ok(None)
            }
        }
    }
}

async fn agree_to_loss(context: &Context, volumes: &[String]) -> Result<(), Failure> {
    let question = format!(
        "All data in {} will be lost. Delete it?",
        volumes.join(", ")
    );
    let missing = Failure::new(
        Exit::Usage,
        "answerMissing",
        "whether to delete data has to be answered",
    )
    .why(format!(
        "{} would be lost, and there is no terminal to ask on",
        volumes.join(", ")
    ))
    .fix("agree with --yes, or keep the data by leaving --volumes out");
    context
        .agree(&question, false, missing, "nothing was changed")
        .await
}
