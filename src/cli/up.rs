//! `harmony up`: settings, Redis and RabbitMQ, and the hub, brought to what is configured.

use super::answers::{Answers, HubChoice, Pull};
use super::context::Context;
use super::difference::Difference;
use super::execute;
use super::failure::{Exit, Failure, port_in_use};
use super::report::{DryRun, Report, State as ReportState};
use super::services::{RabbitMqDecision, RedisDecision, Surveyor};
use super::wanted::{Application, Settings};
use crate::appsettings::document::NewValue;
use crate::appsettings::layers::Layers;
use crate::appsettings::{self, SettingsFile};
use crate::checkout::Checkout;
use crate::connection_string::redis::RedisOptions;
use crate::containers::docker::{Found, Observer};
use crate::containers::{ContainerSpec, Service, container_name, ports};
use crate::hub_process::{self, Launch, Running};
use crate::instance::{Choice, State};
use crate::plan::{Action, Plan};
use crate::schema;
use std::time::Instant;
use url::Url;

/// Harmony's own default.
pub const HUB_URL: &str = "https://localhost:7262";
const LOG_LEVELS: [&str; 2] = ["Serilog:MinimumLevel:Default", "Serilog:MinimumLevel"];
/// How often a port may be snatched away between looking and using it.
const PORT_RACES: usize = 4;

/// Everything decided, before anything is done.
pub struct Decided {
    pub files: Vec<SettingsFile>,
    pub redis: RedisDecision,
    pub rabbitmq: RabbitMqDecision,
    pub hub_url: Url,
    pub launch: Option<Launch>,
    pub running: Option<Running>,
    pub plan: Plan,
    pub pull: Pull,
    pub state: State,
    pub docker: Option<Observer>,
    /// What there was when it was decided.
    pub containers: Vec<Found>,
}

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let _lock = if context.dry_run { None } else { Some(context.instance.lock()?) };
    let answers = flags.gather(context)?;
    bring_up(context, &answers, Showing::Plan).await
}

/// What is shown before it is agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    Plan,
    /// Also what becomes of each file, line by line.
    PlanAndFiles,
}

/// Decides, shows, asks, and does it.
pub async fn bring_up(context: &Context, answers: &Answers, showing: Showing) -> Result<(), Failure> {
    let began = Instant::now();
    let mut tries = 1..=PORT_RACES;
    loop {
        let decided = decide(context, answers).await?;
        if showing == Showing::PlanAndFiles {
            show_files(context, &decided.files);
        }
        if context.dry_run {
            context.terminal.result(&DryRun { plan: &decided.plan });
            return pending(context, decided.plan.changes);
        }
        consent(context, &decided.plan).await?;
        answers.record(context)?;
        match execute::execute(context, decided, began).await {
            Ok(report) => return finish(context, &report),
            // Free when it was looked at, taken when it was used: another is chosen.
            Err(failure) if failure.is_port_in_use() && tries.next().is_some() => {}
            Err(failure) => return Err(failure),
        }
    }
}

fn show_files(context: &Context, files: &[SettingsFile]) {
    for replacement in appsettings::replacements(files) {
        let before = replacement.before.unwrap_or_default();
        context.terminal.note(&Difference::of(&replacement.path, &before, &replacement.after).to_string());
    }
}

fn finish(context: &Context, report: &Report) -> Result<(), Failure> {
    context.terminal.result(report);
    if [report.redis.state, report.rabbitmq.state] == [ReportState::Embedded; 2] {
        context.terminal.note(
            "Embedded: one process, without Redis and RabbitMQ. For the real thing install and start Docker, then run 'harmony up' again.",
        );
    }
    if report.hub.url.is_some() {
        let already = if report.changes == 0 { "Nothing had to change. " } else { "" };
        context.terminal.note(&format!("{already}Next: harmony verify"));
    }
    Ok(())
}

fn pending(context: &Context, changes: usize) -> Result<(), Failure> {
    if context.detailed_exitcode && changes > 0 {
        return Err(Failure::new(Exit::ChangesPending, "changesPending", "changes are pending").shown());
    }
    Ok(())
}

/// Shows the plan and has it agreed to.
async fn consent(context: &Context, plan: &Plan) -> Result<(), Failure> {
    if plan.changes == 0 {
        return Ok(());
    }
    if !context.terminal.json {
        context.terminal.note(&plan.to_string());
    }
    if context.yes {
        return Ok(());
    }
    let missing = Failure::new(Exit::Usage, "answerMissing", "whether to go ahead has to be answered")
        .why("there is no terminal to ask on")
        .fix("agree with --yes, or look first with --dry-run");
    context.agree("Go ahead?", true, missing, "nothing was changed").await
}

