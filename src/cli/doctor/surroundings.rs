//! Checks of what surrounds a hub: proxies, limits of the kernel, port ranges.

use super::check::{Check, CheckStatus};
use crate::project::{HUB_URL, Project};
use crate::provision::ports::{RABBITMQ_PORT, REDIS_PORT};
use url::Url;

/// ASP.NET Core's file watchers take one each; with fewer, `dotnet watch` and editors fail.
const LITTLE_INOTIFY: u64 = 256;
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
/// Days before the end of a certificate that are worth a warning.
pub const SOON: i64 = 30;

pub fn checks(ports: &[u16]) -> Vec<Check> {
    let variable = |name: &str| {
        let either = std::env::var(name).or_else(|_| std::env::var(name.to_ascii_lowercase()));
        either.ok().filter(|value| !value.is_empty())
    };
    let mut checks = vec![proxies(variable)];
    checks.extend(inotify());
    checks.extend(ephemeral_ports(ports));
    checks
}

/// A proxy for everything is asked for this machine's own hub too.
fn proxies(variable: impl Fn(&str) -> Option<String>) -> Check {
    let set: Vec<_> = PROXIES
        .into_iter()
        .filter(|name| variable(name).is_some())
        .collect();
    let exempt = variable("NO_PROXY").unwrap_or_default();
    let is_exempt = exempt
        .split(',')
        .map(str::trim)
        .any(|host| host == "localhost" || host == "*");
    if set.is_empty() || is_exempt {
        return Check::ok(
            "machine",
            "proxies",
            "none stands before this machine's own hub",
        );
    }
    let message = format!(
        "{} sends also requests for localhost through a proxy",
        set.join(", ")
    );
    Check::new("machine", "proxies", CheckStatus::Warning, message)
        .fix("set NO_PROXY=localhost,127.0.0.1,::1")
}

/// `None` where the kernel has no such limit.
fn inotify() -> Option<Check> {
    let path = "/proc/sys/fs/inotify/max_user_instances";
    let limit: u64 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let message = format!("{limit} file watchers for a user");
    if limit >= LITTLE_INOTIFY {
        return Some(Check::ok("machine", "inotify", message));
    }
    let check = Check::new("machine", "inotify", CheckStatus::Warning, message);
    Some(check.fix(
        "Harmony's .NET applications may not start: \
         sudo sysctl -w fs.inotify.max_user_instances=1024",
    ))
}

/// The ports that `up` would take.
pub fn wanted_ports(project: Option<&Project>) -> Vec<u16> {
    let url = project.and_then(Project::hub_url);
    let hub = url.or_else(|| Url::parse(HUB_URL).ok());
    let hub = hub.and_then(|url| url.port_or_known_default());
    [REDIS_PORT, RABBITMQ_PORT].into_iter().chain(hub).collect()
}

/// Ports that the system lends to outgoing connections may be taken when a server wants them.
fn ephemeral_ports(ports: &[u16]) -> Option<Check> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = text.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(first)), Some(Ok(last))) = (bounds.next(), bounds.next()) else {
        return None;
    };
    Some(lent(ports, (first, last), |ports| {
        format!("keep them free: sudo sysctl -w net.ipv4.ip_local_reserved_ports={ports}")
    }))
}

/// Whether ports are among those that a system lends.
pub fn lent(ports: &[u16], (first, last): (u16, u16), fix: impl FnOnce(&str) -> String) -> Check {
    let lent: Vec<_> = ports
        .iter()
        .filter(|port| (first..=last).contains(*port))
        .map(ToString::to_string)
        .collect();
    if lent.is_empty() {
        let message = format!("outgoing connections use {first} to {last}, none of ours");
        return Check::ok("machine", "ports", message);
    }
    let lent = lent.join(",");
    let message = format!("outgoing connections may take {lent}: they use {first} to {last}");
    Check::new("machine", "ports", CheckStatus::Warning, message).fix(fix(&lent))
}
