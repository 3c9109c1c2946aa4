//! Carries out a plan: settings first, then every step along its edges. What is replaced stays
//! until everything works; a failure or an interruption takes back what was done.

mod containers;
mod hub;
mod secrets;

use crate::appsettings;
use crate::containers::SERVICES;
use crate::containers::docker::engine::{Created, Engine};
use crate::containers::own_image::OwnImage;
use crate::hub_process::Running;
use crate::provision::decision::{Decision, HubDecision};
use crate::provision::error::Error;
use crate::provision::plan::{Action, Plan, Step, Target};
use crate::provision::progress::{Activity, ActivityOutcome, Going, Progress};
use crate::provision::request::Request;
use crate::provision::undo::{Undo, roll_back};
use crate::provision::world::World;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// What `up` works with.
pub struct ApplyContext<'w> {
    pub request: &'w Request,
    pub decision: &'w Decision,
    pub world: &'w World,
    pub plan: &'w Plan,
    pub engine: Option<Engine>,
    pub progress: &'w dyn Progress,
    pub began: Instant,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    pub written: Vec<PathBuf>,
    /// Milliseconds that each target took.
    pub took: Vec<(Target, u64)>,
    /// The hub as a process.
    pub running: Option<Running>,
}

/// Something that is removed once everything works.
enum Obsolete {
    Container { id: String, name: String },
    Network(String),
}

/// A run, as far as it has come.
struct Run<'w> {
    work: &'w ApplyContext<'w>,
    deadline: Instant,
    /// Something failed, or the user cancelled: nothing is waited for any longer.
    ended: CancellationToken,
    undos: Mutex<Vec<Undo>>,
    obsolete: Mutex<Vec<Obsolete>>,
    done: Mutex<Applied>,
}

