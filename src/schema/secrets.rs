//! What must not be shown: judged by a setting's whole key and by the shape of its value.

use super::lookup::property;
use crate::connection_string::masking;
use crate::secret::MASK;
use serde_json::Value;

/// Words in a key's last name whose value is a secret.
const WORDS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sharedkey",
];
/// Names that say something about a secret and are none themselves.
const ABOUT: [&str; 22] = [
    "policy",
    "length",
    "lifetime",
    "expiration",
    "expiry",
    "minutes",
    "seconds",
    "hours",
    "days",
    "url",
    "uri",
    "endpoint",
    "path",
    "file",
    "env",
    "variable",
    "enabled",
    "issuer",
    "audience",
    "header",
    "count",
    "type",
];
/// Names of sections whose `Key` is a secret.
const KEY_HOLDERS: [&str; 12] = [
    "jwt", "token", "auth", "sign", "crypt", "secret", "storage", "api", "bearer", "hmac",
    "license", "security",
];
/// Sections that hold nothing but secrets.
const COLLECTIONS: [&str; 6] = [
    "passwords",
    "secrets",
    "tokens",
    "credentials",
    "apikeys",
    "privatekeys",
];

/// What is shown in a value's place; `None` where the value may be shown as it is.
pub fn masked(schema: &Value, key: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    if is_connection(key) {
        let shown = masking::connection_string(value);
        return (shown != value).then_some(shown);
    }
    if is_secret(schema, key) || is_private_by_shape(value) {
        return Some(MASK.to_owned());
    }
    let shown = masking::any_text(value);
    (shown != value).then_some(shown)
}

/// Whether a key's value must not be shown: its schema says so, or its name.
pub fn is_secret(schema: &Value, key: &str) -> bool {
    property(schema, key).is_some_and(|property| property["writeOnly"] == true)
        || is_connection(key)
        || is_named_secret(key)
}

/// A key whose value names a server, and perhaps a password among harmless options.
fn is_connection(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let last = key.rsplit(':').next().unwrap_or_default();
    last.contains("connectionstring") || last == "dsn" || key.starts_with("connectionstrings:")
}

fn is_named_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names: Vec<_> = key.split(':').collect();
    if names.iter().any(|name| COLLECTIONS.contains(name)) {
        return true;
    }
    // An item of a list is judged by the list's name.
    let is_index =
        |name: &&&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let Some(last) = names.iter().rfind(|name| !is_index(name)) else {
        return false;
    };
    let word: String = last
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .collect();
    if ABOUT.iter().any(|end| word.ends_with(end)) {
        return false;
    }
    let is_held = || {
        let holders = &names[..names.len() - 1];
        let holds = |name: &&str| KEY_HOLDERS.iter().any(|holder| name.contains(holder));
        holders.iter().any(holds)
    };
    WORDS.iter().any(|known| word.contains(known)) || word == "key" && is_held()
}

/// A private key, or a token that says what it is.
fn is_private_by_shape(value: &str) -> bool {
    let value = value.trim_start();
    let is_token = || {
        let parts: Vec<_> = value.split('.').collect();
        parts.len() == 3 && parts[0].len() > 8 && value.starts_with("eyJ")
    };
    value.starts_with("-----BEGIN") && value.contains("PRIVATE KEY") || is_token()
}
