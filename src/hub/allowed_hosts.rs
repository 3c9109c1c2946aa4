//! `AllowedHosts`: the names that requests may ask for the hub by, as ASP.NET Core's host filter
//! has them.

use hyper::header::HeaderValue;

/// Patterns in lower case; none where every name is welcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Reads `example.com;*.example.org`. Nothing, `*` or an address that means all addresses
    /// welcomes every name.
    pub fn parse(text: &str) -> Self {
        let patterns: Vec<_> = text
            .split(';')
            .map(|pattern| pattern.trim().to_lowercase())
            .filter(|pattern| !pattern.is_empty())
            .collect();
        let all = patterns
            .iter()
            .any(|pattern| ["*", "[::]", "0.0.0.0"].contains(&pattern.as_str()));
        AllowedHosts(if all { Vec::new() } else { patterns })
    }

    /// Whether a request may come in by its `Host`; one without asks for nobody.
    pub fn welcome(&self, host: Option<&HeaderValue>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let host = String::from_utf8_lossy(host.map(HeaderValue::as_bytes).unwrap_or_default())
            .to_lowercase();
        let name = match host.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host.as_str(),
        };
        let matches = |pattern: &String| match pattern.strip_prefix('*') {
            Some(end) if end.starts_with('.') => name.len() > end.len() && name.ends_with(end),
            _ => name == pattern,
        };
        name.is_empty() || self.0.iter().any(matches)
    }
}
