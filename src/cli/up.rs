//! `harmony up`: settings, Redis and RabbitMQ, and the hub, brought to what is configured.

use super::answers::{Answers, HubChoice, Pull};
use super::context::Context;
use super::difference::Difference;
use super::execute;
use super::failure::{Exit, Failure};
use super::hosting::{self, Hosting};
use super::report::{DryRun, Report, State as ReportState};
use super::services::{RabbitMqDecision, RedisDecision, Surveyor};
use super::steps;
use crate::appsettings::{self, SettingsFile};
use crate::containers::docker::{ObservedContainer, Observer};
use crate::containers::{ContainerSpec, Service, network_name, ports};
use crate::hub_process::{self, Running};
use crate::instance::State;
use crate::project::{CacheAddress, HUB_URL, Project, parse_hub_url};
use crate::provision::plan::Plan;
use std::time::{Duration, Instant};
use url::Url;

const CACHES_LEFT_ALONE: &str = "Harmony's caches (CacheProvider: Redis) read HOST:PORT only, \
without password, TLS or IPv6; their RedisConnectionString was not changed";
/// How often a port may be snatched away between looking and using it.
const PORT_RACES: usize = 4;

const PORT_PAUSE: Duration = Duration::from_millis(300);

/// Everything decided, before anything is done.
pub struct Decided {
    pub files: Vec<SettingsFile>,
    pub redis: RedisDecision,
    pub rabbitmq: RabbitMqDecision,
    pub hub_url: Url,
    pub hosting: Hosting,
    /// The hub as a process, as it runs.
    pub running: Option<Running>,
    pub plan: Plan,
    pub pull: Pull,
    pub state: State,
    pub docker: Option<Observer>,
    /// What there was when it was decided.
    pub instance: String,
    pub containers: Vec<ObservedContainer>,
    pub networks: Vec<String>,
    pub has_own_image: bool,
}

impl Decided {
    pub fn found(&self, service: Service) -> Option<&ObservedContainer> {
        self.containers
            .iter()
            .find(|found| found.service == service.name())
    }

    /// A container as it should be.
    pub fn spec(&self, service: Service) -> Option<&ContainerSpec> {
        match service {
            Service::Redis => self.redis.container.as_ref(),
            Service::RabbitMq => self.rabbitmq.container.as_ref(),
            Service::Hub => self.hosting.container(),
        }
    }
}

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let _lock = if context.dry_run {
        None
    } else {
        Some(context.instance.lock()?)
    };
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
pub async fn bring_up(
    context: &Context,
    answers: &Answers,
    showing: Showing,
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut tries = 1..=PORT_RACES;
    loop {
        let decided = decide(context, answers).await?;
        if showing == Showing::PlanAndFiles {
            show_files(context, &decided.files);
        }
        if context.dry_run {
            context.terminal.result(&DryRun {
                plan: &decided.plan,
            });
            return pending(context, decided.plan.changes);
        }
        consent(context, &decided.plan).await?;
        answers.record(context)?;
        match execute::execute(context, decided, began).await {
            Ok(report) => return finish(context, &report),
            // Free when it was looked at, taken when it was used: another is chosen.
            Err(failure) if failure.is_port_in_use() && tries.next().is_some() => {
                tokio::time::sleep(PORT_PAUSE).await
            }
            Err(failure) => return Err(failure),
        }
    }
}

fn show_files(context: &Context, files: &[SettingsFile]) {
    for replacement in appsettings::replacements(files) {
        let before = replacement.before.unwrap_or_default();
        context
            .terminal
            .note(&Difference::of(&replacement.path, &before, &replacement.after).to_string());
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
        let already = if report.changes == 0 {
            "Nothing had to change. "
        } else {
            ""
        };
        context
            .terminal
            .note(&format!("{already}Next: harmony verify"));
    }
    Ok(())
}

