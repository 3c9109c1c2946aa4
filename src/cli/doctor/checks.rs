//! What `doctor` examines: this machine, Docker, the checkout and its settings, the servers, the hub.

use super::{Check, Status};
use crate::appsettings::layers::Layers;
use crate::cli::context::{Context, certificates};
use crate::cli::failure::Failure;
use crate::cli::hosting::hidden_variables;
use crate::connection_string::redis::RedisOptions;
use crate::containers::docker::{DockerError, Observer};
use crate::containers::ports;
use crate::containers::readiness::{NotReady, ask_foreign_rabbitmq, ask_redis};
use crate::hub::settings::{HubSettings, broker_address};
use crate::hub_client::HubClient;
use crate::hub_process;
use crate::instance::Choice;
use crate::platform::{self, advice};
use crate::project::{HUB_URL, Project};
use crate::{schema, tls};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// No probe takes longer.
const WITHIN: Duration = Duration::from_secs(3);
/// Engines that are older were never tried.
const OLDEST_ENGINE: (u32, u32) = (20, 10);
const LITTLE_DISK: u64 = 2 << 30;
const NO_DISK: u64 = 200 << 20;
const LITTLE_MEMORY: u64 = 512 << 20;

pub async fn all(context: &Context) -> Vec<Check> {
    let mut checks = vec![
        system(),
        disk(context),
        memory(),
        localhost(),
        state(context),
        variables(),
    ];
    checks.extend(docker(context).await);
    let settings = match read_settings(context) {
        Ok((settings, mut found)) => {
            checks.append(&mut found);
            Some(settings)
        }
        Err(failure) => {
            checks.push(Check::failed("settings", "settings", &failure));
            None
        }
    };
    if let Some(settings) = settings {
        let layers = settings.hub.layers();
        checks.extend(certificate(context, &settings, &layers));
        checks.push(authentication(&layers));
        checks.extend(servers(context, &layers).await);
        checks.push(hub(context, &settings).await);
    }
    checks
}

fn system() -> Check {
    let message = format!(
        "harmony {} on {}",
        env!("CARGO_PKG_VERSION"),
        platform::description()
    );
    Check::ok("machine", "platform", message)
}

fn disk(context: &Context) -> Check {
    let place = context
        .instance
        .folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    let Ok(free) = platform::free_space(place) else {
        return Check::ok("machine", "disk", "can't be measured here");
    };
    let message = format!("{} MB free at {}", free >> 20, place.display());
    match free {
        0..NO_DISK => Check::new("machine", "disk", Status::Failed, message)
            .fix("make room: settings and images could not be written"),
        NO_DISK..LITTLE_DISK => Check::new("machine", "disk", Status::Warning, message)
            .fix("make room for images and RabbitMQ's data: 2 GB"),
        _ => Check::ok("machine", "disk", message),
    }
}

fn memory() -> Check {
    let Some(bytes) = platform::available_memory() else {
        return Check::ok("machine", "memory", "can't be measured here");
    };
    let message = format!("{} MB available", bytes >> 20);
    if bytes < LITTLE_MEMORY {
        return Check::new("machine", "memory", Status::Warning, message)
            .fix("RabbitMQ alone wants some 200 MB: end what is not needed");
    }
    Check::ok("machine", "memory", message)
}

/// Settings say `localhost`: where that means nothing, or ::1 only, clients knock at the wrong door.
fn localhost() -> Check {
    let addresses: Vec<IpAddr> = ("localhost", 0)
        .to_socket_addrs()
        .map(|all| all.map(|address| address.ip()).collect())
        .unwrap_or_default();
    let (four, six) = (
        addresses.iter().any(IpAddr::is_ipv4),
        addresses.iter().any(IpAddr::is_ipv6),
    );
    let fix = format!(
        "put '127.0.0.1 localhost' and '::1 localhost' into {}",
        advice::HOSTS_FILE
    );
    match (four, six) {
        (true, true) => Check::ok("machine", "localhost", "means 127.0.0.1 and ::1"),
        (true, false) => Check::ok(
            "machine",
            "localhost",
            "means 127.0.0.1; there is no IPv6 for it",
        ),
        (false, true) => Check::new(
            "machine",
            "localhost",
            Status::Failed,
            "means ::1 only; containers are published on 127.0.0.1",
        )
        .fix(fix),
        (false, false) => {
            Check::new("machine", "localhost", Status::Failed, "means nothing").fix(fix)
        }
    }
}

