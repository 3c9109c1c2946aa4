//! `harmony up`: settings, Redis and RabbitMQ, and the hub, brought to what is configured.

use super::context::Context;
use super::failure::{Exit, Failure, port_in_use};
use super::report::{DryRun, FileReport, HubReport, Report, ServiceReport, State as ReportState, StepReport};
use super::services::{Asked, RabbitMqDecision, RedisDecision, Surveyor};
use super::wanted::Settings;
use crate::appsettings::document::NewValue;
use crate::appsettings::{self, SettingsFile};
use crate::checkout::Checkout;
use crate::connection_string::redis::masked;
use crate::containers::docker::{Engine, Observer};
use crate::containers::readiness::{RabbitMqEnd, await_rabbitmq, await_redis};
use crate::containers::{ContainerSpec, Service, container_name, ports};
use crate::hub_process::{self, Launch, Running};
use crate::instance::{Choice, State};
use crate::plan::{Action, Plan, Step};
use crate::{schema, tls};

use std::sync::Mutex;
use std::time::{Duration, Instant};
use url::Url;

/// Harmony's own default.
const HUB_URL: &str = "https://localhost:7262";
const STOP_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub struct UpArguments {
    /// Redis: container, HOST:PORT or none [default: what answers at the configured address, else a container]
    #[arg(long, value_name = "WHERE", value_parser = Asked::parse_redis)]
    pub redis: Option<Asked>,
    /// RabbitMQ: container, HOST:PORT or embedded [default: what answers at the configured address, else a container]
    #[arg(long, value_name = "WHERE", value_parser = Asked::parse_rabbitmq)]
    pub rabbitmq: Option<Asked>,
    /// The hub: process or none
    #[arg(long, value_enum, default_value = "process")]
    pub hub: HubChoice,
    /// Where clients find the hub; changes the client's settings and where the hub listens
    #[arg(long, value_name = "URL", value_parser = parse_hub_url)]
    pub hub_url: Option<Url>,
    /// The port that Redis is published on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub redis_port: Option<u16>,
    /// The port that RabbitMQ is published on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub rabbitmq_port: Option<u16>,
    /// [default: redis:7-alpine]
    #[arg(long, value_name = "IMAGE")]
    pub redis_image: Option<String>,
    /// [default: rabbitmq:3-management-alpine]
    #[arg(long, value_name = "IMAGE")]
    pub rabbitmq_image: Option<String>,
    /// A registry that has the images, such as localhost:5000
    #[arg(long, value_name = "REGISTRY")]
    pub image_registry: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HubChoice {
    Process,
    None,
}

/// Everything decided, before anything is done.
struct Decided {
    files: Vec<SettingsFile>,
    redis: RedisDecision,
    rabbitmq: RabbitMqDecision,
    hub_url: Url,
    launch: Option<Launch>,
    running: Option<Running>,
    plan: Plan,
    state: State,
    docker: Option<Observer>,
}

pub async fn run(context: &Context, arguments: UpArguments) -> Result<(), Failure> {
    let began = Instant::now();
    let _lock = if context.dry_run { None } else { Some(context.instance.lock()?) };
    let decided = decide(context, &arguments).await?;
    if context.dry_run {
        context.terminal.result(&DryRun { plan: &decided.plan });
        return pending(context, decided.plan.changes);
    }
    consent(context, &decided.plan)?;
    if decided.redis.choice == Choice::Embedded && decided.rabbitmq.choice == Choice::Embedded {
        context.terminal.note(
            "Embedded: one process, without Redis and RabbitMQ. For the real thing install and start Docker, then run 'harmony up' again.",
        );
    }
    let report = execute(context, decided, began).await?;
    context.terminal.result(&report);
    if !context.terminal.json && report.hub.url.is_some() {
        let already = if report.changes == 0 { "Nothing had to change. " } else { "" };
        context.terminal.note(&format!("{already}Next: harmony verify"));
    }
    pending(context, report.changes)
}

fn pending(context: &Context, changes: usize) -> Result<(), Failure> {
    if context.detailed_exitcode && context.dry_run && changes > 0 {
        return Err(Failure::new(Exit::ChangesPending, "changesPending", "changes are pending").shown());
    }
    Ok(())
}

/// Shows the plan and has it agreed to.
fn consent(context: &Context, plan: &Plan) -> Result<(), Failure> {
    if plan.changes == 0 {
        return Ok(());
    }
    if !context.terminal.json {
        context.terminal.note(&plan.to_string());
    }
    if context.yes {
        return Ok(());
    }
    if context.terminal.json || !crate::terminal::can_ask() {
        return Err(Failure::new(Exit::Usage, "answerMissing", "whether to go ahead has to be answered")
            .why("there is no terminal to ask on")
            .fix("agree with --yes, or look first with --dry-run"));
    }
    match crate::terminal::prompt::confirm("Go ahead?", true) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Failed, "declined", "nothing was changed")),
        None => Err(Failure::interrupted()),
    }
}

