//! The keywords of StackExchange.Redis connection strings, and what their values may be.

/// What a keyword's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeywordType {
    Text,
    Boolean,
    Integer {
        least: i32,
    },
    Version,
    Protocol,
    Proxy,
    SslProtocols,
    Tunnel,
    /// Accepted and without a meaning since long.
    Obsolete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) form: KeywordType,
    /// Who knows it, where Harmony's version (2.7.27) does not.
    pub(super) since: Option<&'static str>,
}

const fn keyword(name: &'static str, form: KeywordType) -> Keyword {
    Keyword {
        name,
        form,
        since: None,
    }
}

const ANY: KeywordType = KeywordType::Integer { least: i32::MIN };
const ABOVE_ZERO: KeywordType = KeywordType::Integer { least: 1 };

/// Those of 2.7.27, and of 2.13 where it knows more.
pub(super) const KEYWORDS: [Keyword; 33] = [
    keyword("abortConnect", KeywordType::Boolean),
    keyword("allowAdmin", KeywordType::Boolean),
    keyword("asyncTimeout", ABOVE_ZERO),
    keyword("channelPrefix", KeywordType::Text),
    keyword("checkCertificateRevocation", KeywordType::Boolean),
    keyword("configChannel", KeywordType::Text),
    keyword("configCheckSeconds", ANY),
    keyword("connectRetry", ANY),
    keyword("connectTimeout", ANY),
    keyword("defaultDatabase", ANY),
    Keyword {
        name: "highIntegrity",
        form: KeywordType::Boolean,
        since: Some("StackExchange.Redis 2.8"),
    },
    keyword("highPriorityThreads", KeywordType::Obsolete),
    keyword("keepAlive", ANY),
    keyword("name", KeywordType::Text),
    keyword("password", KeywordType::Text),
    keyword("preserveAsyncOrder", KeywordType::Obsolete),
    keyword("protocol", KeywordType::Protocol),
    keyword("proxy", KeywordType::Proxy),
    keyword("resolveDns", KeywordType::Boolean),
    keyword("responseTimeout", KeywordType::Obsolete),
    Keyword {
        name: "sentinelPassword",
        form: KeywordType::Text,
        since: Some("the Rust hub"),
    },
    Keyword {
        name: "sentinelUser",
        form: KeywordType::Text,
        since: Some("the Rust hub"),
    },
    keyword("serviceName", KeywordType::Text),
    keyword("setlib", KeywordType::Boolean),
    keyword("ssl", KeywordType::Boolean),
    keyword("sslHost", KeywordType::Text),
    keyword("sslProtocols", KeywordType::SslProtocols),
    keyword("syncTimeout", ABOVE_ZERO),
    keyword("tiebreaker", KeywordType::Text),
    keyword("tunnel", KeywordType::Tunnel),
    keyword("user", KeywordType::Text),
    keyword("version", KeywordType::Version),
    keyword("writeBuffer", KeywordType::Obsolete),
];

impl Keyword {
    pub(super) fn named(name: &str) -> Option<&'static Keyword> {
        KEYWORDS
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// The keyword that somebody may have meant.
    pub(super) fn near(name: &str) -> Option<&'static str> {
        let distance = |known: &Keyword| {
            strsim::damerau_levenshtein(
                &known.name.to_ascii_lowercase(),
                &name.to_ascii_lowercase(),
            )
        };
        // What other products call it.
        if ["pwd", "pass", "auth"].contains(&name.to_ascii_lowercase().as_str()) {
            return Some("password");
        }
        KEYWORDS
            .iter()
            .map(|known| (distance(known), known.name))
            .min()
            .filter(|(distance, known)| *distance <= known.len() / 3 + 1)
            .map(|(_, known)| known)
    }
}

impl KeywordType {
    /// Whether a value can be read, as StackExchange.Redis reads it.
    pub(super) fn accepts(self, value: &str) -> bool {
        match self {
            KeywordType::Text | KeywordType::Obsolete => true,
            KeywordType::Boolean => boolean(value).is_some(),
            KeywordType::Integer { least } => integer(value).is_some_and(|number| number >= least),
            KeywordType::Version => is_version(value),
            KeywordType::Protocol => match integer(value) {
                Some(number) => matches!(number, 2 | 3),
                None => is_one_of(value, &["resp2", "resp3"]),
            },
            KeywordType::Proxy => {
                integer(value).is_some() || is_one_of(value, &["None", "Twemproxy", "Envoyproxy"])
            }
            KeywordType::SslProtocols => integer(value).is_some() || are_protocols(value),
            KeywordType::Tunnel => value.is_empty() || value.starts_with("http:"),
        }
    }

    /// What a value should be, in words.
    pub(super) fn expected(self) -> &'static str {
        match self {
            KeywordType::Text | KeywordType::Obsolete => "a text",
            KeywordType::Boolean => "true or false",
            KeywordType::Integer { least: 1 } => "a number of milliseconds above 0",
            KeywordType::Integer { .. } => "an integer",
            KeywordType::Version => "a version such as 7.2",
            KeywordType::Protocol => "resp2 or resp3",
            KeywordType::Proxy => "None, Twemproxy or Envoyproxy",
            KeywordType::SslProtocols => "names such as tls12|tls13",
            KeywordType::Tunnel => "http:HOST:PORT",
        }
    }
}

pub(super) fn boolean(value: &str) -> Option<bool> {
    if is_one_of(value, &["true", "1", "yes", "on"]) {
        Some(true)
    } else if is_one_of(value, &["false", "0", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// .NET's `int.Parse`: blanks around and a sign are allowed.
pub(super) fn integer(value: &str) -> Option<i32> {
    value.trim().parse().ok()
}

fn is_version(value: &str) -> bool {
    let parts: Vec<_> = value.split('.').collect();
    parts.len() <= 4
        && parts
            .iter()
            .all(|part| integer(part).is_some_and(|part| part >= 0))
}

fn are_protocols(value: &str) -> bool {
    let known = [
        "None", "Ssl2", "Ssl3", "Tls", "Default", "Tls11", "Tls12", "Tls13",
    ];
    value.split('|').all(|name| is_one_of(name, &known))
}

fn is_one_of(value: &str, known: &[&str]) -> bool {
    known
        .iter()
        .any(|known| known.eq_ignore_ascii_case(value.trim()))
}