fn state(context: &Context) -> Check {
    let folder = &context.instance.folder;
    let there = folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    if !platform::is_writable(there) {
        return Check::new(
            "machine",
            "own files",
            Status::Failed,
            format!("{} can't be written", there.display()),
        )
        .fix(format!(
            "make it writable, or set {} to a folder that is: {}",
            advice::STATE_VARIABLE,
            advice::make_writable(there)
        ));
    }
    match context.instance.state() {
        Ok(_) => Check::ok("machine", "own files", format!("in {}", folder.display())),
        Err(error) => Check::failed("machine", "own files", &error.into()),
    }
}

/// Variables of this shell that a hub in the foreground would obey, whatever the files say.
fn variables() -> Check {
    let found = hidden_variables();
    if found.is_empty() {
        return Check::ok("machine", "variables", "none overrides the settings");
    }
    Check::new(
        "machine",
        "variables",
        Status::Warning,
        format!(
            "{} override the settings for what is started by hand",
            found.join(", ")
        ),
    )
    .fix(advice::unset(&found))
}

async fn docker(context: &Context) -> Vec<Check> {
    let needed = context
        .instance
        .state()
        .is_ok_and(|state| [state.redis, state.rabbitmq].contains(&Choice::Container));
    let connected = match context.surroundings.docker_host() {
        Ok(host) => tokio::time::timeout(WITHIN, Observer::connect(&host))
            .await
            .unwrap_or(Err(DockerError::NotRunning {
                host: host.host.clone(),
                error: format!("no answer within {WITHIN:?}"),
            })),
        Err(error) => Err(error.into()),
    };
    let observer = match connected {
        Ok(observer) => observer,
        Err(error @ DockerError::NoSocket(_)) if !needed && context.surroundings.host.is_none() => {
            return vec![
                Check::new(
                    "Docker",
                    "engine",
                    Status::Warning,
                    format!("{error}; without it the hub runs embedded, alone in one process"),
                )
                .fix("install and start Docker"),
            ];
        }
        Err(error) => return vec![Check::failed("Docker", "engine", &error.into())],
    };
    let (version, clock) = match tokio::time::timeout(WITHIN, observer.version()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return vec![Check::failed("Docker", "engine", &error.into())],
        Err(_) => {
            return vec![
                Check::new(
                    "Docker",
                    "engine",
                    Status::Failed,
                    "it took a connection and does not answer",
                )
                .fix(advice::RESTART_DOCKER),
            ];
        }
    };
    let number = |part: usize| {
        version
            .split('.')
            .nth(part)
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or_default()
    };
    let mut checks = vec![if (number(0), number(1)) < OLDEST_ENGINE {
        Check::new(
            "Docker",
            "engine",
            Status::Warning,
            format!("version {version}"),
        )
        .fix("20.10 is the oldest that was tried: update it")
    } else {
        Check::ok("Docker", "engine", format!("version {version}"))
    }];
    if let Some(drift) = clock
        .as_deref()
        .and_then(seconds)
        .map(|there| there.abs_diff(i64::try_from(hub_process::now()).unwrap_or_default()))
    {
        checks.push(if drift > 5 {
            Check::new(
                "Docker",
                "clock",
                Status::Warning,
                format!("the engine's clock differs by {drift} s"),
            )
            .fix(advice::SYNCHRONIZE_CLOCK)
        } else {
            Check::ok("Docker", "clock", "the engine's clock is ours")
        });
    }
    checks.extend(free_ports(context, &observer).await);
    checks
}

