//! Checks of what surrounds a hub: proxies, forwarded headers, limits of the kernel, port ranges.

use super::check::{Check, CheckStatus};
use crate::appsettings::layers::Layers;
use crate::project::{HUB_URL, Project};
use crate::provision::ports::{RABBITMQ_PORT, REDIS_PORT};
use url::Url;

/// ASP.NET Core's file watchers take one each; with fewer, `dotnet watch` and editors fail.
const LITTLE_INOTIFY: u64 = 256;
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
/// Days before the end of a certificate that are worth a warning.
pub const SOON: i64 = 30;

pub fn checks(project: Option<&Project>, layers: Option<&Layers>) -> Vec<Check> {
    let variable = |name: &str| {
        let either = std::env::var(name).or_else(|_| std::env::var(name.to_ascii_lowercase()));
        either.ok().filter(|value| !value.is_empty())
    };
    let mut checks = vec![proxies(variable)];
    checks.extend(inotify());
    checks.extend(ephemeral_ports(project));
    checks.extend(layers.and_then(forwarded_headers));
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

/// Ports that the system lends to outgoing connections may be taken when a server wants them.
fn ephemeral_ports(project: Option<&Project>) -> Option<Check> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = text.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(first)), Some(Ok(last))) = (bounds.next(), bounds.next()) else {
        return None;
    };
    let url = project.and_then(Project::hub_url);
    let hub = url.or_else(|| Url::parse(HUB_URL).ok());
    let hub = hub.and_then(|url| url.port_or_known_default());
    let lent: Vec<_> = [Some(REDIS_PORT), Some(RABBITMQ_PORT), hub]
        .into_iter()
        .flatten()
        .filter(|port| (first..=last).contains(port))
        .map(|port| port.to_string())
        .collect();
    if lent.is_empty() {
        let message = format!("outgoing connections use {first} to {last}, none of ours");
        return Some(Check::ok("machine", "ports", message));
    }
    let lent = lent.join(",");
    let message = format!("outgoing connections may take {lent}: they use {first} to {last}");
    let check = Check::new("machine", "ports", CheckStatus::Warning, message);
    Some(check.fix(format!(
        "keep them free: sudo sysctl -w net.ipv4.ip_local_reserved_ports={lent}"
    )))
}

fn forwarded_headers(layers: &Layers) -> Option<Check> {
    let set = std::env::var("ASPNETCORE_FORWARDEDHEADERS_ENABLED").ok();
    let on = |text: &str| text.eq_ignore_ascii_case("true") || text == "1";
    // A list, or a text with commas.
    let named = ["KnownProxies", "KnownNetworks"].iter().any(|name| {
        let key = format!("ForwardedHeaders:{name}");
        !layers.get(&key).is_empty() || !layers.children(&key).is_empty()
    });
    if !set.as_deref().is_some_and(on) || named {
        return None;
    }
    let message = "ASPNETCORE_FORWARDEDHEADERS_ENABLED alone trusts every proxy: whoever reaches \
                   the hub can claim any address";
    let check = Check::new(
        "settings",
        "forwarded headers",
        CheckStatus::Warning,
        message,
    );
    Some(check.fix("name the proxies: ForwardedHeaders:KnownProxies"))
}