async fn decide(context: &Context, arguments: &UpArguments) -> Result<Decided, Failure> {
    let known = context.instance.state()?;
    let (checkout, exists) = context.find_checkout()?;
    let mut settings = Settings::read(&checkout, exists, &context.environment, context.only_environment)?;
    for file in settings.files() {
        schema::check(&file)?;
    }
    let layers = settings.hub.layers();
    let surveyor = Surveyor::look(context, arguments, &known).await?;
    let redis = surveyor.redis(&layers).await?;
    let rabbitmq = surveyor.rabbitmq(&layers).await?;

    let hub_url = match &arguments.hub_url {
        Some(url) => url.clone(),
        None => match settings.hub_url() {
            Some(url) => url,
            None => parse_hub_url(HUB_URL).map_err(|error| Failure::new(Exit::Failed, "hubUrl", error))?,
        },
    };
    if let Some(text) = &redis.connection_string {
        settings.hub.set("RedisConnectionString", NewValue::Text(text.clone()))?;
    }
    if let Some(address) = rabbitmq.address.as_ref().filter(|_| rabbitmq.write) {
        let virtual_host = Some(address.virtual_host.clone()).filter(|name| name != "/");
        for application in std::iter::once(&mut settings.hub).chain(&mut settings.others) {
            let mut set = |name: &str, value| application.set(&format!("BrokerConfiguration:{name}"), value);
            set("Host", NewValue::Text(address.endpoint.host.clone()))?;
            set("Port", NewValue::Integer(address.endpoint.port.into()))?;
            set("Username", NewValue::Text(address.username.clone()))?;
            set("Password", NewValue::Text(address.password.reveal().to_owned()))?;
            if let Some(name) = &virtual_host {
                set("VirtualHost", NewValue::Text(name.clone()))?;
            }
        }
    }
    if arguments.hub_url.is_some() || settings.hub_url().is_none() {
        settings.set_hub_url(&hub_url)?;
    }
    let files = settings.files();
    for file in files.iter().filter(|file| file.is_changed()) {
        schema::check(file)?;
        appsettings::check_access(&file.path)?;
    }

    let mut state = State {
        checkout: checkout.root.clone(),
        environment: context.environment.clone(),
        hub_url: hub_url.to_string(),
        redis: redis.choice,
        rabbitmq: rabbitmq.choice,
        redis_port: redis.container.as_ref().map_or(0, published),
        rabbitmq_port: rabbitmq.container.as_ref().map_or(0, published),
        management_port: rabbitmq.management_port,
        admin_port: known.admin_port,
    };
    let running = hub_process::find(&context.instance)?;
    if state.admin_port == 0 || (running.is_none() && !ports::is_free_on_localhost(state.admin_port)) {
        state.admin_port = ports::free_port().map_err(|error| Failure::new(Exit::Failed, "noPort", error.to_string()))?;
    }
    let launch = match arguments.hub {
        HubChoice::Process => Some(launch(context, &checkout, &files, &state, &hub_url)),
        HubChoice::None => None,
    };
    let mut plan = Plan::default();
    plan_files(&mut plan, &files);
    plan_container(&mut plan, &surveyor, Service::Redis, redis.container.as_ref());
    plan_container(&mut plan, &surveyor, Service::RabbitMq, rabbitmq.container.as_ref());
    plan_hub(&mut plan, launch.as_ref(), running.as_ref())?;
    let docker = surveyor.docker.ok().flatten();
    Ok(Decided { files, redis, rabbitmq, hub_url, launch, running, plan, state, docker })
}

fn published(spec: &ContainerSpec) -> u16 {
    spec.ports.first().map_or(0, |(_, port)| *port)
}

fn plan_files(plan: &mut Plan, files: &[SettingsFile]) {
    for file in files.iter().filter(|file| file.is_changed()) {
        let target = file.path.display().to_string();
        if file.is_new() {
            plan.add(Action::Create, target, "there are no settings yet");
        } else {
            plan.add(Action::Edit, target, "it says something else");
        }
    }
}

