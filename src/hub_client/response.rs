//! An HTTP response as it is judged and shown.

use hyper::HeaderMap;
use std::fmt;

/// Characters of a body that an error shows.
const GLIMPSE: usize = 120;

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status)?;
        if let Some(reason) = hyper::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
        {
            write!(formatter, " {reason}")?;
        }
        let server = self.header("server");
        if !server.is_empty() {
            write!(formatter, " from {server}")?;
        }
        let body = self.body.split_whitespace().collect::<Vec<_>>().join(" ");
        match body.is_empty() {
            true => Ok(()),
            false => write!(
                formatter,
                ": {}",
                body.chars().take(GLIMPSE).collect::<String>()
            ),
        }
    }
}
