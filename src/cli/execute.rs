//! Carrying out what `up` decided: settings, containers, hub; and undoing it where that fails.

use super::answers::Pull;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::report::{FileReport, HubReport, Report, ServiceReport, State as ReportState, StepReport};
use super::up::Decided;
use crate::appsettings;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::masked;
use crate::containers::docker::{Created, Engine, Observer};
use crate::containers::readiness::{RabbitMqEnd, await_rabbitmq, await_redis};
use crate::containers::{ContainerSpec, Service, container_name, credentials};
use crate::hub_process::{self, Running};
use crate::instance::Choice;
use crate::plan::{Action, Step};
use crate::secret::Secret;
use crate::tls;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Milliseconds that each target took.
type Took = Mutex<Vec<(String, u64)>>;
/// What this run made, to be unmade where it fails.
type Made = Mutex<Vec<Created>>;

/// Does what was decided. Settings come first: whatever happens later, the next run finds the
/// passwords that containers and volumes were made with. A failure undoes what this run made.
pub async fn execute(context: &Context, decided: Decided, began: Instant) -> Result<Report, Failure> {
    let (took, made) = (Took::default(), Made::default());
    let writing = Instant::now();
    let files: Vec<_> = decided.files.iter().map(FileReport::from).collect();
    let written = appsettings::write(&decided.files, &context.instance.backups())?;
    record(&took, written.iter().map(|path| path.display().to_string()), writing);
    match carry_out(context, &decided, began + context.timeout, &took, &made).await {
        Ok(running) => {
            context.instance.remember(&decided.state)?;
            Ok(report(context, decided, running, files, &took, began))
        }
        Err(failure) => {
            let made = made.lock().map(|mut made| std::mem::take(&mut *made)).unwrap_or_default();
            if let Some(engine) = decided.docker.clone().map(Observer::into_engine) {
                for created in &made {
                    engine.undo(created).await?;
                }
            }
            if !written.is_empty() {
                appsettings::change::undo(&context.instance.backups())?;
            }
            Err(failure)
        }
    }
}

async fn carry_out(context: &Context, decided: &Decided, deadline: Instant, took: &Took, made: &Made) -> Result<Option<Running>, Failure> {
    if let Some(engine) = decided.docker.clone().map(Observer::into_engine) {
        let redis = provide(context, &engine, decided, Service::Redis, deadline, took, made);
        let rabbitmq = provide(context, &engine, decided, Service::RabbitMq, deadline, took, made);
        // Both are let finish, so that a failure of one leaves nothing half-made of the other.
        let (redis, rabbitmq) = tokio::join!(redis, rabbitmq);
        redis?;
        rabbitmq?;
    }
    run_hub(context, decided, deadline, took).await
}

fn record(took: &Took, targets: impl IntoIterator<Item = String>, since: Instant) {
    let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Ok(mut took) = took.lock() {
        took.extend(targets.into_iter().map(|target| (target, milliseconds)));
    }
}

/// Brings one service's container to what is planned and waits until it answers.
async fn provide(
    context: &Context,
    engine: &Engine,
    decided: &Decided,
    service: Service,
    deadline: Instant,
    took: &Took,
    made: &Made,
) -> Result<(), Failure> {
    let began = Instant::now();
    let name = container_name(&context.instance.name, service);
    let target = format!("container {name}");
    let step = decided.plan.steps.iter().find(|step| step.target == target);
    let existing = decided.containers.iter().find(|found| found.service == service.name());
    if let (Some(Step { action: Action::Remove | Action::Replace, .. }), Some(found)) = (step, existing) {
        engine.stop(&found.id, &name).await?;
        engine.remove(&found.id, &name).await?;
    }
    let spec = match service {
        Service::Redis => decided.redis.container.as_ref(),
        Service::RabbitMq => decided.rabbitmq.container.as_ref(),
    };
    let Some(spec) = spec else {
        record(took, step.map(|step| step.target.clone()), began);
        return Ok(());
    };
    let id = match (step.map(|step| step.action), existing) {
        (Some(Action::Start), Some(found)) => {
            engine.start(&found.id, &name).await?;
            found.id.clone()
        }
        (None, Some(found)) => found.id.clone(),
        _ => {
            let present = engine.observer().has_image(&spec.image).await;
            if !present && decided.pull == Pull::Never {
                return Err(Failure::new(Exit::Failed, "imageUnavailable", format!("the image {} is not here", spec.image))
                    .why("--pull never forbids pulling it")
                    .fix("load it with 'docker load', or allow pulling with --pull missing"));
            }
            if !present || decided.pull == Pull::Always {
                let step = context.terminal.step(format!("pulling {}", spec.image));
                let configuration = context.surroundings.configuration.as_deref();
                let credentials = configuration.and_then(|folder| credentials::find(&spec.image, folder));
                engine.pull(&spec.image, credentials.as_ref(), |pulled| step.amount(pulled.current, pulled.total)).await?;
            }
            let created = engine.create(spec).await?;
            let id = created.id.clone();
            if let Ok(mut made) = made.lock() {
                made.push(created);
            }
            id
        }
    };
    let waiting = step.map(|_| context.terminal.step(format!("waiting for {} at {}", service.name(), endpoint(decided, service))));
    let ready = tokio::time::timeout_at(deadline.into(), await_service(context, engine, decided, service, &id)).await;
    drop(waiting);
    match ready {
        Ok(ready) => ready?,
        Err(_) => {
            return Err(Failure::new(Exit::NotReady, "serviceNotReady", format!("{} did not answer within {:?}", service.name(), context.timeout))
                .why(format!("its last lines:\n{}", engine.observer().last_lines(&id).await))
                .fix("allow more time with --timeout"));
        }
    }
    record(took, step.map(|step| step.target.clone()), began);
    Ok(())
}