fn plan_container(plan: &mut Plan, surveyor: &Surveyor<'_>, service: Service, wanted: Option<&ContainerSpec>) {
    let name = container_name(&surveyor.context.instance.name, service);
    let target = format!("container {name}");
    match (wanted, surveyor.found(service)) {
        (Some(_), None) => plan.add(Action::Create, target, "it is not there"),
        (Some(spec), Some(found)) if found.hash != spec.hash() => {
            let cause = if found.image == spec.image {
                "its configuration changed".to_owned()
            } else {
                format!("image changed from {} to {}", found.image, spec.image)
            };
            plan.add(Action::Replace, target, cause);
        }
        (Some(_), Some(found)) if !found.running => plan.add(Action::Start, target, "it is stopped"),
        (Some(_), Some(_)) | (None, None) => {}
        (None, Some(_)) => plan.add(Action::Remove, target, "it is no longer wanted"),
    }
}

fn plan_hub(plan: &mut Plan, launch: Option<&Launch>, running: Option<&Running>) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match (launch, running) {
        (Some(launch), None) => {
            let port = launch.url.port_or_known_default().unwrap_or_default();
            if !ports::is_free_on_localhost(port) {
                return Err(port_in_use(port, ports::holder(port).as_deref()));
            }
            plan.add(Action::Launch, "hub", "none runs");
        }
        (Some(launch), Some(running)) if running.fingerprint != launch.fingerprint => {
            let cause = if running.version == version {
                "its settings changed".to_owned()
            } else {
                format!("version changed from {} to {version}", running.version)
            };
            plan.add(Action::Replace, "hub", cause);
        }
        (None, Some(_)) => plan.add(Action::Stop, "hub", "it is no longer wanted"),
        _ => {}
    }
    Ok(())
}

/// How the hub is started for what was decided.
fn launch(context: &Context, checkout: &Checkout, files: &[SettingsFile], state: &State, hub_url: &Url) -> Launch {
    let admin_url = format!("http://127.0.0.1:{}", state.admin_port);
    let mut arguments = vec![
        "--settings".to_owned(),
        checkout.hub.display().to_string(),
        format!("--environment={}", state.environment),
        format!("--urls={}", listen_url(hub_url)),
        format!("--Admin:Url={admin_url}"),
    ];
    if state.redis == Choice::Embedded {
        arguments.push("--redis=none".into());
    }
    if state.rabbitmq == Choice::Embedded {
        arguments.push("--rabbitmq=embedded".into());
    }
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(format!("{} {arguments:?}", env!("CARGO_PKG_VERSION")).as_bytes());
    for file in files.iter().filter(|file| file.path.starts_with(&checkout.hub)) {
        digest.update(&file.document.to_bytes());
    }
    let fingerprint: String = digest.finish().as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    arguments.extend(["--background".into(), context.instance.folder.display().to_string(), "--fingerprint".into(), fingerprint.clone()]);
    Launch { url: hub_url.clone(), admin_url, fingerprint, arguments, hidden_variables: hidden_variables() }
}

/// Variables of this shell that would override what the files say.
fn hidden_variables() -> Vec<String> {
    const DECIDED: [&str; 8] = [
        "RedisConnectionString", "BrokerConfiguration__", "BrokerConfiguration:", "ASPNETCORE_URLS", "URLS", "HTTP_PORTS",
        "HTTPS_PORTS", "Kestrel__Endpoints",
    ];
    let decided = |name: &str| DECIDED.iter().any(|prefix| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)));
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| decided(name)).collect()
}

/// Where the hub listens for clients that use a URL: on its address where it is one, else on this machine only.
fn listen_url(hub: &Url) -> String {
    let port = hub.port_or_known_default().unwrap_or(443);
    match hub.host() {
        Some(host @ (url::Host::Ipv4(_) | url::Host::Ipv6(_))) => format!("{}://{host}:{port}", hub.scheme()),
        _ => format!("{}://localhost:{port}", hub.scheme()),
    }
}

/// Milliseconds that each target took.
type Took = Mutex<Vec<(String, u64)>>;

async fn execute(context: &Context, decided: Decided, began: Instant) -> Result<Report, Failure> {
    let took = Took::default();
    let deadline = began + context.timeout;
    if let Some(observer) = &decided.docker {
        let engine = observer.clone().into_engine();
        let redis = provide(context, &engine, &decided, Service::Redis, decided.redis.container.as_ref(), deadline, &took);
        let rabbitmq = provide(context, &engine, &decided, Service::RabbitMq, decided.rabbitmq.container.as_ref(), deadline, &took);
        // Both are let finish, so that a failure of one leaves nothing half-made of the other.
        let (redis, rabbitmq) = tokio::join!(redis, rabbitmq);
        if redis.is_err() || rabbitmq.is_err() {
            for id in [&redis, &rabbitmq].into_iter().filter_map(|result| result.as_ref().ok()?.clone()) {
                engine.remove(&id, "it").await?;
            }
        }
        redis?;
        rabbitmq?;
    }
    let writing = Instant::now();
    let files: Vec<_> = decided.files.iter().map(FileReport::from).collect();
    let written = appsettings::write(&decided.files, &context.instance.backups())?;
    record(&took, written.iter().map(|path| path.display().to_string()), writing);
    context.instance.remember(&decided.state)?;
    let running = run_hub(context, &decided, deadline, &took).await?;
    Ok(report(context, decided, running, files, &took, began))
}

