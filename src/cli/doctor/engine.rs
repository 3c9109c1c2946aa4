//! Checks of the Docker engine: which one it is, its limits, clock, logs and disk, the usual ports.

use super::check::{Check, CheckStatus};
use super::windows;
use crate::containers::docker::{DockerError, EngineFacts, EngineProduct, Observer};
use crate::hub_process::now;
use crate::platform::{self, advice};
use crate::provision::look::Sight;
use crate::provision::ports::{PortAddress, PortState, RABBITMQ_PORT, REDIS_PORT};
use crate::provision::world::{EngineLook, World};
use std::path::Path;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Older engines were never tried.
const OLDEST_DOCKER: (u32, u32) = (20, 10);
const OLDEST_PODMAN: (u32, u32) = (4, 0);
/// Podman looks through its storage before it says anything.
const WITHIN: Duration = Duration::from_secs(10);
const CLOCK_DRIFT: u64 = 5;
const LITTLE_DISK: u64 = 2 << 30;
/// What our containers log by, whatever the engine's own choice is.
const LOG_DRIVER: &str = "json-file";
/// Whose containers go on after they sign out.
const LINGERING: &str = "/var/lib/systemd/linger";

/// The ports that a first `up` would take.
pub fn ports() -> Vec<(PortAddress, u16)> {
    [REDIS_PORT, RABBITMQ_PORT]
        .map(|port| (PortAddress::Localhost, port))
        .into()
}

pub async fn checks(sight: &Sight) -> Vec<Check> {
    let world = &sight.world;
    match (&world.engine, &sight.observer) {
        (EngineLook::Reachable(contents), Some(observer)) => {
            let mut checks = match ask(observer).await {
                Ok(facts) => about(&facts, world),
                Err(check) => vec![check],
            };
            if contents.containers.is_empty() {
                checks.extend(free_ports(world));
            }
            checks
        }
        (EngineLook::Unreachable(error), _) => {
            vec![Check::failed("Docker", "engine", &error.clone().into())]
        }
        (EngineLook::NotAsked, _) => {
            let message = "not needed: this instance runs without Redis and RabbitMQ";
            vec![Check::ok("Docker", "engine", message)]
        }
        _ => {
            let message = "not found; without it the hub runs embedded, alone in one process";
            let check = Check::new("Docker", "engine", CheckStatus::Warning, message);
            vec![check.fix(if windows::is_wsl() {
                "turn on this distribution in Docker Desktop's settings (Resources, WSL \
                 integration), or install and start Docker here"
            } else {
                "install and start Docker"
            })]
        }
    }
}

async fn ask(observer: &Observer) -> Result<EngineFacts, Check> {
    match tokio::time::timeout(WITHIN, observer.version()).await {
        Ok(Ok(version)) => Ok(observer.facts(&version).await),
        Ok(Err(error)) => Err(Check::failed("Docker", "engine", &error.into())),
        Err(_) => {
            let error = DockerError::NotRunning {
                host: "Docker's address".into(),
                error: format!("no response within {WITHIN:?}"),
            };
            let check = Check::failed("Docker", "engine", &error.into());
            Err(check.fix(advice::RESTART_DOCKER))
        }
    }
}

fn about(facts: &EngineFacts, world: &World) -> Vec<Check> {
    let is_local = world.other_machine.is_none();
    let mut checks = vec![version(facts)];
    checks.extend(rootless(facts).filter(|_| is_local));
    checks.push(limits(facts));
    checks.extend(clock(facts.clock.as_deref()));
    checks.push(logs(facts));
    checks.extend(disk(facts).filter(|_| is_local));
    checks
}

fn version(facts: &EngineFacts) -> Check {
    let mut numbers = facts
        .version
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    let version = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let oldest = match facts.product {
        EngineProduct::Podman => OLDEST_PODMAN,
        EngineProduct::Docker | EngineProduct::DockerDesktop => OLDEST_DOCKER,
    };
    let title = facts.product.title();
    let message = format!("{title}, version {}", facts.version);
    if version < oldest {
        let (major, minor) = oldest;
        return Check::new("Docker", "engine", CheckStatus::Warning, message).fix(format!(
            "update it: {major}.{minor} is the oldest version that was tried"
        ));
    }
    Check::ok("Docker", "engine", message)
}