fn pending(context: &Context, changes: usize) -> Result<(), Failure> {
    if context.detailed_exitcode && changes > 0 {
        return Err(Failure::new(
            Exit::ChangesPending,
            "changesPending",
            "changes are pending",
        )
        .shown());
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
    let missing = Failure::new(
        Exit::Usage,
        "answerMissing",
        "whether to go ahead has to be answered",
    )
    .why("there is no terminal to ask on")
    .fix("agree with --yes, or look first with --dry-run");
    context
        .agree("Go ahead?", true, missing, "nothing was changed")
        .await
}

async fn decide(context: &Context, arguments: &Answers) -> Result<Decided, Failure> {
    let known = context.instance.state()?;
    let checkout = context.find_checkout()?;
    let mut settings = Project::read(&checkout, &context.scope())?;
    settings.check()?;
    let layers = settings.hub.layers();
    let surveyor = Surveyor::look(context, arguments, &known).await?;
    let caches = settings.caches_in_redis();
    let mut redis = surveyor.redis(&layers, caches).await?;
    let mut rabbitmq = surveyor.rabbitmq(&layers).await?;

    let hub_url = match &arguments.hub_url {
        Some(url) => url.clone(),
        None => match settings.hub_url() {
            Some(url) => url,
            None => parse_hub_url(HUB_URL)
                .map_err(|error| Failure::new(Exit::Failed, "hubUrl", error))?,
        },
    };
    if let Some(text) = &redis.connection_string {
        settings.set_redis(text)?;
    }
    if let (true, Some(options)) = (caches, &redis.options)
        && settings.share_cache(options)? == CacheAddress::NotExpressible
    {
        context.terminal.warn(CACHES_LEFT_ALONE);
    }
    if let Some(address) = rabbitmq.address.as_ref().filter(|_| rabbitmq.write) {
        settings.set_broker(address)?;
    }
    if settings.hub_url().as_ref() != Some(&hub_url) {
        settings.set_hub_url(&hub_url)?;
    }
    if let Some(level) = &arguments.log_level {
        settings.set_log_level(level)?;
    }
    settings.check_changes()?;
    let files = settings.files();

    let mut state = State {
        checkout: checkout.root.clone(),
        environment: context.environment.clone(),
        hub_url: hub_url.to_string(),
        redis: redis.choice,
        rabbitmq: rabbitmq.choice,
        redis_port: redis.container.as_ref().map_or(0, ContainerSpec::port),
        rabbitmq_port: rabbitmq.container.as_ref().map_or(0, ContainerSpec::port),
        management_port: rabbitmq.management_port,
        admin_port: known.admin_port,
        redis_volume: redis
            .container
            .as_ref()
            .is_some_and(|spec| spec.volume.is_some()),
        hub_in_container: arguments
            .hub
            .map_or(known.hub_in_container, |hub| hub == HubChoice::Container),
        bind: arguments
            .bind
            .or(known.bind)
            .filter(|bind| !bind.is_loopback()),
    };
    let running = hub_process::find(&context.instance)?;
    let runs = running.is_some() || surveyor.found(Service::Hub).is_some();
    if state.admin_port == 0 || (!runs && !ports::is_free_on_localhost(state.admin_port)) {
        state.admin_port = ports::free_port()
            .map_err(|error| Failure::new(Exit::Failed, "noPort", error.to_string()))?;
    }
    let hosting = match arguments.hub {
        Some(HubChoice::None) => Hosting::None,
        _ if state.hub_in_container => {
            surveyor.demand_docker()?;
            let network = Some(network_name(&context.instance.name));
            [&mut redis.container, &mut rabbitmq.container]
                .into_iter()
                .flatten()
                .for_each(|spec| spec.network.clone_from(&network));
            hosting::container(
                context,
                &checkout,
                &settings.hub,
                &state,
                &hub_url,
                (&redis, &rabbitmq),
            )?
        }
        _ => Hosting::Process(hosting::process(
            context, &checkout, &files, &state, &hub_url,
        )),
    };
    if let Some(machine) = surveyor
        .other_machine
        .as_ref()
        .filter(|_| redis.container.is_some() || rabbitmq.container.is_some())
    {
        context.terminal.warn(&format!("Docker is at {machine}: Redis and RabbitMQ are published on its addresses, guarded by their passwords alone"));
    }
    if let Some(bind) = state.bind {
        context.terminal.warn(&format!("Redis and RabbitMQ are published on {bind}: who reaches that address reaches them, guarded by their passwords alone"));
    }
    let Surveyor {
        docker,
        containers,
        networks,
        ..
    } = surveyor;
    let docker = docker.ok().flatten();
    let has_own_image = match (&docker, &hosting) {
        (Some(observer), Hosting::Container { image, .. }) => observer.has_image(&image.name).await,
        _ => false,
    };
    if hosting.process().is_some() && !runs {
        ports::settle(hub_url.port_or_known_default().unwrap_or_default()).await;
    }
    let mut decided = Decided {
        files,
        redis,
        rabbitmq,
        hub_url,
        hosting,
        running,
        plan: Plan::default(),
        pull: arguments.pull.unwrap_or_default(),
        state,
        docker,
        instance: context.instance.name.clone(),
        containers,
        networks,
        has_own_image,
    };
    decided.plan = steps::plan(&decided)?;
    Ok(decided)
}
