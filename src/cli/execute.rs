//! Carrying out what `up` decided: settings first, then every step along the plan's edges; and undoing it where that
//! fails or is interrupted.

use super::answers::Pull;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::hosting::Hosting;
use super::ready;
use super::report::{FileReport, Report};
use super::up::Decided;
use crate::appsettings;
use crate::containers::docker::engine::{Created, Engine};
use crate::containers::{ContainerSpec, Service, credentials};
use crate::hub_process::{self, Running};
use crate::provision::plan::{Action, Step, Target};
use crate::tls;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const STOP_WITHIN: Duration = Duration::from_secs(15);
/// A hub gets this long to answer even where others used the time up.
const HUB_WITHIN: Duration = Duration::from_secs(5);
const SERVICES: [Service; 3] = [Service::Redis, Service::RabbitMq, Service::Hub];

/// A run of `up`, as far as it has come.
struct Work<'w> {
    context: &'w Context,
    decided: &'w Decided,
    engine: Option<Engine>,
    deadline: Instant,
    /// Something failed, or the user wants no more of it: nothing is waited for any longer.
    ended: CancellationToken,
    /// What this run made, to be unmade where it fails.
    made: Mutex<Vec<Created>>,
    /// Milliseconds that each target took.
    took: Mutex<Vec<(Target, u64)>>,
    running: Mutex<Option<Running>>,
}

/// Does what was decided. Settings come first, all or none: whatever happens later, the next run finds the
/// passwords that containers and volumes were made with. A failure undoes what this run made.
pub async fn execute(
    context: &Context,
    decided: Decided,
    began: Instant,
) -> Result<Report, Failure> {
    // Held until everything is done or undone: Ctrl-C waits for that.
    let _working = context.working.lock().await;
    let files: Vec<_> = decided.files.iter().map(FileReport::from).collect();
    let written = appsettings::write(&decided.files, &context.instance.backups())?;
    let writing = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let work = Work {
        context,
        decided: &decided,
        engine: decided.docker.clone().map(Engine::new),
        deadline: began + context.timeout,
        ended: context.interrupted.child_token(),
        made: Mutex::default(),
        took: Mutex::new(
            written
                .iter()
                .map(|path| (Target::File(path.clone()), writing))
                .collect(),
        ),
        running: Mutex::new(decided.running.clone()),
    };
    let result = work.carry_out().await;
    let Work {
        engine,
        made,
        took,
        running,
        ..
    } = work;
    if let Err(failure) = result {
        for created in made.into_inner().unwrap_or_default().iter().rev() {
            if let Some(engine) = &engine {
                engine.undo(created).await?;
            }
        }
        if !written.is_empty() {
            appsettings::change::undo(&context.instance.backups())?;
        }
        return Err(failure);
    }
    context.instance.remember(&decided.state)?;
    let running = running.into_inner().unwrap_or_default();
    Ok(Report::of(
        decided,
        running,
        files,
        &took.into_inner().unwrap_or_default(),
        began,
    ))
}

