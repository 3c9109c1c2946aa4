//! One container: created, replaced, started or joined to its network, and waited for.

use super::{Obsolete, Run};
use crate::containers::docker::ObservedContainer;
use crate::containers::docker::engine::Engine;
use crate::containers::docker::image::Pulled;
use crate::containers::{ContainerSpec, Service, credentials};
use crate::hub_process::supervisor;
use crate::provision::error::Error;
use crate::provision::plan::{Action, Step, Target};
use crate::provision::progress::Activity;
use crate::provision::ready;
use crate::provision::request::Pull;
use crate::provision::undo::Undo;
use std::time::{Duration, Instant};

/// A hub gets this long to respond even where others used the time up.
const HUB_WITHIN: Duration = Duration::from_secs(5);
/// A wait that is shorter is not worth a line.
const TELL_AFTER: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// Brings one container to what is planned and waits until it is ready.
    pub(super) async fn container(
        &self,
        engine: &Engine,
        step: &Step,
        service: Service,
        name: &str,
    ) -> Result<(), Error> {
        let world = self.work.world;
        let leftover = world.leftovers().find(|(_, found)| found.name == name);
        if let Some((_, leftover)) = leftover {
            return Ok(engine.remove(&leftover.id, name).await?);
        }
        let (spec, found) = (self.work.decision.spec(service), world.found(service));
        let id = match (step.action, found, spec) {
            (Action::Remove, Some(found), _) => return self.set_aside(engine, found).await,
            (Action::Start, Some(found), Some(spec)) => {
                self.join(engine, spec, found).await?;
                engine.start(&found.id, name).await?;
                let (id, name) = (found.id.clone(), name.to_owned());
                self.undo(Undo::StopContainer { id, name });
                found.id.clone()
            }
            (Action::Edit, Some(found), Some(spec)) => {
                self.join(engine, spec, found).await?;
                found.id.clone()
            }
            (_, found, Some(spec)) => self.create(engine, spec, found).await?,
            (_, _, None) => return Ok(()),
        };
        let Some(spec) = spec else { return Ok(()) };
        let going = self.going(self.waiting(service));
        going.end(self.await_ready(engine, spec, &id).await)
    }

    fn waiting(&self, service: Service) -> Activity {
        let decision = self.work.decision;
        let endpoint = match service {
            Service::Redis => decision.redis.endpoint(),
            Service::RabbitMq => decision.rabbitmq.address().map(|address| &address.endpoint),
            Service::Hub => None,
        };
        match endpoint {
            Some(endpoint) => Activity::WaitingFor(service, endpoint.clone()),
            None => Activity::WaitingForHub(decision.hub_url.clone()),
        }
    }

    /// Creates a container in place of the one that is there, if any.
    async fn create(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        found: Option<&ObservedContainer>,
    ) -> Result<String, Error> {
        // Before anything is stopped: an image that cannot be had must not cost what runs.
        self.have_image(engine, spec).await?;
        if spec.service == Service::Hub {
            // A process of a run that was killed may be about to take the port.
            supervisor::end(&self.work.request.installation.instance).await?;
        }
        if let Some(found) = found {
            self.set_aside(engine, found).await?;
        }
        let (id, created) = engine.create(spec).await?;
        self.created(created);
        Ok(id)
    }

    /// Stops a container and keeps it under another name until everything works.
    async fn set_aside(&self, engine: &Engine, found: &ObservedContainer) -> Result<(), Error> {
        let name = &found.name;
        if found.unfinished {
            engine.observer().settle(&found.id).await;
            engine.stop(&found.id, name).await?;
            // It never ran: there is nothing to bring back.
            return Ok(engine.remove(&found.id, name).await?);
        }
        engine.stop(&found.id, name).await?;
        self.undo(Undo::Restore {
            id: found.id.clone(),
            name: name.clone(),
            was_running: found.running,
        });
        let aside = format!("{name}-replaced");
        engine.rename(&found.id, &aside).await?;
        self.retire(Obsolete::Container {
            id: found.id.clone(),
            name: aside,
        });
        Ok(())
    }

    async fn join(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        found: &ObservedContainer,
    ) -> Result<(), Error> {
        let Some(network) = &spec.network else {
            return Ok(());
        };
        let renewed = self.work.plan.step(&Target::Network(network.clone()));
        if renewed.is_some() || !found.networks.contains(network) {
            engine.join(network, &found.id, spec.service).await?;
        }
        Ok(())
    }

    async fn have_image(&self, engine: &Engine, spec: &ContainerSpec) -> Result<(), Error> {
        let present = engine.observer().has_image(&spec.image).await;
        let pull = self.work.decision.pull;
        if spec.service == Service::Hub || (present && pull != Pull::Always) {
            return Ok(());
        }
        if pull == Pull::Never {
            return Err(Error::ImageNotHere(spec.image.clone()));
        }
        let going = self.going(Activity::Pulling(spec.image.clone()));
        let configuration = &self.work.request.installation.docker.configuration;
        let pulled = self.wait(async {
            let login = match configuration {
                Some(folder) => credentials::find(&spec.image, folder).await,
                None => None,
            };
            let amount = |pulled: Pulled| going.amount(pulled.current, pulled.total);
            let pull = engine.pull(&spec.image, login.as_ref(), amount);
            Ok(pull.await?)
        });
        let pulled = pulled.await;
        going.end(pulled)
    }

    /// Waits for a container that runs, which is told only where it does not respond at once.
    pub(super) async fn await_found(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        id: &str,
    ) -> Result<(), Error> {
        let mut ready = std::pin::pin!(self.await_ready(engine, spec, id));
        match tokio::time::timeout(TELL_AFTER, &mut ready).await {
            Ok(ready) => ready,
            Err(_) => self.going(self.waiting(spec.service)).end(ready.await),
        }
    }

    /// Waits until a container responds as it should, within the time that is left.
    pub(super) async fn await_ready(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        id: &str,
    ) -> Result<(), Error> {
        let service = spec.service;
        let least = match service {
            Service::Hub => Instant::now() + HUB_WITHIN,
            _ => self.deadline,
        };
        let ready =
            ready::await_service(engine, self.work.decision, service, id, self.work.progress);
        let deadline = self.deadline.max(least).into();
        match tokio::time::timeout_at(deadline, self.wait(ready)).await {
            Ok(ready) => ready,
            Err(_) => Err(Error::NotReady {
                service,
                within: self.work.request.timeout,
                log: engine.observer().last_lines(id).await,
            }),
        }
    }
}
