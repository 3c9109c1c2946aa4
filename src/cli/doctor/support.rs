//! Whether the makers of a server still maintain its version, as they publish it.

use super::check::{Check, CheckStatus};

type Version = (u32, u32);

/// Since September 2024 RabbitMQ's makers maintain the newest series only; 4.1 ended in January
/// 2026.
const OLDEST_RABBITMQ: Version = (4, 2);

pub fn of_redis(text: &str) -> Option<Check> {
    let version = parse(text)?;
    // 7.0 and 8.0 ended when newer series of theirs came; 6.2, 7.2 and 7.4 still get fixes.
    let is_over = version < (6, 2) || matches!(version, (7, 0..=1) | (8, 0..=1));
    Some(judge("Redis version", text, is_over))
}

pub fn of_rabbitmq(text: &str) -> Option<Check> {
    let is_over = parse(text)? < OLDEST_RABBITMQ;
    Some(judge("RabbitMQ version", text, is_over))
}

fn judge(name: &'static str, version: &str, is_over: bool) -> Check {
    if !is_over {
        return Check::ok("servers", name, format!("{version}, which is maintained"));
    }
    let message = format!("{version}; its makers no longer maintain it");
    Check::new("servers", name, CheckStatus::Warning, message)
        .fix("move to a newer series; a Linux distribution may go on maintaining its own package")
}

fn parse(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}