impl Work<'_> {
    async fn carry_out(&self) -> Result<(), Failure> {
        let unchanged = async {
            for service in SERVICES {
                let found = self
                    .decided
                    .found(service)
                    .filter(|_| self.decided.plan.step(&self.target(service)).is_none());
                if let (Some(spec), Some(found), Some(engine)) =
                    (self.decided.spec(service), found, &self.engine)
                {
                    self.await_ready(engine, spec, &found.id)
                        .await
                        .inspect_err(|_| self.ended.cancel())?;
                }
            }
            Ok(())
        };
        let act = async |step: &Step| {
            let began = Instant::now();
            // After a failure elsewhere nothing more is waited for.
            self.act(step).await.inspect_err(|_| self.ended.cancel())?;
            if let Ok(mut took) = self.took.lock() {
                took.push((
                    step.target.clone(),
                    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                ));
            }
            Ok(())
        };
        let (unchanged, changed) = tokio::join!(unchanged, self.decided.plan.apply(act));
        // The one that was only told to end says less.
        match (unchanged, changed) {
            (Err(failure), Ok(())) | (Ok(()), Err(failure)) => Err(failure),
            (Err(one), Err(other)) => Err(if one.is_interrupted() { other } else { one }),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    fn target(&self, service: Service) -> Target {
        Target::Container(crate::containers::container_name(
            &self.decided.instance,
            service,
        ))
    }

    async fn act(&self, step: &Step) -> Result<(), Failure> {
        if self.ended.is_cancelled() {
            return Err(Failure::interrupted());
        }
        match (&step.target, &self.engine) {
            // Written already, in one change with the others.
            (Target::File(_), _) => Ok(()),
            (Target::Hub, _) => self.run_hub(step).await,
            (Target::Network(name), Some(engine)) if step.action == Action::Remove => {
                Ok(engine.remove_network(name).await?)
            }
            (Target::Network(name), Some(engine)) => {
                if step.action == Action::Replace {
                    engine.remove_network(name).await?;
                }
                self.keep(engine.create_network(name, &self.decided.instance).await?)
            }
            (Target::Image(name), Some(engine)) => self.make_image(engine, name).await,
            (Target::Container(_), Some(engine)) => self.provide(engine, step).await,
            (
                Target::Volume(_) | Target::Network(_) | Target::Image(_) | Target::Container(_),
                _,
            ) => Ok(()),
        }
    }

    fn keep(&self, created: Created) -> Result<(), Failure> {
        if let Ok(mut made) = self.made.lock() {
            made.push(created);
        }
        Ok(())
    }

    /// Waits for something, unless the run ends before.
    async fn wait<T>(&self, what: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            result = what => result,
            () = self.ended.cancelled() => Err(Failure::interrupted()),
        }
    }

    async fn make_image(&self, engine: &Engine, name: &str) -> Result<(), Failure> {
        let Hosting::Container { image, .. } = &self.decided.hosting else {
            return Ok(());
        };
        let _step = self
            .context
            .terminal
            .step(format!("making the image {name}"));
        let archive = image.archive().map_err(|error| {
            Failure::new(Exit::Failed, "hubImage", "the hub's image can't be made")
                .why(error.to_string())
        })?;
        let older = engine.observer().own_images(&self.decided.instance).await?;
        self.keep(engine.import_image(name, archive).await?)?;
        // Those of earlier programs, where nothing runs from them any more.
        for image in older {
            engine.remove_image(&image).await?;
        }
        Ok(())
    }

    /// Brings one container to what is planned and waits until it answers.
    async fn provide(&self, engine: &Engine, step: &Step) -> Result<(), Failure> {
        let Some(service) = SERVICES
            .into_iter()
            .find(|service| self.target(*service) == step.target)
        else {
            return Ok(());
        };
        let (spec, found) = (self.decided.spec(service), self.decided.found(service));
        let id = match (step.action, found, spec) {
            (Action::Start, Some(found), Some(spec)) => {
                self.join(engine, spec, &found.id, &found.networks).await?;
                engine.start(&found.id, &spec.name()).await?;
                found.id.clone()
            }
            (Action::Edit, Some(found), Some(spec)) => {
                self.join(engine, spec, &found.id, &found.networks).await?;
                found.id.clone()
            }
            (_, found, spec) => {
                if let Some(spec) = spec {
                    // Before anything is stopped: what can't be had must not cost what is there.
                    self.have_image(engine, spec).await?;
                }
                if service == Service::Hub {
                    // A process of a run that was killed may be about to take the port.
                    hub_process::supervisor::end(&self.context.instance)?;
                }
                if let Some(found) = found {
                    if found.unfinished {
                        engine.observer().settle(&found.id).await;
                    }
                    engine.stop(&found.id, service.name()).await?;
                    engine.remove(&found.id, service.name()).await?;
                }
                let Some(spec) = spec else { return Ok(()) };
                let (id, created) = engine.create(spec).await?;
                self.keep(created)?;
                id
            }
        };
        let Some(spec) = spec else { return Ok(()) };
        let _step = self.context.terminal.step(format!(
            "waiting for {} at {}",
            service.name(),
            self.endpoint(service)
        ));
        self.await_ready(engine, spec, &id).await
    }

    async fn join(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        id: &str,
        networks: &[String],
    ) -> Result<(), Failure> {
        match &spec.network {
            Some(network)
                if !networks.contains(network)
                    || self
                        .decided
                        .plan
                        .step(&Target::Network(network.clone()))
                        .is_some() =>
            {
                Ok(engine.join(network, id, spec.service).await?)
            }
            _ => Ok(()),
        }
    }

    async fn have_image(&self, engine: &Engine, spec: &ContainerSpec) -> Result<(), Failure> {
        let present = engine.observer().has_image(&spec.image).await;
        if spec.service == Service::Hub || (present && self.decided.pull != Pull::Always) {
            return Ok(());
        }
        if self.decided.pull == Pull::Never {
            return Err(Failure::new(
                Exit::Failed,
                "imageUnavailable",
                format!("the image {} is not here", spec.image),
            )
            .why("--pull never forbids pulling it")
            .fix("load it with 'docker load', or allow pulling with --pull missing"));
        }
        let step = self
            .context
            .terminal
            .step(format!("pulling {}", spec.image));
        let configuration = self.context.surroundings.configuration.as_deref();
        let pull = async {
            let login = match configuration {
                Some(folder) => credentials::find(&spec.image, folder).await,
                None => None,
            };
            Ok(engine
                .pull(&spec.image, login.as_ref(), |pulled| {
                    step.amount(pulled.current, pulled.total)
                })
                .await?)
        };
        self.wait(pull).await
    }

    /// Waits until a container answers as it should, within the time that is left.
    async fn await_ready(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        id: &str,
    ) -> Result<(), Failure> {
        let least = if spec.service == Service::Hub {
            Instant::now() + HUB_WITHIN
        } else {
            self.deadline
        };
        let ready = tokio::time::timeout_at(
            self.deadline.max(least).into(),
            self.wait(ready::await_service(
                self.context,
                engine,
                self.decided,
                spec.service,
                id,
            )),
        )
        .await;
        match ready {
            Ok(ready) => ready,
            Err(_) => Err(Failure::new(
                Exit::NotReady,
                "serviceNotReady",
                format!(
                    "{} did not answer within {:?}",
                    spec.service.name(),
                    self.context.timeout
                ),
            )
            .why(format!(
                "its last lines:\n{}",
                engine.observer().last_lines(id).await
            ))
            .fix("allow more time with --timeout")),
        }
    }

    fn endpoint(&self, service: Service) -> String {
        match service {
            Service::Redis => self
                .decided
                .redis
                .options
                .iter()
                .flat_map(|options| &options.endpoints)
                .map(ToString::to_string)
                .next(),
            Service::RabbitMq => self
                .decided
                .rabbitmq
                .address
                .as_ref()
                .map(|address| address.endpoint.to_string()),
            Service::Hub => Some(self.decided.hub_url.to_string()),
        }
        .unwrap_or_default()
    }

    /// The hub as a process: stopped, started or both.
    async fn run_hub(&self, step: &Step) -> Result<(), Failure> {
        let instance = &self.context.instance;
        if let Some(running) = &self.decided.running {
            let _step = self.context.terminal.step("stopping the hub");
            hub_process::stop(instance, running, STOP_WITHIN).await?;
        }
        let running = match self
            .decided
            .hosting
            .process()
            .filter(|_| step.action != Action::Stop)
        {
            None => None,
            Some(launch) => {
                if launch.url.scheme() == "https" {
                    trust(self.context)?;
                }
                let _step = self
                    .context
                    .terminal
                    .step(format!("waiting for the hub at {}", self.decided.hub_url));
                let left = self
                    .deadline
                    .saturating_duration_since(Instant::now())
                    .max(HUB_WITHIN);
                Some(
                    self.wait(async { Ok(hub_process::launch(instance, launch, left).await?) })
                        .await?,
                )
            }
        };
        if let Ok(mut known) = self.running.lock() {
            *known = running;
        }
        Ok(())
    }
}

/// Says which certificate is used, and how to trust it.
fn trust(context: &Context) -> Result<(), Failure> {
    let kept = super::context::certificates()?;
    let certificate = tls::development_certificate(context.home.as_deref(), &kept)?;
    let path = certificate.source.path.display();
    context.terminal.note(&if certificate.by_dotnet {
        format!("HTTPS with ASP.NET Core's development certificate {path}; to trust it: dotnet dev-certs https --trust")
    } else {
        format!("HTTPS with a certificate made for localhost; to trust it: {}", crate::platform::advice::trust(&certificate.source.path))
    });
    Ok(())
}
