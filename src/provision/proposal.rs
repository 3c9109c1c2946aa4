//! What `up` would do: looked at and decided, before anything is done.

use super::decide;
use super::decision::Decision;
use super::error::Error;
use super::look;
use super::plan::Plan;
use super::progress::{Activity, Going, Progress};
use super::questions::Questions;
use super::reconcile;
use super::request::{Request, SettingChange};
use super::world::World;
use crate::containers::Service;
use crate::containers::docker::engine::Engine;
use crate::containers::whereabouts::Whereabouts;
use crate::project::{Project, ProjectError};
use std::time::Duration;

/// How long a server may take that is asked after the agreement.
const ASK_WITHIN: Duration = Duration::from_secs(3);

/// What `up` would do.
pub struct Proposal {
    pub world: World,
    pub decision: Decision,
    pub plan: Plan,
    pub(super) engine: Option<Engine>,
}

/// Looks and decides, and changes nothing.
pub async fn propose(request: &Request, progress: &dyn Progress) -> Result<Proposal, Error> {
    let going = Going::start(progress, Activity::Looking);
    going.end(look_and_decide(request).await)
}

impl Proposal {
    /// Whether a server waits to be asked until the plan was agreed to.
    pub(super) fn awaits_agreement(&self) -> bool {
        self.world.is_postponed(Service::Redis) || self.world.is_postponed(Service::RabbitMq)
    }

    /// The same with what those servers say.
    pub(super) async fn informed(&self, request: &Request) -> Result<Self, Error> {
        let mut world = self.world.clone();
        look::ask_postponed(&mut world, ASK_WITHIN).await;
        let decision = decide::decide(request, edited(request)?, &world)?;
        Ok(Proposal {
            plan: reconcile::up(&decision, &world),
            decision,
            world,
            engine: self.engine.clone(),
        })
    }
}

/// The settings with what was asked for.
fn edited(request: &Request) -> Result<Project, Error> {
    let mut project = Project::read(&request.checkout, &request.scope)?;
    for SettingChange {
        application,
        key,
        value,
    } in &request.wanted.settings
    {
        project.change(application, key, value.as_ref())?;
    }
    // What is decided is checked later.
    if !request.wanted.settings.is_empty() {
        project.check()?;
    }
    Ok(project)
}

async fn look_and_decide(request: &Request) -> Result<Proposal, Error> {
    let installation = &request.installation;
    let known = installation.instance.state()?;
    let project = edited(request)?;
    let whereabouts = installation.docker.docker_host().ok();
    let other_machine = whereabouts.as_ref().and_then(Whereabouts::other_machine);
    let questions = Questions::of_request(request, &project, &known, other_machine.as_deref())
        .map_err(|error| in_its_file(error.into(), &project))?;
    let sight = look::look(installation, &questions).await?;
    let decision = decide::decide(request, project, &sight.world)?;
    Ok(Proposal {
        plan: reconcile::up(&decision, &sight.world),
        decision,
        world: sight.world,
        engine: sight.observer.map(Engine::new),
    })
}

/// Says which line of which file is wrong, where the schema can tell, in place of the bare setting.
fn in_its_file(error: Error, project: &Project) -> Error {
    match (error, project.check_hub()) {
        (Error::HubSettings(_), Err(violations)) => ProjectError::from(violations).into(),
        (error, _) => error,
    }
}
