//! Options that StackExchange.Redis has and this hub has not.

use super::super::keywords;
use super::RedisOptions;
use super::error::Unsupported;

/// Commands that this hub sends; one with another name, or none, cannot be sent.
const COMMANDS: [&str; 24] = [
    "AUTH",
    "CLIENT",
    "DEL",
    "ECHO",
    "EVAL",
    "EXEC",
    "EXISTS",
    "EXPIRE",
    "GET",
    "GETDEL",
    "HELLO",
    "INFO",
    "MULTI",
    "PING",
    "PUBLISH",
    "PUBSUB",
    "ROLE",
    "SELECT",
    "SENTINEL",
    "SET",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "XADD",
    "XRANGE",
];

impl RedisOptions {
    /// Refuses what this hub cannot do, and StackExchange.Redis can.
    pub fn check_supported(&self) -> Result<(), Unsupported> {
        self.unsupported.clone().map_or(Ok(()), Err)
    }

    /// `$COMMAND=other`: only what this hub sends matters to it.
    pub(super) fn rename(&mut self, key: &str) {
        let is_sent = |sent: &&str| key[1..].trim().eq_ignore_ascii_case(sent);
        if COMMANDS.iter().any(is_sent) {
            self.refuse(key, "it sends this command by its own name");
        }
    }

    pub(super) fn take_unsupported(&mut self, keyword: &'static str, value: &str) {
        let is_on = keywords::boolean(value) == Some(true);
        match keyword {
            "checkCertificateRevocation" if is_on => self.refuse(
                keyword,
                "revocation is not looked up; leave it out, or say false",
            ),
            "highIntegrity" if is_on => self.refuse(keyword, "answers carry no checksums"),
            "proxy" if !matches!(value.trim().to_ascii_lowercase().as_str(), "none" | "0") => {
                self.refuse(keyword, "such proxies carry no channels");
            }
            "checkCertificateRevocation" | "highIntegrity" | "proxy" => {}
            _ => self.without_effect.push(keyword),
        }
    }

    fn refuse(&mut self, keyword: &str, why: &'static str) {
        let keyword = keyword.to_owned();
        self.unsupported.get_or_insert(Unsupported { keyword, why });
    }

    pub(super) fn allow_tls(&mut self, names: &str) {
        let names = names
            .split('|')
            .map(|name| name.trim().to_ascii_lowercase());
        self.tls_versions = names.filter(|name| !name.is_empty()).collect();
        let safe = |name: &String| ["none", "tls12", "tls13"].contains(&name.as_str());
        if !self.tls_versions.is_empty() && !self.tls_versions.iter().any(safe) {
            self.refuse("sslProtocols", "only tls12 and tls13 are safe");
        }
        if self.tls_versions.iter().any(|name| name == "none") {
            self.tls_versions.clear();
        }
    }
}
