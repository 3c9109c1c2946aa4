//! Checks of Windows, and of Linux inside it (WSL): ports that Windows keeps, where the checkout
//! lies.

use super::check::{Check, CheckStatus};
use super::surroundings::lent;
use std::path::Path;
use std::process::{Command, Stdio};

/// Windows below WSL has the same program under this name.
const NETSH: &str = "netsh.exe";

pub fn checks(checkout: Option<&Path>, ports: &[u16]) -> Vec<Check> {
    let wsl = is_wsl();
    let mut checks = Vec::new();
    if wsl {
        checks.push(about_wsl(checkout));
    }
    if wsl || std::env::consts::OS == "windows" {
        checks.extend(kept_ports(ports));
        checks.extend(lent_ports(ports));
    }
    checks
}

pub fn is_wsl() -> bool {
    std::env::var_os("WSL_DISTRO_NAME").is_some()
        || kernel().to_ascii_lowercase().contains("microsoft")
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()
}

fn about_wsl(checkout: Option<&Path>) -> Check {
    let warning = |message| Check::new("machine", "WSL", CheckStatus::Warning, message);
    // The kernel of version 1 only pretends to be one.
    if kernel().trim_end().ends_with("-Microsoft") {
        let message = "this is WSL 1, which runs no Docker engine";
        return warning(message.to_owned()).fix("in PowerShell: wsl --set-version DISTRIBUTION 2");
    }
    match checkout.filter(|checkout| is_on_windows_drive(checkout)) {
        Some(checkout) => {
            let message = format!(
                "{} is on a Windows drive: slow from here, and no file watcher hears of changes",
                checkout.display()
            );
            warning(message).fix("keep the checkout in Linux's own file system, such as ~/Harmony")
        }
        None => Check::ok(
            "machine",
            "WSL",
            "WSL 2; Windows reaches what listens on localhost here",
        ),
    }
}

/// `/mnt/c/…`
fn is_on_windows_drive(path: &Path) -> bool {
    let mut parts = path.components().skip(1).map(|part| part.as_os_str());
    parts.next().is_some_and(|part| part == "mnt")
        && parts.next().is_some_and(|drive| drive.len() == 1)
}

/// Hyper-V and WSL keep ranges of ports, other ones after each restart: what is in them cannot be
/// used.
fn kept_ports(ports: &[u16]) -> Option<Check> {
    let text = netsh(&["excludedportrange", "protocol=tcp"])?;
    let ranges = text.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u16>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let ranges: Vec<_> = ranges.collect();
    let kept: Vec<_> = ports
        .iter()
        .filter_map(|port| {
            let range = ranges
                .iter()
                .find(|(first, last)| (first..=last).contains(&port))?;
            Some(format!("{port} (in {} to {})", range.0, range.1))
        })
        .collect();
    if kept.is_empty() {
        let message = "Windows keeps none of ours for itself";
        return Some(Check::ok("machine", "reserved ports", message));
    }
    let message = format!("Windows keeps {} for itself", kept.join(", "));
    let check = Check::new("machine", "reserved ports", CheckStatus::Warning, message);
    Some(check.fix(
        "as administrator: net stop winnat, netsh int ipv4 add excludedportrange protocol=tcp \
         startport=PORT numberofports=1, net start winnat; or choose other ports: \
         --redis-port, --rabbitmq-port, --hub-url",
    ))
}

/// Ports that Windows lends to outgoing connections.
fn lent_ports(ports: &[u16]) -> Option<Check> {
    let text = netsh(&["dynamicport", "tcp"])?;
    let mut numbers = text.lines().filter_map(|line| {
        let (_, number) = line.split_once(':')?;
        number.trim().parse::<u16>().ok()
    });
    let (first, count) = (numbers.next()?, numbers.next()?);
    let fix = "netsh int ipv4 set dynamicport tcp start=49152 num=16384";
    let last = first.saturating_add(count.saturating_sub(1));
    Some(Check {
        name: "Windows ports",
        ..lent(ports, (first, last), |_| format!("as administrator: {fix}"))
    })
}

fn netsh(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(NETSH);
    command.args(["interface", "ipv4", "show"]).args(arguments);
    let output = command.stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