fn endpoint(decided: &Decided, service: Service) -> String {
    let endpoint = match service {
        Service::Redis => decided.redis.options.as_ref().and_then(|options| options.endpoints.first()),
        Service::RabbitMq => decided.rabbitmq.address.as_ref().map(|address| &address.endpoint),
    };
    endpoint.map(ToString::to_string).unwrap_or_default()
}

async fn await_service(context: &Context, engine: &Engine, decided: &Decided, service: Service, id: &str) -> Result<(), Failure> {
    let observer = engine.observer();
    let died = match (service, &decided.redis.options, &decided.rabbitmq.address) {
        (Service::Redis, Some(options), _) => await_redis(options, observer.await_end(id)).await.err(),
        (Service::RabbitMq, _, Some(address)) => match await_rabbitmq(address, observer.await_end(id)).await {
            Ok(()) => None,
            Err(RabbitMqEnd::Gone(code)) => Some(code),
            // Its volume was made with other credentials, which only it can change: then once more.
            Err(RabbitMqEnd::Refused) if repair_credentials(context, engine, id, address).await? => {
                match await_rabbitmq(address, observer.await_end(id)).await {
                    Ok(()) => None,
                    Err(RabbitMqEnd::Gone(code)) => Some(code),
                    Err(RabbitMqEnd::Refused) => return Err(credentials_refused()),
                }
            }
            Err(RabbitMqEnd::Refused) => return Err(credentials_refused()),
        },
        _ => None,
    };
    let Some(code) = died else { return Ok(()) };
    let log = observer.last_lines(id).await;
    Err(Failure::new(Exit::NotReady, "containerDied", format!("the {} container ended at once (exit code {code})", service.name()))
        .why(format!("its last lines:\n{log}")))
}

/// Gives RabbitMQ the user, password and virtual host that the settings have, by its own tool inside
/// its container; its data stays. False where that tool did not do it.
async fn repair_credentials(context: &Context, engine: &Engine, id: &str, address: &BrokerAddress) -> Result<bool, Failure> {
    context.terminal.warn(&format!(
        "RabbitMQ's volume was made with other credentials; its user '{}' gets those of the settings, and its data stays",
        address.username
    ));
    let nothing = Secret::default();
    let (user, virtual_host) = (address.username.as_str(), address.virtual_host.as_str());
    // Whichever of the two applies; the password is read, not given as an argument.
    let known = engine.run_inside(id, &["rabbitmqctl", "change_password", user], &address.password).await?;
    if !known && !engine.run_inside(id, &["rabbitmqctl", "add_user", user], &address.password).await? {
        return Ok(false);
    }
    engine.run_inside(id, &["rabbitmqctl", "set_user_tags", user, "administrator"], &nothing).await?;
    // One that is there already is not made anew.
    engine.run_inside(id, &["rabbitmqctl", "add_vhost", virtual_host], &nothing).await?;
    Ok(engine.run_inside(id, &["rabbitmqctl", "set_permissions", "-p", virtual_host, user, ".*", ".*", ".*"], &nothing).await?)
}