/// Seconds since 1970 of a time in UTC.
fn seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (shifted_year, shifted_month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100
        + shifted_year / 400
        + (153 * shifted_month + 2) / 5
        + day
        - 1
        - 719_468;
    Some(days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?)
}

/// The ports that a first `up` would take.
async fn free_ports(context: &Context, observer: &Observer) -> Vec<Check> {
    if !observer
        .containers(&context.instance.name)
        .await
        .unwrap_or_default()
        .is_empty()
    {
        return Vec::new();
    }
    let mut checks = Vec::new();
    for (name, port) in [("Redis's port", 6379), ("RabbitMQ's port", 5672)] {
        checks.push(if ports::is_free_on_localhost(port) {
            Check::ok("Docker", name, format!("{port} is free"))
        } else {
            let container = observer.publisher(port).await.map(|name| format!("container {name}"));
            let holder = container.or_else(|| ports::holder(port)).unwrap_or_else(|| "somebody".into());
            Check::ok("Docker", name, format!("{port} is held by {holder}: used where it answers as configured, else another port is taken"))
        });
    }
    checks
}

fn read_settings(context: &Context) -> Result<(Project, Vec<Check>), Failure> {
    let checkout = context.find_checkout()?;
    let place = checkout.root.display();
    let mut checks = vec![if checkout.exists {
        Check::ok("settings", "checkout", place.to_string())
    } else {
        Check::ok(
            "settings",
            "checkout",
            format!("none here; 'harmony up' makes {place}"),
        )
    }];
    let settings = Project::read(&checkout, &context.scope())?;
    let violations: Vec<_> = settings
        .files()
        .iter()
        .flat_map(schema::all_violations)
        .collect();
    for violation in &violations {
        let status = if violation.severity == "error" {
            Status::Failed
        } else {
            Status::Warning
        };
        checks.push(
            Check::new("settings", "value", status, violation.to_string())
                .fix("correct the file; 'harmony settings validate' shows them all"),
        );
    }
    if violations.is_empty() {
        checks.push(Check::ok(
            "settings",
            "values",
            format!("all are valid for {}", context.environment),
        ));
    }
    if settings.client.is_none() {
        checks.push(
            Check::new(
                "settings",
                "client",
                Status::Warning,
                "no Harmony.Client is in reach",
            )
            .fix("point a published client at the hub: harmony rehost URL --client DIR"),
        );
    }
    Ok((settings, checks))
}

fn certificate(context: &Context, settings: &Project, layers: &Layers) -> Option<Check> {
    let url = settings.hub_url().or_else(|| Url::parse(HUB_URL).ok())?;
    if url.scheme() != "https" {
        return Some(Check::ok(
            "settings",
            "certificate",
            "none is needed: the hub is at a plain http address",
        ));
    }
    let read = HubSettings::read(layers, &context.environment, Path::new("."));
    if let Ok(settings) = &read
        && let Some(source) = settings.certificate()
    {
        return Some(match tls::acceptor(source) {
            Ok(_) => Check::ok("settings", "certificate", source.path.display().to_string()),
            Err(error) => Check::failed("settings", "certificate", &error.into()),
        });
    }
    let made = certificates().ok()?.join("localhost.pem");
    Some(if advice::is_trusted() {
        Check::ok(
            "settings",
            "certificate",
            "the development certificate is among this machine's own",
        )
    } else {
        let message = "a development certificate is used, which this machine does not trust: browsers will refuse it";
        Check::new("settings", "certificate", Status::Warning, message).fix(format!(
            "{}, or dotnet dev-certs https --trust where .NET made it",
            advice::trust(&made)
        ))
    })
}

fn authentication(layers: &Layers) -> Check {
    let on = !layers.get("Authentication:Jwt:Secret").is_empty();
    let message = if on {
        "clients must bring a token that Harmony.Api signed"
    } else {
        "off, as in Harmony: who reaches the hub may listen to any board whose id it knows"
    };
    Check::ok("settings", "authentication", message)
}

