//! Checks of Redis, RabbitMQ and the hub: whether each responds as configured.

use super::check::{Check, CheckStatus};
use super::support;
use crate::appsettings::layers::Layers;
use crate::broker::Broker;
use crate::cli::context::Context;
use crate::cli::failure::port::is_dotnet_hub;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::containers::readiness::{NotReady, rabbitmq_version, redis_version};
use crate::hub::settings::{HubSettingsError, broker_address};
use crate::hub_client::HubClient;
use crate::hub_process;
use crate::instance::ServiceOrigin;
use crate::project::{HUB_URL, Project};
use crate::provision::ports::{PortAddress, PortState};
use crate::provision::world::World;
use std::time::Duration;
use url::Url;

/// No server is waited for any longer.
pub const WITHIN: Duration = Duration::from_secs(3);

pub fn checks(world: &World, layers: &Layers) -> Vec<Check> {
    vec![redis(world, layers), rabbitmq(world, layers)]
}

fn redis(world: &World, layers: &Layers) -> Check {
    if let Some(probe) = &world.redis {
        let endpoint = probe.asked.endpoints.first().map(ToString::to_string);
        let endpoint = endpoint.unwrap_or_default();
        return judge("Redis", &endpoint, world.known.redis, &probe.result);
    }
    match RedisOptions::parse(layers.get("RedisConnectionString")) {
        Err(_) if layers.get("RedisConnectionString").is_empty() => Check::ok(
            "servers",
            "Redis",
            "not configured: one hub alone needs none",
        ),
        Err(error) => {
            let failure = HubSettingsError::from(error).into();
            Check::failed("servers", "Redis", &failure)
        }
        Ok(_) => Check::ok("servers", "Redis", "not asked"),
    }
}

fn rabbitmq(world: &World, layers: &Layers) -> Check {
    match (&world.rabbitmq, broker_address(layers)) {
        (_, Err(error)) => Check::failed("servers", "RabbitMQ", &error.into()),
        (Some(probe), _) => {
            let endpoint = probe.asked.endpoint.to_string();
            let check = judge("RabbitMQ", &endpoint, world.known.rabbitmq, &probe.result);
            let error = probe.result.as_ref().err();
            match error.and_then(|error| error.rabbitmq_advice(&probe.asked)) {
                Some(advice) if check.status == CheckStatus::Failed => check.fix(advice),
                _ => check,
            }
        }
        (None, _) => Check::ok("servers", "RabbitMQ", "not asked"),
    }
}

/// Whether the makers of the servers still maintain their versions.
pub async fn versions(world: &World) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(probe) = world.redis.as_ref().filter(|probe| probe.result.is_ok()) {
        let version = redis_version(&probe.asked, WITHIN).await;
        checks.extend(version.and_then(|version| support::of_redis(&version)));
    }
    if let Some(probe) = world.rabbitmq.as_ref().filter(|probe| probe.result.is_ok()) {
        let version = rabbitmq_version(&probe.asked, WITHIN).await;
        checks.extend(version.and_then(|version| support::of_rabbitmq(&version)));
    }
    checks
}

/// Messages that were set aside; `None` where RabbitMQ is not asked or does not respond.
pub async fn rejected(world: &World) -> Option<Check> {
    let probe = world
        .rabbitmq
        .as_ref()
        .filter(|probe| probe.result.is_ok())?;
    let broker = Broker::connect(&probe.asked, "harmony doctor", WITHIN)
        .await
        .ok()?;
    let count = broker.rejected_count().await.ok();
    broker.close().await;
    match count? {
        0 => Some(Check::ok("servers", "rejected messages", "none")),
        count => {
            let message = format!("{count} messages could not be delivered");
            let check = Check::new(
                "servers",
                "rejected messages",
                CheckStatus::Warning,
                message,
            );
            Some(check.fix("'harmony rejected list' shows them with the reason"))
        }
    }
}

