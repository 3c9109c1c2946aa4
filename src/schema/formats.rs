//! Formats whose judge is the parser that the application itself uses.

use crate::connection_string::redis::RedisOptions;
use crate::listen::ListenUrl;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use url::Url;

/// A StackExchange.Redis connection string.
pub const REDIS: &str = "stackexchange-redis";

/// Tells why a text is not of a format.
type Judge = fn(&str) -> Result<(), String>;

const FORMATS: [(&str, Judge); 4] = [
    (REDIS, redis),
    ("listen-urls", listen_urls),
    ("loopback-url", loopback_url),
    ("http-url", http_url),
];

/// A validator that knows our formats.
pub fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    let options = jsonschema::options().should_validate_formats(true);
    let options = FORMATS.into_iter().fold(options, |options, (name, judge)| {
        options.with_format(name, move |text: &str| {
            is_blank(text) || judge(text).is_ok()
        })
    });
    options.build(schema)
}

/// Why a value is not of its property's format, in the parser's words.
pub fn explain(property: &Value, found: &Value) -> Option<String> {
    let (format, text) = (property["format"].as_str()?, found.as_str()?);
    let (_, judge) = FORMATS.iter().find(|(name, _)| *name == format)?;
    judge(text).err().filter(|_| !is_blank(text))
}

/// What is empty stands for nothing.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn redis(text: &str) -> Result<(), String> {
    let parsed = RedisOptions::parse(text);
    parsed.map(drop).map_err(|error| error.to_string())
}

fn listen_urls(text: &str) -> Result<(), String> {
    for url in text.split(';').filter(|url| !is_blank(url)) {
        // Kestrel serves Unix sockets too.
        let url_lower = url.trim().to_ascii_lowercase();
        if url_lower.starts_with("http://unix:/") || url_lower.starts_with("https://unix:/") {
            continue;
        }
        ListenUrl::parse(url).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn loopback_url(text: &str) -> Result<(), String> {
    let url = ListenUrl::parse(text).map_err(|error| error.to_string())?;
    if url.is_loopback() {
        Ok(())
    } else {
        Err(format!(
            "{text} can be reached from other machines; the admin listener serves this one only"
        ))
    }
}

fn http_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("this is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        other => Err(format!("expected http:// or https://, found {other}://")),
    }
}