/// An ordinary user's engine ends with the user's last session, unless that user lingers.
fn rootless(facts: &EngineFacts) -> Option<Check> {
    if !facts.is_rootless {
        return None;
    }
    let message = "it runs as an ordinary user, who can publish ports from 1024 on";
    let user = ["USER", "LOGNAME"].iter().find_map(std::env::var_os);
    let lingers = user.is_some_and(|user| Path::new(LINGERING).join(user).exists());
    if lingers || !Path::new("/run/systemd/system").exists() {
        return Some(Check::ok("Docker", "rootless", message));
    }
    let message = format!("{message}; containers end when that user signs out");
    let check = Check::new("Docker", "rootless", CheckStatus::Warning, message);
    Some(check.fix("let them go on: loginctl enable-linger"))
}

fn limits(facts: &EngineFacts) -> Check {
    if facts.enforces_limits {
        let message = "containers are kept to their memory and processes";
        return Check::ok("Docker", "limits", message);
    }
    let message = "the engine cannot keep containers to their memory and processes";
    let check = Check::new("Docker", "limits", CheckStatus::Warning, message);
    check.fix(
        "use cgroup version 2, and hand 'memory' and 'pids' to the user: systemctl edit \
         user@.service, Delegate=memory pids",
    )
}

fn clock(clock: Option<&str>) -> Option<Check> {
    let there = OffsetDateTime::parse(clock?, &Rfc3339)
        .ok()?
        .unix_timestamp();
    let drift = u64::try_from(there).ok()?.abs_diff(now());
    Some(if drift > CLOCK_DRIFT {
        let message = format!("the clock of the engine and its containers differs by {drift} s");
        let fix = if windows::is_wsl() {
            "in PowerShell: wsl --shutdown"
        } else {
            advice::SYNCHRONIZE_CLOCK
        };
        Check::new("Docker", "clock", CheckStatus::Warning, message).fix(fix)
    } else {
        let message = "the clock of the engine and its containers agrees with this machine's";
        Check::ok("Docker", "clock", message)
    })
}

fn logs(facts: &EngineFacts) -> Check {
    let known = &facts.log_drivers;
    // Podman takes the name for its own driver.
    let knows = facts.product == EngineProduct::Podman
        || known.is_empty()
        || known.iter().any(|driver| driver == LOG_DRIVER);
    if !knows {
        let message = format!("the engine has no log driver {LOG_DRIVER}");
        return Check::new("Docker", "logs", CheckStatus::Failed, message)
            .fix("enable it: containers cannot start without it");
    }
    let own = match facts.log_driver.as_str() {
        "" | LOG_DRIVER => String::new(),
        other => format!(", though the engine's own choice is {other}"),
    };
    let message = format!("containers keep 30 MB each by {LOG_DRIVER}{own}");
    Check::ok("Docker", "logs", message)
}

/// The disk of images and volumes, where it can be seen from here.
fn disk(facts: &EngineFacts) -> Option<Check> {
    let storage = facts.storage.as_deref().filter(|path| path.exists())?;
    let free = platform::free_space(storage).ok()?;
    let message = format!("{} MB free at {}", free >> 20, storage.display());
    if free < LITTLE_DISK {
        return Some(
            Check::new("Docker", "disk", CheckStatus::Warning, message)
                .fix("make room for images and RabbitMQ's data: docker system prune"),
        );
    }
    Some(Check::ok("Docker", "disk", message))
}

fn free_ports(world: &World) -> Vec<Check> {
    let named = [
        ("Redis's port", REDIS_PORT),
        ("RabbitMQ's port", RABBITMQ_PORT),
    ];
    let check = |(name, port)| match world.port(PortAddress::Localhost, port) {
        PortState::Taken(holder) => {
            let holder = holder.as_ref().map(ToString::to_string);
            let holder = holder.unwrap_or_else(|| "another program".into());
            let message = format!(
                "{holder} uses {port}: taken as the server if it responds as configured, else \
                 another port is used"
            );
            Check::ok("Docker", name, message)
        }
        _ => Check::ok("Docker", name, format!("{port} is free")),
    };
    named.map(check).into()
}
