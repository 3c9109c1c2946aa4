//! Attacks by who may publish, by Redis peers, by web pages and by other users of the machine.

mod admin;
mod answers;
mod aside;
#[cfg(unix)]
mod broker_tls;
mod certificate;
#[cfg(unix)]
mod checkout;
mod envelope;
mod holdings;
#[cfg(unix)]
mod machine;
mod messages;
mod proxies;
mod random;
mod redis_peer;
mod requests;
mod tokens;

use crate::harness::program::Hub;

/// Kilobytes of a hub: now (`VmRSS`), or its peak (`VmHWM`).
pub fn memory(hub: &Hub, what: &str) -> u64 {
    let path = format!("/proc/{}/status", hub.program.pid());
    let status = std::fs::read_to_string(path).expect("a process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(what))
        .expect("a size");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}
