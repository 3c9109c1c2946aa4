//! Connection strings and URLs as they may be shown: hosts, ports and harmless options, nothing
//! else.

use super::Endpoint;
use super::keywords::Keyword;
use crate::secret::MASK;

/// Options of databases and services that give nothing away.
const HARMLESS: [&str; 34] = [
    "server",
    "host",
    "hostname",
    "data source",
    "datasource",
    "address",
    "addr",
    "port",
    "database",
    "initial catalog",
    "dbname",
    "user id",
    "userid",
    "uid",
    "user",
    "username",
    "encrypt",
    "trustservercertificate",
    "trusted_connection",
    "integrated security",
    "ssl mode",
    "sslmode",
    "pooling",
    "timeout",
    "connection timeout",
    "connect timeout",
    "multipleactiveresultsets",
    "accountname",
    "defaultendpointsprotocol",
    "endpointsuffix",
    "endpoint",
    "virtualhost",
    "vhost",
    "ssl",
];
/// Words in an option's name whose value is a secret.
const SECRET: [&str; 10] = [
    "password",
    "pwd",
    "accountkey",
    "accesskey",
    "secret",
    "token",
    "apikey",
    "signature",
    "sig",
    "credential",
];

/// A value whose key says that it is a connection string.
pub fn connection_string(text: &str) -> String {
    if let Some(shown) = url(text) {
        return shown;
    }
    if text.contains(';') {
        return options(text, ';');
    }
    redis(text)
}

/// Any other value: only what has the shape of a secret is masked.
pub fn any_text(text: &str) -> String {
    if let Some(shown) = url(text) {
        return shown;
    }
    for separator in [';', ','] {
        let names_secret = |part: &str| {
            part.split_once('=')
                .is_some_and(|(name, _)| is_secret(name))
        };
        if text.split(separator).any(names_secret) {
            return if separator == ',' {
                redis(text)
            } else {
                options(text, separator)
            };
        }
    }
    text.to_owned()
}

/// A StackExchange.Redis string. A password may hold what looks like the end of it: behind one,
/// nothing but keywords is shown.
pub fn redis(text: &str) -> String {
    let mut parts = Vec::new();
    let mut behind_secret = false;
    for token in text.split(',') {
        let (name, value) = token.split_once('=').unwrap_or((token, ""));
        let keyword = name.trim();
        let known = Keyword::named(keyword).is_some_and(|known| known.form.accepts(value.trim()));
        let shown = if !token.contains('=') {
            if !behind_secret && is_endpoint(token.trim()) {
                token.to_owned()
            } else {
                url(token).unwrap_or_else(|| mask_unless_empty(token))
            }
        } else if is_secret(name) {
            behind_secret = true;
            format!("{}={}", plain_name(name), mask_unless_empty(value))
        } else if known || keyword.starts_with('$') && is_plain(&keyword[1..]) {
            token.to_owned()
        } else {
            mask_unless_empty(token)
        };
        parts.push(shown);
    }
    parts.join(",")
}

/// `name=value` pairs.
fn options(text: &str, separator: char) -> String {
    let separator_text = separator.to_string();
    let parts: Vec<_> = text
        .split(separator)
        .map(|part| match part.split_once('=') {
            Some((name, value)) if is_harmless(name) => {
                let shown = url(value).unwrap_or_else(|| value.to_owned());
                format!("{name}={shown}")
            }
            Some((name, value)) => format!("{}={}", plain_name(name), mask_unless_empty(value)),
            None => mask_unless_empty(part),
        })
        .collect();
    parts.join(&separator_text)
}

/// A URL without what its user information and its query keep secret; `None` where it is none, or
/// has nothing of the kind.
fn url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    if !scheme.trim().chars().all(is_scheme) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // Passwords are pasted unescaped: what stands before the last @ of them all belongs to it.
    let at = rest[..end].rfind('@').or_else(|| {
        let at = rest.rfind('@')?;
        rest[..at].contains(':').then_some(at)
    });
    let (user, place) = at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));
    let shown = match user {
        Some(_) => format!("{scheme}://{MASK}@{}", query(place)),
        None => format!("{scheme}://{}", query(place)),
    };
    (shown != text).then_some(shown)
}

fn query(place: &str) -> String {
    let Some((path, query)) = place.split_once('?') else {
        return place.to_owned();
    };
    let parts: Vec<_> = query
        .split('&')
        .map(|part| match part.split_once('=') {
            Some((name, value)) if is_secret(name) || name.eq_ignore_ascii_case("key") => {
                format!("{name}={}", mask_unless_empty(value))
            }
            _ => part.to_owned(),
        })
        .collect();
    format!("{path}?{}", parts.join("&"))
}

fn is_endpoint(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || "._-:[]%*".contains(letter);
    text.starts_with("!/") && !text.contains('@')
        || text.chars().all(plain) && Endpoint::parse(text, 1).is_some()
        || text.is_empty()
}

fn is_secret(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    SECRET.iter().any(|word| name.ends_with(word)) || name == "sharedaccesskey"
}

fn is_harmless(name: &str) -> bool {
    HARMLESS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name.trim()))
}

/// An option's name, where it is one: another text may be a password's tail.
fn plain_name(name: &str) -> &str {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, ' ' | '_' | '-');
    if name.chars().all(plain) { name } else { MASK }
}

/// Whether a text is a word that may be shown in an error.
pub fn is_plain(text: &str) -> bool {
    text.len() <= 40
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn mask_unless_empty(text: &str) -> String {
    if text.trim().is_empty() {
        text.to_owned()
    } else {
        MASK.to_owned()
    }
}
