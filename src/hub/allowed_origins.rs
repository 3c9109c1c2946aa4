//! `Cors:Origins`: the web pages that may talk to the hub. Without it all may, as in Harmony.

use hyper::header::{self, HeaderMap};

/// Origins in lower case; none where every one is welcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<String>);

/// Origins as they are compared: in lower case, without a slash at their end; none of them empty.
pub fn normalized(origins: &[String]) -> Vec<String> {
    let origins = origins.iter();
    origins
        .map(|origin| origin.trim_end_matches('/').to_lowercase())
        .filter(|origin| !origin.is_empty())
        .collect()
}

impl AllowedOrigins {
    /// Takes origins such as `https://kanban.example.com`; `*` welcomes every one.
    pub fn new(origins: &[String]) -> Self {
        let origins = normalized(origins);
        let all = origins.iter().any(|origin| origin == "*");
        AllowedOrigins(if all { Vec::new() } else { origins })
    }

    /// Whether a request's page may talk to the hub: a listed one, or one of the hub's own. What is
    /// no page sends no origin.
    pub fn welcome(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let origin = String::from_utf8_lossy(origin.as_bytes()).to_lowercase();
        let host = headers.get(header::HOST).map(|host| host.as_bytes());
        let own = origin.split_once("://").is_some_and(|(_, authority)| {
            host.is_some_and(|host| host.eq_ignore_ascii_case(authority.as_bytes()))
        });
        self.0.is_empty() || own || self.0.contains(&origin)
    }
}