async fn decide(context: &Context, arguments: &Answers) -> Result<Decided, Failure> {
    let known = context.instance.state()?;
    let (checkout, exists) = context.find_checkout()?;
    let mut settings = Settings::read(&checkout, exists, &context.environment, context.only_environment)?;
    for file in settings.files() {
        schema::check(&file)?;
    }
    let layers = settings.hub.layers();
    let surveyor = Surveyor::look(context, arguments, &known).await?;
    let caches = settings.others.iter().any(Application::caches_in_redis);
    let redis = surveyor.redis(&layers, caches).await?;
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
    if let (true, Some(options)) = (caches, &redis.options) {
        share_cache(context, &mut settings.others, options)?;
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
    if settings.hub_url().as_ref() != Some(&hub_url) {
        settings.set_hub_url(&hub_url)?;
    }
    let (key, present) = log_level(&layers);
    if let Some(level) = arguments.log_level.as_deref().filter(|level| *level != present) {
        settings.hub.set(key, NewValue::Text(level.to_owned()))?;
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
        bind: arguments.bind.or(known.bind).filter(|bind| !bind.is_loopback()),
    };
    let running = hub_process::find(&context.instance)?;
    if state.admin_port == 0 || (running.is_none() && !ports::is_free_on_localhost(state.admin_port)) {
        state.admin_port = ports::free_port().map_err(|error| Failure::new(Exit::Failed, "noPort", error.to_string()))?;
    }
    let launch = match arguments.hub.unwrap_or(HubChoice::Process) {
        HubChoice::Process => Some(launch(context, &checkout, &files, &state, &hub_url)),
        HubChoice::None => None,
    };
    if let Some(machine) = surveyor.other_machine.as_ref().filter(|_| redis.container.is_some() || rabbitmq.container.is_some()) {
        context.terminal.warn(&format!("Docker is at {machine}: Redis and RabbitMQ are published on its addresses, guarded by their passwords alone"));
    }
    if let Some(bind) = state.bind {
        context.terminal.warn(&format!("Redis and RabbitMQ are published on {bind}: who reaches that address reaches them, guarded by their passwords alone"));
    }
    let mut plan = Plan::default();
    plan_files(&mut plan, &files);
    plan_container(&mut plan, &surveyor, Service::Redis, redis.container.as_ref());
    plan_container(&mut plan, &surveyor, Service::RabbitMq, rabbitmq.container.as_ref());
    plan_hub(&mut plan, launch.as_ref(), running.as_ref())?;
    let (docker, containers) = (surveyor.docker.ok().flatten(), surveyor.containers);
    Ok(Decided { files, redis, rabbitmq, hub_url, launch, running, plan, pull: arguments.pull.unwrap_or_default(), state, docker, containers })
}

/// The key of the hub's log level, which Serilog reads in two forms, and its value.
pub fn log_level(layers: &Layers) -> (&'static str, &str) {
    let set = LOG_LEVELS.into_iter().map(|key| (key, layers.get(key))).find(|(_, level)| !level.is_empty());
    set.unwrap_or((LOG_LEVELS[0], "Information"))
}

/// Gives Harmony's caches the address of Redis, where it has a form that they can parse.
fn share_cache(context: &Context, others: &mut [Application], options: &RedisOptions) -> Result<(), Failure> {
    let Some(endpoint) = options.endpoints.first() else { return Ok(()) };
    if options.password.is_some() || options.tls || endpoint.host.contains(':') {
        context.terminal.warn(
            "Harmony's caches (CacheProvider: Redis) take HOST:PORT only, without password, TLS or IPv6; their RedisConnectionString was left alone",
        );
        return Ok(());
    }
    for application in others.iter_mut().filter(|application| application.caches_in_redis()) {
        application.set("RedisConnectionString", NewValue::Text(endpoint.to_string()))?;
    }
    Ok(())
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
            plan.add(Action::Edit, target, "its settings are to change");
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
        (Some(_), Some(found)) if found.unfinished => plan.add(Action::Replace, target, "it was never started"),
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
    let fingerprint = crate::hex::encode(&digest.finish().as_ref()[..16]);
    arguments.extend(["--background".into(), context.instance.folder.display().to_string(), "--fingerprint".into(), fingerprint.clone()]);
    Launch { url: hub_url.clone(), admin_url, fingerprint, arguments, hidden_variables: hidden_variables() }
}

/// Variables of this shell that would override what the files say.
pub fn hidden_variables() -> Vec<String> {
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

pub fn parse_hub_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("{error}; an address such as {HUB_URL} is expected"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https are possible".into());
    }
    if url.port() == Some(0) {
        return Err("a hub can't be found at port 0".into());
    }
    Ok(url)
}