/// Does what was decided. Settings come first, all or none: whatever happens later, the next run
/// finds the passwords that containers and volumes were made with.
pub async fn apply(work: &ApplyContext<'_>) -> Result<Applied, Error> {
    let instance = &work.request.installation.instance;
    let written = appsettings::write(&work.decision.files, &instance.backups())?;
    let writing = milliseconds(work.began);
    work.progress.files_written(&written);
    let undos = if written.is_empty() {
        Vec::new()
    } else {
        vec![Undo::Files]
    };
    let took = written
        .iter()
        .map(|path| (Target::File(path.clone()), writing));
    let run = Run {
        work,
        deadline: work.began + work.request.timeout,
        ended: work.request.cancellation.child_token(),
        undos: Mutex::new(undos),
        obsolete: Mutex::default(),
        done: Mutex::new(Applied {
            took: took.collect(),
            written,
            running: work.world.hub.clone(),
        }),
    };
    if let Err(error) = run.carry_out().await {
        return Err(run.roll_back(error).await);
    }
    instance.remember(&work.decision.state)?;
    secrets::write(instance, work.decision)?;
    run.remove_obsolete().await?;
    Ok(run
        .done
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

pub fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A lock that nobody can have poisoned: no holder panics.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run<'_> {
    async fn carry_out(&self) -> Result<(), Error> {
        let act = async |step: &Step| {
            let began = Instant::now();
            // After a failure elsewhere nothing more is waited for.
            let ended = self.act(step).await;
            let took = milliseconds(began);
            let outcome = match &ended {
                Ok(()) => ActivityOutcome::Finished,
                Err(_) => ActivityOutcome::Failed,
            };
            self.work.progress.step_ended(step, outcome, took);
            ended.inspect_err(|_| self.ended.cancel())?;
            locked(&self.done).took.push((step.target.clone(), took));
            Ok(())
        };
        let (unchanged, changed) =
            tokio::join!(self.await_unchanged(), self.work.plan.carry_out(act));
        // Prefer the real failure over the cancellation that it caused.
        match (unchanged, changed) {
            (Err(one), Err(other)) => Err(if one.is_interrupted() { other } else { one }),
            (unchanged, changed) => unchanged.and(changed),
        }
    }

    /// Waits for the containers that nothing is done to.
    async fn await_unchanged(&self) -> Result<(), Error> {
        let Some(engine) = &self.work.engine else {
            return Ok(());
        };
        for service in SERVICES {
            let target = Target::container(&self.work.world.instance, service);
            let found = self.work.world.found(service);
            if let (Some(spec), Some(found), None) = (
                self.work.decision.spec(service),
                found,
                self.work.plan.step(&target),
            ) {
                let ready = self.await_found(engine, spec, &found.id).await;
                ready
                    .map_err(was_running)
                    .inspect_err(|_| self.ended.cancel())?;
            }
        }
        Ok(())
    }

    async fn act(&self, step: &Step) -> Result<(), Error> {
        if self.ended.is_cancelled() {
            return Err(Error::Interrupted);
        }
        match (&step.target, &self.work.engine) {
            // Written already, in one change with the others.
            (Target::File(_), _) => Ok(()),
            (Target::Hub, _) => self.run_hub(step).await,
            (Target::Network(name), Some(engine)) => self.network(engine, step, name).await,
            (Target::Image(name), Some(engine)) => self.make_image(engine, name).await,
            (Target::Container { service, name }, Some(engine)) => {
                self.container(engine, step, *service, name).await
            }
            // `up` deletes no volumes, and without an engine nothing else is planned.
            (Target::Volume(_) | Target::Network(_) | Target::Image(_), _)
            | (Target::Container { .. }, None) => Ok(()),
        }
    }

    fn undo(&self, undo: Undo) {
        locked(&self.undos).push(undo);
    }

    fn created(&self, created: Created) {
        self.undo(Undo::Created(created));
    }

    fn retire(&self, obsolete: Obsolete) {
        locked(&self.obsolete).push(obsolete);
    }

    /// Waits for something, unless the run ends before.
    async fn wait<T>(&self, what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            result = what => result,
            () = self.ended.cancelled() => Err(Error::Interrupted),
        }
    }

    async fn network(&self, engine: &Engine, step: &Step, name: &str) -> Result<(), Error> {
        match step.action {
            Action::Remove => {
                self.retire(Obsolete::Network(name.to_owned()));
                return Ok(());
            }
            Action::Replace => engine.remove_network(name).await?,
            _ => {}
        }
        let instance = &self.work.world.instance;
        self.created(engine.create_network(name, instance).await?);
        Ok(())
    }

    async fn make_image(&self, engine: &Engine, name: &str) -> Result<(), Error> {
        let going = self.going(Activity::MakingImage(name.to_owned()));
        let make = async {
            let image = OwnImage::of_this_program(&self.work.world.instance);
            let archive = image.and_then(|image| image.archive());
            let archive = archive.map_err(Error::HubImage)?;
            self.created(engine.import_image(name, archive).await?);
            Ok(())
        };
        going.end(make.await)
    }

    fn going(&self, activity: Activity) -> Going<'_> {
        Going::start(self.work.progress, activity)
    }

    async fn roll_back(self, error: Error) -> Error {
        let undos = self
            .undos
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let installation = &self.work.request.installation;
        let going = Going::start(self.work.progress, Activity::RollingBack);
        let failures = roll_back(undos, installation, self.work.engine.as_ref()).await;
        let outcome = if failures.is_empty() { Ok(()) } else { Err(()) };
        let _ = going.end(outcome);
        error.and_rollback(failures)
    }

    /// Removes what was replaced, and what is no longer wanted.
    async fn remove_obsolete(&self) -> Result<(), Error> {
        let Some(engine) = &self.work.engine else {
            return Ok(());
        };
        let obsolete = std::mem::take(&mut *locked(&self.obsolete));
        let (networks, containers): (Vec<_>, Vec<_>) = obsolete
            .into_iter()
            .partition(|obsolete| matches!(obsolete, Obsolete::Network(_)));
        for obsolete in containers.into_iter().chain(networks) {
            match obsolete {
                Obsolete::Container { id, name } => engine.remove(&id, &name).await?,
                Obsolete::Network(name) => engine.remove_network(&name).await?,
            }
        }
        self.remove_older_images(engine).await
    }

    /// Removes the images of earlier programs, where nothing runs from them any more.
    async fn remove_older_images(&self, engine: &Engine) -> Result<(), Error> {
        let HubDecision::Container { image, .. } = &self.work.decision.hub else {
            return Ok(());
        };
        let contents = self.work.world.contents();
        let images = contents
            .into_iter()
            .flat_map(|contents| &contents.own_images);
        for older in images.filter(|older| **older != image.name) {
            engine.remove_image(older).await?;
        }
        Ok(())
    }
}

/// A container that was found running, and died before this run did anything to it.
fn was_running(error: Error) -> Error {
    match error {
        Error::ContainerDied {
            service, code, log, ..
        } => Error::ContainerDied {
            service,
            code,
            log,
            was_running: true,
        },
        error => error,
    }
}
