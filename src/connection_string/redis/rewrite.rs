//! Connection strings written anew: with another server, in the right spelling, masked.

use super::super::keywords::Keyword;
use super::super::{Endpoint, masking};
use crate::secret::Secret;

/// Warnings about keywords that Harmony's own version does not know.
pub fn newer_keywords(text: &str) -> Vec<String> {
    let keywords = text.split(',').filter_map(|token| token.split_once('='));
    keywords
        .filter_map(|(key, _)| {
            let keyword = Keyword::named(key.trim())?;
            let needs = keyword.since?;
            Some(format!(
                "the keyword '{}' needs {needs}; Harmony's .NET hub has StackExchange.Redis 2.7.27 \
                 and would not start",
                keyword.name
            ))
        })
        .collect()
}

/// How StackExchange.Redis spells a URL or `Host=h;Port=p`, secrets masked.
pub fn respelt(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut option = |name: &str, value: &str| parts.push(format!("{name}={value}"));
    let address = if let Ok(url) = url::Url::parse(text.trim()) {
        if !matches!(url.scheme(), "redis" | "rediss" | "tcp") {
            return None;
        }
        if !url.username().is_empty() {
            option("user", url.username());
        }
        if url.password().is_some() {
            option("password", crate::secret::MASK);
        }
        if url.scheme() == "rediss" {
            option("ssl", "true");
        }
        let database = url.path().trim_matches('/');
        if database.parse::<u16>().is_ok_and(|number| number > 0) {
            option("defaultDatabase", database);
        }
        format!("{}:{}", url.host_str()?, url.port().unwrap_or(6379))
    } else {
        let (mut host, mut port) = (None, "6379");
        for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "host" | "server" | "endpoint" | "data source" => host = Some(value.trim()),
                "port" => port = value.trim(),
                "password" | "pwd" => option("password", crate::secret::MASK),
                "user" | "username" | "uid" => option("user", value.trim()),
                "ssl" | "usessl" => option("ssl", value.trim()),
                _ => {}
            }
        }
        let host = host?;
        if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:{port}")
        }
    };
    parts.insert(0, address);
    Some(parts.join(","))
}

/// The string with another first endpoint and password; every other option stays as it was.
pub fn rewrite(text: &str, endpoint: &Endpoint, password: Option<&Secret>) -> String {
    let mut parts = vec![endpoint.to_string()];
    for token in text
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty())
    {
        match token.split_once('=') {
            // What begins with `=` has no key, and so is an endpoint.
            Some((key, _)) if !key.is_empty() && !key.trim().eq_ignore_ascii_case("password") => {
                parts.push(token.to_owned())
            }
            _ => {}
        }
    }
    if let Some(password) = password {
        parts.push(format!("password={}", password.reveal()));
    }
    parts.join(",")
}

/// The string without its password.
pub fn without_password(text: &str) -> String {
    let is_password = |token: &&str| {
        let key = token.split_once('=').map_or("", |(key, _)| key.trim());
        key.eq_ignore_ascii_case("password")
    };
    let kept: Vec<_> = text
        .split(',')
        .filter(|token| !is_password(token))
        .collect();
    kept.join(",")
}

/// The string without what belongs to one server alone: who it knows, and the way to it.
pub fn without_credentials(text: &str) -> String {
    const OWN: [&str; 6] = [
        "user",
        "password",
        "serviceName",
        "sentinelUser",
        "sentinelPassword",
        "tunnel",
    ];
    let is_own = |token: &&str| {
        let key = token.split_once('=').map_or("", |(key, _)| key.trim());
        OWN.iter().any(|own| own.eq_ignore_ascii_case(key))
    };
    let kept: Vec<_> = text.split(',').filter(|token| !is_own(token)).collect();
    kept.join(",")
}

/// The string with its secrets masked, also where a password stands in a wrong place.
pub fn masked(text: &str) -> String {
    masking::redis(text)
}
