//! `harmony status`: what runs, where, since when, and whether it is healthy.

use super::context::Context;
use super::failure::Failure;
use super::report::{HubReport, Report, ServiceReport, State};
use crate::appsettings::layers::Layers;
use crate::connection_string::redis::{RedisOptions, masked};
use crate::containers::docker::{ObservedContainer, Observer};
use crate::containers::readiness::{ask_rabbitmq, ask_redis};
use crate::containers::{Service, container_name};
use crate::hub::settings::broker_address;
use crate::hub_client::HubClient;
use crate::hub_process::{self, Running};
use crate::instance::{self, Choice};
use crate::project::{ApplicationSettings, Scope};
use std::time::{Duration, Instant};
use url::Url;

const ASK_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct StatusArguments {
    /// Output format; env and dotnet-env print variables for a shell, with secrets
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Env,
    DotnetEnv,
}

pub async fn run(context: &Context, arguments: StatusArguments) -> Result<(), Failure> {
    let began = Instant::now();
    let state = context.instance.state()?;
    let running = hub_process::find(&context.instance)?;
    let containers = match context.surroundings.docker_host() {
        Ok(host) => match Observer::connect(&host).await {
            Ok(observer) => observer.containers(&context.instance.name).await?,
            Err(_) => Vec::new(),
        },
        Err(_) => Vec::new(),
    };
    let layers = match context.known_checkout() {
        Ok(checkout) => ApplicationSettings::read(
            &checkout.hub,
            &Scope::of(state_environment(context, &state.environment)),
        )?
        .layers(),
        Err(_) => Layers::default(),
    };
    let hub = hub(&state, running.as_ref(), &containers).await;
    let report = Report {
        instance: context.instance.name.clone(),
        changes: 0,
        hub,
        redis: redis(context, state.redis, &containers, &layers).await,
        rabbitmq: rabbitmq(context, &state, &containers, &layers).await,
        files: Vec::new(),
        steps: Vec::new(),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    match arguments.format {
        Format::Text => context.terminal.result(&report),
        Format::Json => context.terminal.json_result(&report),
        Format::Env | Format::DotnetEnv => {
            for (name, dotnet, value) in variables(&report, &layers) {
                let name = if arguments.format == Format::Env {
                    name
                } else {
                    dotnet
                };
                context
                    .terminal
                    .text(&format!("{name}={}", shell_quoted(&value)));
            }
        }
    }
    Ok(())
}

/// What scripts and other applications need to know: a name for shells, .NET's name, the value.
fn variables(report: &Report, layers: &Layers) -> Vec<(&'static str, &'static str, String)> {
    let mut variables = Vec::new();
    if let Some(url) = &report.hub.url {
        variables.push(("HARMONY_HUB_URL", "signalrHostUrl", url.clone()));
    }
    if report.redis.endpoint.is_some() {
        variables.push((
            "HARMONY_REDIS",
            "RedisConnectionString",
            layers.get("RedisConnectionString").to_owned(),
        ));
    }
    if let Some(address) = broker_address(layers)
        .ok()
        .filter(|_| report.rabbitmq.endpoint.is_some())
    {
        variables.extend([
            (
                "HARMONY_RABBITMQ_HOST",
                "BrokerConfiguration__Host",
                address.endpoint.host.clone(),
            ),
            (
                "HARMONY_RABBITMQ_PORT",
                "BrokerConfiguration__Port",
                address.endpoint.port.to_string(),
            ),
            (
                "HARMONY_RABBITMQ_USER",
                "BrokerConfiguration__Username",
                address.username.clone(),
            ),
            (
                "HARMONY_RABBITMQ_PASSWORD",
                "BrokerConfiguration__Password",
                address.password.reveal().to_owned(),
            ),
            (
                "HARMONY_RABBITMQ_VHOST",
                "BrokerConfiguration__VirtualHost",
                address.virtual_host.clone(),
            ),
        ]);
    }
    variables
}

/// A value that a shell takes as it is.
fn shell_quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+,".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

fn state_environment(context: &Context, known: &str) -> String {
    if known.is_empty() {
        context.environment.clone()
    } else {
        known.to_owned()
    }
}

async fn hub(
    state: &instance::State,
    running: Option<&Running>,
    containers: &[ObservedContainer],
) -> HubReport {
    let container = containers
        .iter()
        .find(|found| found.service == Service::Hub.name());
    let mut report = match (running, container) {
        (Some(running), _) => HubReport::of_process(running, state),
        (None, Some(found)) => {
            let started = u64::try_from(found.created).unwrap_or_default();
            HubReport::of_container(found.name.clone(), found.version.clone(), started, state)
        }
        (None, None) => return HubReport::new(State::Absent),
    };
    report.state = match container {
        Some(found) if running.is_none() && !found.running => State::Stopped,
        _ if answers(&state.hub_url).await => State::Running,
        _ => State::Unhealthy,
    };
    report
}

/// Whether a client could connect.
async fn answers(hub: &str) -> bool {
    let Ok(url) = Url::parse(hub) else {
        return false;
    };
    HubClient::connect(&url, ASK_WITHIN).await.is_ok()
}

async fn redis(
    context: &Context,
    choice: Choice,
    containers: &[ObservedContainer],
    layers: &Layers,
) -> ServiceReport {
    let text = layers.get("RedisConnectionString");
    let options = RedisOptions::parse(text).ok();
    let healthy = match &options {
        Some(options) => ask_redis(options, ASK_WITHIN).await.is_ok(),
        None => false,
    };
    let mut report = service(context, Service::Redis, choice, containers, healthy);
    if !matches!(report.state, State::Embedded | State::Absent) {
        report.endpoint = options.and_then(|options| options.endpoints.into_iter().next());
        report.connection_string = Some(masked(text));
    }
    report
}

async fn rabbitmq(
    context: &Context,
    state: &crate::instance::State,
    containers: &[ObservedContainer],
    layers: &Layers,
) -> ServiceReport {
    let address = broker_address(layers).ok();
    let healthy = match &address {
        Some(address) if state.rabbitmq != Choice::Embedded => {
            ask_rabbitmq(address, ASK_WITHIN).await.is_ok()
        }
        _ => false,
    };
    let mut report = service(
        context,
        Service::RabbitMq,
        state.rabbitmq,
        containers,
        healthy,
    );
    if !matches!(report.state, State::Embedded | State::Absent) {
        report.endpoint = address.map(|address| address.endpoint);
        report.management_url = report
            .container
            .as_ref()
            .map(|_| format!("http://127.0.0.1:{}", state.management_port));
    }
    report
}

fn service(
    context: &Context,
    service: Service,
    choice: Choice,
    containers: &[ObservedContainer],
    healthy: bool,
) -> ServiceReport {
    let found = containers
        .iter()
        .find(|found| found.service == service.name());
    let (state, drift) = match (choice, found) {
        (_, Some(found)) if !found.running => (
            State::Stopped,
            Some("the container is stopped; 'harmony up' starts it"),
        ),
        (_, Some(_)) if healthy => (State::Running, None),
        (_, Some(_)) => (
            State::Unhealthy,
            Some("it does not answer as the settings say"),
        ),
        (Choice::Container, None) => (
            State::Absent,
            Some("the container is gone; 'harmony up' makes it anew"),
        ),
        (Choice::External, None) if healthy => (State::External, None),
        (Choice::External, None) => (
            State::Unhealthy,
            Some("it does not answer at the configured address"),
        ),
        (Choice::Embedded, None) => (State::Embedded, None),
        (Choice::Unknown, None) => (State::Absent, None),
    };
    ServiceReport {
        container: found.map(|_| container_name(&context.instance.name, service)),
        image: found.map(|found| found.image.clone()),
        drift: drift.map(str::to_owned),
        ..ServiceReport::new(state)
    }
}