async fn servers(context: &Context, layers: &Layers) -> Vec<Check> {
    let state = context.instance.state().unwrap_or_default();
    let judge = |name: &'static str,
                 endpoint: String,
                 choice: Choice,
                 asked: Result<(), NotReady>| match (asked, choice) {
        (Ok(()), _) => Check::ok("servers", name, format!("answers at {endpoint}")),
        (Err(_), Choice::Embedded) => Check::ok("servers", name, "none: the hub does without"),
        (Err(_), Choice::Unknown) => Check::ok(
            "servers",
            name,
            format!("nothing answers at {endpoint} yet; 'harmony up' provides it"),
        ),
        (Err(NotReady::Refused), _) => Check::new(
            "servers",
            name,
            Status::Failed,
            format!("{endpoint} refuses the credentials that the settings have"),
        )
        .fix("put the right ones into the settings, or let 'harmony up' repair its own container"),
        (Err(error), _) => Check::new(
            "servers",
            name,
            Status::Failed,
            format!("{endpoint} does not answer: {error}"),
        )
        .fix("start it, or run 'harmony up'"),
    };
    let mut checks = Vec::new();
    match RedisOptions::parse(layers.get("RedisConnectionString")) {
        Ok(options) => {
            let asked = ask_redis(&options, WITHIN).await;
            checks.push(judge(
                "Redis",
                options.endpoints[0].to_string(),
                state.redis,
                asked,
            ));
        }
        Err(_) if layers.get("RedisConnectionString").is_empty() => checks.push(Check::ok(
            "servers",
            "Redis",
            "not configured: one hub alone needs none",
        )),
        Err(error) => checks.push(Check::failed(
            "servers",
            "Redis",
            &crate::hub::settings::HubSettingsError::from(error).into(),
        )),
    }
    match broker_address(layers) {
        Ok(address) => {
            let asked = ask_foreign_rabbitmq(&address, WITHIN).await;
            checks.push(judge(
                "RabbitMQ",
                address.endpoint.to_string(),
                state.rabbitmq,
                asked,
            ));
        }
        Err(error) => checks.push(Check::failed("servers", "RabbitMQ", &error.into())),
    }
    checks
}

async fn hub(context: &Context, settings: &Project) -> Check {
    let Some(url) = settings.hub_url().or_else(|| Url::parse(HUB_URL).ok()) else {
        return Check::ok("hub", "hub", "its address is not configured");
    };
    let running = match hub_process::find(&context.instance) {
        Ok(running) => running,
        Err(error) => return Check::failed("hub", "hub", &error.into()),
    };
    let in_container = context
        .instance
        .state()
        .is_ok_and(|state| state.hub_in_container);
    let what = running
        .map(|running| format!("pid {}", running.pid))
        .or(in_container.then(|| "a container".to_owned()));
    let port = url.port_or_known_default().unwrap_or_default();
    match what {
        Some(what) => match HubClient::connect(&url, WITHIN).await {
            Ok(_) => Check::ok("hub", "hub", format!("answers at {url} ({what})")),
            Err(error) => Check::new(
                "hub",
                "hub",
                Status::Failed,
                format!("it is {what}, but {url} does not answer: {error}"),
            )
            .fix("look at 'harmony logs hub', then 'harmony up'"),
        },
        None if !ports::is_free_on_localhost(port) => {
            let holder = ports::holder(port).unwrap_or_else(|| "somebody".into());
            Check::new(
                "hub",
                "hub",
                Status::Failed,
                format!("it does not run, and its port {port} is held by {holder}"),
            )
            .fix("stop the holder, or give the hub another address: harmony up --hub-url URL")
        }
        None => Check::ok(
            "hub",
            "hub",
            format!("does not run; 'harmony up' starts it at {url}"),
        ),
    }
}
