//! Checks of the Docker engine: whether it responds, its version, its clock, the usual ports.

use super::check::{Check, CheckStatus};
use crate::containers::docker::{DockerError, Observer};
use crate::hub_process::now;
use crate::platform::advice;
use crate::provision::look::Sight;
use crate::provision::ports::{PortAddress, PortState, RABBITMQ_PORT, REDIS_PORT};
use crate::provision::world::{EngineLook, World};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Older engines were never tried.
const OLDEST_ENGINE: (u32, u32) = (20, 10);
const WITHIN: Duration = Duration::from_secs(3);
const CLOCK_DRIFT: u64 = 5;

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
            let mut checks = about_version(observer).await;
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
            vec![check.fix("install and start Docker")]
        }
    }
}

async fn about_version(observer: &Observer) -> Vec<Check> {
    let (version, clock) = match tokio::time::timeout(WITHIN, observer.version()).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return vec![Check::failed("Docker", "engine", &error.into())],
        Err(_) => {
            let error = DockerError::NotRunning {
                host: "Docker's address".into(),
                error: format!("no response within {WITHIN:?}"),
            };
            let check = Check::failed("Docker", "engine", &error.into());
            return vec![check.fix(advice::RESTART_DOCKER)];
        }
    };
    let number = |part: usize| {
        let part = version.split('.').nth(part);
        part.and_then(|part| part.parse::<u32>().ok())
            .unwrap_or_default()
    };
    let message = format!("version {version}");
    let engine = if (number(0), number(1)) < OLDEST_ENGINE {
        Check::new("Docker", "engine", CheckStatus::Warning, message)
            .fix("update it: 20.10 is the oldest version that was tried")
    } else {
        Check::ok("Docker", "engine", message)
    };
    std::iter::once(engine)
        .chain(about_clock(clock.as_deref()))
        .collect()
}

fn about_clock(clock: Option<&str>) -> Option<Check> {
    let there = OffsetDateTime::parse(clock?, &Rfc3339)
        .ok()?
        .unix_timestamp();
    let drift = u64::try_from(there).ok()?.abs_diff(now());
    Some(if drift > CLOCK_DRIFT {
        let message = format!("the engine's clock differs by {drift} s");
        Check::new("Docker", "clock", CheckStatus::Warning, message).fix(advice::SYNCHRONIZE_CLOCK)
    } else {
        Check::ok(
            "Docker",
            "clock",
            "the engine's clock agrees with this machine's",
        )
    })
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