fn credentials_refused() -> Failure {
    Failure::new(Exit::NotReady, "credentialsRefused", "RabbitMQ refuses the user or the password")
        .why("its volume was made with other credentials than the settings have")
        .fix("put the earlier ones into BrokerConfiguration, or let the data go: harmony down --volumes")
}

async fn run_hub(context: &Context, decided: &Decided, deadline: Instant, took: &Took) -> Result<Option<Running>, Failure> {
    let began = Instant::now();
    let changes = decided.plan.steps.iter().any(|step| step.target == "hub");
    if !changes {
        return Ok(decided.running.clone());
    }
    if let Some(running) = &decided.running {
        let _step = context.terminal.step("stopping the hub");
        hub_process::stop(&context.instance, running, STOP_WITHIN).await?;
    }
    let Some(launch) = &decided.launch else {
        record(took, ["hub".to_owned()], began);
        return Ok(None);
    };
    if launch.url.scheme() == "https" {
        trust(context)?;
    }
    let _step = context.terminal.step(format!("waiting for the hub at {}", decided.hub_url));
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(5));
    let running = hub_process::launch(&context.instance, launch, left).await?;
    record(took, ["hub".to_owned()], began);
    Ok(Some(running))
}

/// Says which certificate is used, and how to trust it.
fn trust(context: &Context) -> Result<(), Failure> {
    let kept = super::context::certificates(context.home.as_deref())?;
    let certificate = tls::development_certificate(context.home.as_deref(), &kept)?;
    let path = certificate.source.path.display();
    context.terminal.note(&if certificate.by_dotnet {
        format!("HTTPS with ASP.NET Core's development certificate {path}; to trust it: dotnet dev-certs https --trust")
    } else {
        format!("HTTPS with a certificate made for localhost; to trust it: sudo cp '{path}' /usr/local/share/ca-certificates/harmony.crt && sudo update-ca-certificates")
    });
    Ok(())
}

fn report(
    context: &Context,
    decided: Decided,
    running: Option<Running>,
    files: Vec<FileReport>,
    took: &Took,
    began: Instant,
) -> Report {
    let took = took.lock().map(|took| took.clone()).unwrap_or_default();
    let milliseconds = |target: &str| took.iter().find(|(known, _)| known == target).map_or(0, |(_, milliseconds)| *milliseconds);
    let steps = decided.plan.steps.iter().map(|step| StepReport::done(step, milliseconds(&step.target))).collect();
    let state = |choice| match choice {
        Choice::Container => ReportState::Running,
        Choice::External => ReportState::External,
        Choice::Embedded | Choice::Unknown => ReportState::Embedded,
    };
    let container = |service, spec: Option<&ContainerSpec>| spec.map(|_| container_name(&context.instance.name, service));
    let image = |spec: Option<&ContainerSpec>| spec.map(|spec| spec.image.clone());
    let redis_text = decided.redis.connection_string.as_deref();
    Report {
        instance: context.instance.name.clone(),
        changes: decided.plan.changes,
        hub: HubReport {
            state: if running.is_some() { ReportState::Running } else { ReportState::Absent },
            url: running.as_ref().map(|_| decided.hub_url.as_str().trim_end_matches('/').to_owned()),
            pid: running.as_ref().map(|running| running.pid),
            version: running.as_ref().map(|running| running.version.clone()),
            started_at: running.as_ref().map(|running| running.started_at),
            admin_url: running.map(|running| running.admin_url),
        },
        redis: ServiceReport {
            endpoint: decided.redis.options.as_ref().and_then(|options| options.endpoints.first().cloned()),
            connection_string: redis_text.map(masked),
            container: container(Service::Redis, decided.redis.container.as_ref()),
            image: image(decided.redis.container.as_ref()),
            ..ServiceReport::new(state(decided.redis.choice))
        },
        rabbitmq: ServiceReport {
            endpoint: decided.rabbitmq.address.as_ref().map(|address| address.endpoint.clone()),
            container: container(Service::RabbitMq, decided.rabbitmq.container.as_ref()),
            image: image(decided.rabbitmq.container.as_ref()),
            management_url: decided.rabbitmq.container.as_ref().map(|_| format!("http://127.0.0.1:{}", decided.rabbitmq.management_port)),
            ..ServiceReport::new(state(decided.rabbitmq.choice))
        },
        files,
        steps,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