fn record(took: &Took, targets: impl IntoIterator<Item = String>, since: Instant) {
    let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Ok(mut took) = took.lock() {
        took.extend(targets.into_iter().map(|target| (target, milliseconds)));
    }
}

/// Brings one service's container to what is planned and waits until it answers. Returns the id of
/// a container that did not exist before.
async fn provide(
    context: &Context,
    engine: &Engine,
    decided: &Decided,
    service: Service,
    spec: Option<&ContainerSpec>,
    deadline: Instant,
    took: &Took,
) -> Result<Option<String>, Failure> {
    let began = Instant::now();
    let name = container_name(&context.instance.name, service);
    let target = format!("container {name}");
    let step = decided.plan.steps.iter().find(|step| step.target == target);
    let existing = engine.observer().containers(&context.instance.name).await?.into_iter().find(|found| found.service == service.name());
    if let (Some(Step { action: Action::Remove | Action::Replace, .. }), Some(found)) = (step, &existing) {
        engine.stop(&found.id, &name).await?;
        engine.remove(&found.id, &name).await?;
    }
    let Some(spec) = spec else {
        record(took, step.map(|step| step.target.clone()), began);
        return Ok(None);
    };
    let (id, new) = match (step.map(|step| step.action), existing) {
        (Some(Action::Start), Some(found)) => {
            engine.start(&found.id, &name).await?;
            (found.id, None)
        }
        (None, Some(found)) => (found.id, None),
        _ => {
            if !engine.observer().has_image(&spec.image).await {
                let step = context.terminal.step(format!("pulling {}", spec.image));
                engine.pull(&spec.image, |pulled| step.amount(pulled.current, pulled.total)).await?;
            }
            let id = engine.create(spec).await?;
            (id.clone(), Some(id))
        }
    };
    let waiting = step.map(|_| context.terminal.step(format!("waiting for {} at {}", service.name(), endpoint(decided, service))));
    let ready = tokio::time::timeout_at(deadline.into(), await_service(engine, decided, service, &id)).await;
    drop(waiting);
    let failure = match ready {
        Ok(Ok(())) => {
            record(took, step.map(|step| step.target.clone()), began);
            return Ok(new);
        }
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(Exit::NotReady, "serviceNotReady", format!("{} did not answer within {:?}", service.name(), context.timeout))
            .why(format!("its last lines:\n{}", engine.observer().last_lines(&id).await))
            .fix("allow more time with --timeout"),
    };
    if let Some(id) = new {
        engine.remove(&id, &name).await?;
    }
    Err(failure)
}

fn endpoint(decided: &Decided, service: Service) -> String {
    let endpoint = match service {
        Service::Redis => decided.redis.options.as_ref().and_then(|options| options.endpoints.first()),
        Service::RabbitMq => decided.rabbitmq.address.as_ref().map(|address| &address.endpoint),
    };
    endpoint.map(ToString::to_string).unwrap_or_default()
}

async fn await_service(engine: &Engine, decided: &Decided, service: Service, id: &str) -> Result<(), Failure> {
    let observer = engine.observer();
    let died = match (service, &decided.redis.options, &decided.rabbitmq.address) {
        (Service::Redis, Some(options), _) => await_redis(options, observer.await_end(id)).await.err(),
        (Service::RabbitMq, _, Some(address)) => match await_rabbitmq(address, observer.await_end(id)).await {
            Ok(()) => None,
            Err(RabbitMqEnd::Gone(code)) => Some(code),
            Err(RabbitMqEnd::Refused) => {
                return Err(Failure::new(Exit::NotReady, "credentialsRefused", "RabbitMQ refuses the user or the password")
                    .why("its volume was made with other credentials than the settings have")
                    .fix("put the earlier ones into BrokerConfiguration, or let the data go: harmony down --volumes"));
            }
        },
        _ => None,
    };
    let Some(code) = died else { return Ok(()) };
    let log = observer.last_lines(id).await;
    Err(Failure::new(Exit::NotReady, "containerDied", format!("the {} container ended at once (exit code {code})", service.name()))
        .why(format!("its last lines:\n{log}")))
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

fn parse_hub_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("{error}; an address such as {HUB_URL} is expected"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https are possible".into());
    }
    if url.port() == Some(0) {
        return Err("a hub can't be found at port 0".into());
    }
    Ok(url)
}

