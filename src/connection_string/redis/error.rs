//! Connection strings that cannot be read, each with the spelling that was probably meant.

use super::super::keywords::Keyword;
use super::super::masking;
use super::rewrite::respelt;

/// A string that StackExchange.Redis refuses too, or takes and can never connect with. No error
/// shows what may be a part of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisStringError {
    #[error("the connection string is empty")]
    Empty,
    #[error("the connection string names no endpoint")]
    NoEndpoint,
    #[error("the port {0} is not one from 0 to 65535")]
    Port(i32),
    #[error("'{shown}' is not HOST:PORT{}", right_spelling(.suggestion.as_deref()))]
    Endpoint {
        shown: String,
        suggestion: Option<String>,
    },
    #[error("Keyword '{keyword}' is not supported.{}", did_you_mean(*.near))]
    UnknownKeyword {
        keyword: String,
        near: Option<&'static str>,
    },
    #[error("options are separated by commas here{}", right_spelling(.0.as_deref()))]
    Semicolons(Option<String>),
    #[error("Keyword '{keyword}' requires {expected}; the value given is not one.")]
    Value {
        keyword: &'static str,
        expected: &'static str,
    },
}

fn right_spelling(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |text| format!("; write {text}"))
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(" Did you mean '{near}'?"))
}

pub(super) fn unknown(key: &str, text: &str) -> RedisStringError {
    if text.contains(';') {
        return RedisStringError::Semicolons(respelt(text));
    }
    if key.contains("://") {
        return misspelt(text);
    }
    let keyword = if masking::is_plain(key) {
        key.to_owned()
    } else {
        crate::secret::MASK.to_owned()
    };
    RedisStringError::UnknownKeyword {
        near: Keyword::near(key),
        keyword,
    }
}

pub(super) fn misspelt(text: &str) -> RedisStringError {
    RedisStringError::Endpoint {
        shown: masking::connection_string(text),
        suggestion: respelt(text),
    }
}

/// An option of StackExchange.Redis that has no counterpart here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{keyword} is not supported by this hub: {why}")]
pub struct Unsupported {
    pub(super) keyword: String,
    pub(super) why: &'static str,
}
