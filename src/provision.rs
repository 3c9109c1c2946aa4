//! Brings Redis, RabbitMQ, settings and the hub to what was asked for: look, decide, plan, apply.
//!
//! A program calls [`up`] and [`down`] with a [`request::Request`] and a listener for progress, and
//! gets a report or an [`error::Error`]. No terminal, no command line, no global state.

pub mod apply;
pub mod decide;
pub mod decision;
pub mod error;
pub mod exposure;
pub mod look;
pub mod plan;
pub mod ports;
pub mod progress;
mod proposal;
pub mod questions;
pub mod ready;
pub mod reconcile;
pub mod report;
pub mod request;
pub mod retries;
pub mod servers;
pub mod take_down;
pub mod undo;
pub mod variables;
pub mod warning;
pub mod world;

use crate::appsettings::layers::Layers;
use crate::containers::Service;
use crate::containers::docker::engine::Engine;
use crate::containers::docker::{DockerError, Observer};
use crate::hub_client::HubClient;
pub use proposal::{Proposal, propose};

use apply::{ApplyContext, apply, milliseconds};
use error::Error;
use plan::Plan;
use progress::Progress;
use questions::Questions;
use report::{DownReport, Report, ServiceState};
use request::{Data, Installation, Request};
use retries::Retries;
use std::time::{Duration, Instant};
use url::Url;
use world::World;

const PORT_PAUSE: Duration = Duration::from_millis(300);
/// How long `status` waits for a server.
const STATUS_WITHIN: Duration = Duration::from_secs(2);

/// Starts everything as configured and requested.
pub async fn up(request: &Request, progress: &dyn Progress) -> Result<Report, Error> {
    up_if(request, progress, async |_| Ok(())).await
}

/// The same, where `agree` agrees to what was decided.
pub async fn up_if<E: From<Error>>(
    request: &Request,
    progress: &dyn Progress,
    mut agree: impl AsyncFnMut(&Proposal) -> Result<(), E>,
) -> Result<Report, E> {
    let _lock = request.installation.instance.lock().map_err(Error::from)?;
    let began = Instant::now();
    let mut retries = Retries::default();
    loop {
        let mut proposal = propose(request, progress).await?;
        agree(&proposal).await?;
        if proposal.awaits_agreement() {
            let informed = proposal.informed(request).await?;
            if informed.plan != proposal.plan {
                agree(&informed).await?;
            }
            proposal = informed;
        }
        let Proposal {
            world,
            decision,
            plan,
            engine,
        } = proposal;
        let work = ApplyContext {
            request,
            decision: &decision,
            world: &world,
            plan: &plan,
            engine,
            progress,
            began,
        };
        match apply(&work).await {
            Ok(done) => {
                let took = milliseconds(began);
                return Ok(Report::of_up(&decision, &world, &plan, &done, took));
            }
            Err(error) if retries.may_help(&error) => tokio::time::sleep(PORT_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// What `down` would do.
pub struct DownProposal {
    pub world: World,
    pub plan: Plan,
    engine: Option<Engine>,
}

impl DownProposal {
    /// The volumes whose data would be deleted.
    pub fn lost_volumes(&self) -> Vec<String> {
        let destructive = self.plan.steps.iter().filter(|step| step.destructive);
        let volumes = destructive.filter_map(|step| match &step.target {
            plan::Target::Volume(name) => Some(name.clone()),
            _ => None,
        });
        volumes.collect()
    }
}

/// Looks at what there is to stop, and changes nothing.
pub async fn propose_down(installation: &Installation, data: Data) -> Result<DownProposal, Error> {
    let sight = look::look(installation, &Questions::about_existence()).await?;
    if let Some(error) = sight.world.engine_failure() {
        return Err(error.clone().into());
    }
    Ok(DownProposal {
        plan: reconcile::down(&sight.world, data),
        world: sight.world,
        engine: sight.observer.map(Engine::new),
    })
}

/// Stops the hub and removes the containers.
pub async fn down(
    installation: &Installation,
    data: Data,
    progress: &dyn Progress,
) -> Result<DownReport, Error> {
    down_if(installation, data, progress, async |_| Ok(())).await
}

/// The same, where `agree` agrees to what was found.
pub async fn down_if<E: From<Error>>(
    installation: &Installation,
    data: Data,
    progress: &dyn Progress,
    mut agree: impl AsyncFnMut(&DownProposal) -> Result<(), E>,
) -> Result<DownReport, E> {
    let _lock = installation.instance.lock().map_err(Error::from)?;
    let began = Instant::now();
    let proposal = propose_down(installation, data).await?;
    agree(&proposal).await?;
    let DownProposal {
        world,
        plan,
        engine,
    } = proposal;
    let steps = take_down::take_down(installation, &world, &plan, engine, progress).await?;
    if data == Data::Deleted {
        installation.instance.forget();
    }
    Ok(DownReport {
        instance: world.instance,
        changes: plan.changes,
        steps,
        milliseconds: milliseconds(began),
    })
}

/// What runs, and why that cannot be told where Docker is needed and cannot be asked.
pub struct Status {
    pub report: Report,
    pub engine_failure: Option<DockerError>,
}

/// Looks at what runs and whether it responds.
pub async fn status(installation: &Installation, layers: &Layers) -> Result<Status, Error> {
    let began = Instant::now();
    let questions = Questions::about_servers(layers, STATUS_WITHIN);
    let sight = look::look(installation, &questions).await?;
    let world = sight.world;
    let mut report = Report::of_world(&world, layers, 0);
    if report.hub.state == ServiceState::Running && !connects(&world.known.hub_url).await {
        report.hub.state = ServiceState::Unhealthy;
    }
    report.milliseconds = milliseconds(began);
    Ok(Status {
        engine_failure: world.engine_failure().cloned(),
        report,
    })
}

/// Whether a client can connect to a hub.
async fn connects(hub: &str) -> bool {
    let Ok(url) = Url::parse(hub) else {
        return false;
    };
    HubClient::connect(&url, STATUS_WITHIN).await.is_ok()
}

/// The way to an instance's logs: which containers there are, and how to ask for them.
pub struct LogSources {
    pub observer: Option<Observer>,
    pub engine_failure: Option<DockerError>,
}

/// Finds the way to an instance's logs.
pub async fn log_sources(installation: &Installation) -> Result<LogSources, Error> {
    let sight = look::look(installation, &Questions::about_existence()).await?;
    Ok(LogSources {
        engine_failure: sight.world.engine_failure().cloned(),
        observer: sight.observer,
    })
}

/// A service's container, where there is one.
pub async fn container_of(
    observer: &Observer,
    instance: &str,
    service: Service,
) -> Result<Option<String>, DockerError> {
    let all = observer.containers(instance).await?;
    let name = crate::containers::container_name(instance, service);
    let found = all.into_iter().find(|found| found.name == name);
    Ok(found.map(|found| found.id))
}