fn judge(
    name: &'static str,
    endpoint: &str,
    choice: ServiceOrigin,
    result: &Result<(), NotReady>,
) -> Check {
    let failed = |message| Check::new("servers", name, CheckStatus::Failed, message);
    match (result, choice) {
        (Ok(()), _) => Check::ok("servers", name, format!("responds at {endpoint}")),
        (Err(_), ServiceOrigin::Embedded) => {
            Check::ok("servers", name, "none: the hub does without")
        }
        (Err(_), ServiceOrigin::Unknown) => Check::ok(
            "servers",
            name,
            format!("does not respond at {endpoint} yet; 'harmony up' starts it"),
        ),
        (Err(NotReady::Refused), _) => failed(format!(
            "{endpoint} refuses the credentials of the settings"
        ))
        .fix("put the right ones into the settings; 'harmony up' repairs its own container"),
        (Err(error), _) => failed(format!("{endpoint} does not respond: {error}"))
            .fix("start it, or run 'harmony up'"),
    }
}

/// The port that the hub should listen on.
pub fn hub_port(project: Option<&Project>) -> Option<(PortAddress, u16)> {
    let url = hub_url(project?)?;
    Some((PortAddress::Localhost, url.port_or_known_default()?))
}

fn hub_url(project: &Project) -> Option<Url> {
    project.hub_url().or_else(|| Url::parse(HUB_URL).ok())
}

pub async fn hub(context: &Context, world: &World, project: &Project) -> Check {
    // An instance that is up listens where it was told to, also without a client's settings.
    let known = Url::parse(&world.known.hub_url)
        .ok()
        .filter(|_| project.hub_url().is_none());
    let Some(url) = known.or_else(|| hub_url(project)) else {
        return Check::ok("hub", "hub", "its address is not configured");
    };
    let process = world
        .hub
        .as_ref()
        .map(|running| format!("pid {}", running.pid));
    let container = world
        .found(Service::Hub)
        .map(|found| format!("container {}", found.name));
    match process.or(container) {
        Some(what) => responds(&url, &what).await,
        None if is_missing(context, world, &url) => {
            let message =
                format!("it ended, or this machine was restarted; it should respond at {url}");
            Check::new("hub", "hub", CheckStatus::Failed, message)
                .fix("'harmony up' starts it again; 'harmony logs hub' tells how it ended")
        }
        None => not_running(world, &url).await,
    }
}

/// Whether `up` started a hub that nobody stopped, and nobody else is in its place.
fn is_missing(context: &Context, world: &World, url: &Url) -> bool {
    let port = url.port_or_known_default().unwrap_or_default();
    let is_free = matches!(world.port(PortAddress::Localhost, port), PortState::Free);
    let is_up = !world.known.hub_url.is_empty();
    is_free && is_up && hub_process::was_started(&context.instance)
}

async fn responds(url: &Url, what: &str) -> Check {
    let error = match HubClient::connect(url, WITHIN).await {
        Ok(_) => return Check::ok("hub", "hub", format!("responds at {url} ({what})")),
        Err(error) => error,
    };
    let message = format!("it runs ({what}), but {url} does not respond: {error}");
    Check::new("hub", "hub", CheckStatus::Failed, message)
        .fix("look at 'harmony logs hub', then run 'harmony up'")
}

async fn not_running(world: &World, url: &Url) -> Check {
    let port = url.port_or_known_default().unwrap_or_default();
    let PortState::Taken(holder) = world.port(PortAddress::Localhost, port) else {
        let message = format!("not running; 'harmony up' starts it at {url}");
        return Check::ok("hub", "hub", message);
    };
    let holder = holder.as_ref().map(ToString::to_string);
    let holder = holder.unwrap_or_else(|| "another program".into());
    if HubClient::connect(url, WITHIN).await.is_ok() {
        let whose = match is_dotnet_hub(&holder) {
            true => "the .NET hub",
            false => "another hub",
        };
        let message = format!("{whose} responds at {url} ({holder})");
        return Check::new("hub", "hub", CheckStatus::Warning, message)
            .fix("to use it, run 'harmony up --hub none'; else stop it");
    }
    let message = format!("not running, and {holder} uses its port {port}");
    Check::new("hub", "hub", CheckStatus::Failed, message)
        .fix("stop that program, or give the hub another address: harmony up --hub-url URL")
}
