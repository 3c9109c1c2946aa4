//! The keywords of StackExchange.Redis connection strings, and what their values may be.

/// What a keyword's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
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
    pub(super) form: Form,
    /// Who knows it, where Harmony's version (2.7.27) does not.
    pub(super) since: Option<&'static str>,
}

const fn keyword(name: &'static str, form: Form) -> Keyword {
    Keyword {
        name,
        form,
        since: None,
    }
}

const ANY: Form = Form::Integer { least: i32::MIN };
const ABOVE_ZERO: Form = Form::Integer { least: 1 };

/// Those of 2.7.27, and of 2.13 where it knows more.
pub(super) const KEYWORDS: [Keyword; 33] = [
    keyword("abortConnect", Form::Boolean),
    keyword("allowAdmin", Form::Boolean),
    keyword("asyncTimeout", ABOVE_ZERO),
    keyword("channelPrefix", Form::Text),
    keyword("checkCertificateRevocation", Form::Boolean),
    keyword("configChannel", Form::Text),
    keyword("configCheckSeconds", ANY),
    keyword("connectRetry", ANY),
    keyword("connectTimeout", ANY),
    keyword("defaultDatabase", ANY),
    Keyword {
        name: "highIntegrity",
        form: Form::Boolean,
        since: Some("StackExchange.Redis 2.8"),
    },
    keyword("highPriorityThreads", Form::Obsolete),
    keyword("keepAlive", ANY),
    keyword("name", Form::Text),
    keyword("password", Form::Text),
    keyword("preserveAsyncOrder", Form::Obsolete),
    keyword("protocol", Form::Protocol),
    keyword("proxy", Form::Proxy),
    keyword("resolveDns", Form::Boolean),
    keyword("responseTimeout", Form::Obsolete),
    Keyword {
        name: "sentinelPassword",
        form: Form::Text,
        since: Some("the Rust hub"),
    },
    Keyword {
        name: "sentinelUser",
        form: Form::Text,
        since: Some("the Rust hub"),
    },
    keyword("serviceName", Form::Text),
    keyword("setlib", Form::Boolean),
    keyword("ssl", Form::Boolean),
    keyword("sslHost", Form::Text),
    keyword("sslProtocols", Form::SslProtocols),
    keyword("syncTimeout", ABOVE_ZERO),
    keyword("tiebreaker", Form::Text),
    keyword("tunnel", Form::Tunnel),
    keyword("user", Form::Text),
    keyword("version", Form::Version),
    keyword("writeBuffer", Form::Obsolete),
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

impl Form {
    /// Whether a value can be read, as StackExchange.Redis reads it.
    pub(super) fn accepts(self, value: &str) -> bool {
        match self {
            Form::Text | Form::Obsolete => true,
            Form::Boolean => boolean(value).is_some(),
            Form::Integer { least } => integer(value).is_some_and(|number| number >= least),
            Form::Version => is_version(value),
            Form::Protocol => match integer(value) {
                Some(number) => matches!(number, 2 | 3),
                None => is_one_of(value, &["resp2", "resp3"]),
            },
            Form::Proxy => {
                integer(value).is_some() || is_one_of(value, &["None", "Twemproxy", "Envoyproxy"])
            }
            Form::SslProtocols => integer(value).is_some() || are_protocols(value),
            Form::Tunnel => value.is_empty() || value.starts_with("http:"),
        }
    }

    /// What a value should be, in words.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Form::Text | Form::Obsolete => "a text",
            Form::Boolean => "true or false",
            Form::Integer { least: 1 } => "a number of milliseconds above 0",
            Form::Integer { .. } => "an integer",
            Form::Version => "a version such as 7.2",
            Form::Protocol => "resp2 or resp3",
            Form::Proxy => "None, Twemproxy or Envoyproxy",
            Form::SslProtocols => "names such as tls12|tls13",
            Form::Tunnel => "http:HOST:PORT",
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
