//! Carries out the plan of `down`.

use crate::containers::docker::engine::Engine;
use crate::hub_process::{self, supervisor};
use crate::provision::error::Error;
use crate::provision::plan::{Plan, Step, Target};
use crate::provision::progress::{Activity, Going, Progress};
use crate::provision::report::StepReport;
use crate::provision::request::Installation;
use crate::provision::world::World;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const STOP_WITHIN: Duration = Duration::from_secs(15);

/// What `down` works with.
struct TakeDownContext<'w> {
    installation: &'w Installation,
    world: &'w World,
    engine: Option<Engine>,
    progress: &'w dyn Progress,
}

pub async fn take_down(
    installation: &Installation,
    world: &World,
    plan: &Plan,
    engine: Option<Engine>,
    progress: &dyn Progress,
) -> Result<Vec<StepReport>, Error> {
    let work = TakeDownContext {
        installation,
        world,
        engine,
        progress,
    };
    let took = Mutex::new(Vec::new());
    let act = async |step: &Step| {
        let since = Instant::now();
        work.take_away(step).await?;
        let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push((step.target.clone(), milliseconds));
        Ok::<_, Error>(())
    };
    plan.carry_out(act).await?;
    if world.hub.is_none() {
        // A hub that died may be about to be started again.
        supervisor::end(&installation.instance).await?;
    }
    let took = took.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(plan
        .steps
        .iter()
        .map(|step| StepReport::done(step, &took))
        .collect())
}

impl TakeDownContext<'_> {
    async fn take_away(&self, step: &Step) -> Result<(), Error> {
        match (&step.target, &self.engine) {
            (Target::Hub, _) => self.stop_hub().await,
            (Target::Container { service, name }, Some(engine)) => {
                let going = Going::start(self.progress, Activity::Stopping(*service));
                going.end(self.remove_container(engine, name).await)
            }
            (Target::Network(name), Some(engine)) => Ok(engine.remove_network(name).await?),
            (Target::Volume(name), Some(engine)) => Ok(engine.remove_volume(name).await?),
            (Target::Image(name), Some(engine)) => Ok(engine.remove_image(name).await?),
            // Without an engine nothing in it is planned, and files stay.
            _ => Ok(()),
        }
    }

    async fn stop_hub(&self) -> Result<(), Error> {
        let Some(running) = &self.world.hub else {
            return Ok(());
        };
        let going = Going::start(
            self.progress,
            Activity::Stopping(crate::containers::Service::Hub),
        );
        let instance = &self.installation.instance;
        Ok(going.end(hub_process::stop(instance, running, STOP_WITHIN).await)?)
    }

    async fn remove_container(&self, engine: &Engine, name: &str) -> Result<(), Error> {
        let contents = self.world.contents();
        let containers = contents
            .into_iter()
            .flat_map(|contents| &contents.containers);
        for found in containers.filter(|found| found.name == name) {
            engine.stop(&found.id, name).await?;
            engine.remove(&found.id, name).await?;
        }
        Ok(())
    }
}
