//! Checks of this machine: disk, memory, `localhost`, our own files, variables.

use super::check::{Check, CheckStatus};
use crate::cli::context::Context;
use crate::platform::{self, advice};
use crate::provision::variables::overriding;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

const LITTLE_DISK: u64 = 2 << 30;
const NO_DISK: u64 = 200 << 20;
const LITTLE_MEMORY: u64 = 512 << 20;

pub fn checks(context: &Context) -> Vec<Check> {
    vec![
        system(),
        disk(context),
        memory(),
        localhost(),
        state(context),
        variables(),
    ]
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
        return Check::ok("machine", "disk", "cannot be measured here");
    };
    let message = format!("{} MB free at {}", free >> 20, place.display());
    match free {
        0..NO_DISK => Check::new("machine", "disk", CheckStatus::Failed, message)
            .fix("make room: settings and images could not be written"),
        NO_DISK..LITTLE_DISK => Check::new("machine", "disk", CheckStatus::Warning, message)
            .fix("make room for images and RabbitMQ's data: 2 GB"),
        _ => Check::ok("machine", "disk", message),
    }
}

fn memory() -> Check {
    let Some(bytes) = platform::available_memory() else {
        return Check::ok("machine", "memory", "cannot be measured here");
    };
    let message = format!("{} MB available", bytes >> 20);
    if bytes < LITTLE_MEMORY {
        return Check::new("machine", "memory", CheckStatus::Warning, message)
            .fix("RabbitMQ alone needs some 200 MB: stop what you do not need");
    }
    Check::ok("machine", "memory", message)
}

/// Settings say `localhost`: where that means nothing, or ::1 only, clients knock at the wrong
/// door.
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
            CheckStatus::Failed,
            "means ::1 only; containers are published on 127.0.0.1",
        )
        .fix(fix),
        (false, false) => {
            Check::new("machine", "localhost", CheckStatus::Failed, "means nothing").fix(fix)
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
            CheckStatus::Failed,
            format!("cannot write {}", there.display()),
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
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let found = overriding(&names.collect::<Vec<_>>());
    if found.is_empty() {
        return Check::ok("machine", "variables", "none overrides the settings");
    }
    Check::new(
        "machine",
        "variables",
        CheckStatus::Warning,
        format!(
            "{} override the settings for what is started by hand",
            found.join(", ")
        ),
    )
    .fix(advice::unset(&found))
}
