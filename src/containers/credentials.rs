//! Who we are to a registry: Docker's own configuration file and credential helpers.

use crate::secret::Secret;
use base64::Engine;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// By which name Docker's own registry stands in the file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// What a helper answers as the user where its secret is a token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    auths: BTreeMap<String, Entry>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    auth: String,
    identitytoken: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: Secret,
}

/// What to say to a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
    /// In place of a password.
    pub token: Secret,
}

/// The registry that an image comes from.
pub fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => DOCKER_HUB,
    }
}

/// The credentials for an image's registry; `None` where Docker's files know none.
pub fn find(image: &str, configuration: &Path) -> Option<Credentials> {
    let text = std::fs::read(configuration.join("config.json")).ok()?;
    let configuration: Configuration = serde_json::from_slice(&text).ok()?;
    let registry = registry(image);
    let helper = configuration
        .cred_helpers
        .get(registry)
        .or(Some(&configuration.creds_store))
        .filter(|helper| !helper.is_empty());
    if let Some(found) = helper.and_then(|helper| ask(helper, registry)) {
        return Some(found);
    }
    let named = |name: &String| {
        *name == registry
            || name
                .trim_start_matches("https://")
                .trim_start_matches("http://")
                .split('/')
                .next()
                == Some(registry)
    };
    let entry = configuration
        .auths
        .iter()
        .find(|(name, _)| named(name))
        .map(|(_, entry)| entry)?;
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(entry.auth.trim())
        .ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (username, password) = decoded.split_once(':').unwrap_or_default();
    let known = !username.is_empty() || !entry.identitytoken.is_empty();
    known.then(|| Credentials {
        username: username.to_owned(),
        password: Secret::new(password.trim_end_matches('\0')),
        token: entry.identitytoken.clone(),
    })
}

/// Asks one of Docker's credential helpers, a program that reads the registry and answers in JSON.
fn ask(helper: &str, registry: &str) -> Option<Credentials> {
    let mut program = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // A helper that wants no input has ended already; its answer tells.
    let _ = program.stdin.take()?.write_all(registry.as_bytes());
    let output = program
        .wait_with_output()
        .ok()
        .filter(|output| output.status.success())?;
    let Answer { username, secret } = serde_json::from_slice(&output.stdout).ok()?;
    Some(if username == TOKEN_USER {
        Credentials {
            token: secret,
            ..Credentials::default()
        }
    } else {
        Credentials {
            username,
            password: secret,
            token: Secret::default(),
        }
    })
}
