//! One instance's own files: what was chosen for it, its hub's log and lock, backups of settings.

pub mod lock;

use crate::platform;
use crate::secret::SecretsStore;
use lock::Lock;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the development certificate, beside those of the instances.
pub const CERTIFICATES: &str = "https";
/// What a hub in the background says.
pub const LOG: &str = "hub.log";

/// Passwords that the settings files do not hold.
pub const SECRETS: &str = "secrets.json";

/// A name for things that belong together: containers, volumes, the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub name: String,
    pub folder: PathBuf,
}

/// What was chosen and must be known again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    pub checkout: PathBuf,
    /// The checkout belongs to another user, and the user trusts it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trusts_checkout: bool,
    pub environment: String,
    pub hub_url: String,
    pub redis: ServiceOrigin,
    pub rabbitmq: ServiceOrigin,
    /// Chosen freely the first time, kept afterwards.
    pub admin_port: u16,
    pub redis_port: u16,
    pub rabbitmq_port: u16,
    pub management_port: u16,
    /// Redis keeps its data.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redis_volume: bool,
    /// The hub is a container, not a process.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hub_in_container: bool,
    /// Where ports are published, where not on 127.0.0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<std::net::IpAddr>,
    /// The user asked for no Redis, and for no RabbitMQ: kept until something else is asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_redis: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_rabbitmq: bool,
    /// The user runs a hub of their own, such as the one of .NET: kept until another is asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_hub: bool,
    /// Where passwords are kept.
    #[serde(skip_serializing_if = "SecretsStore::is_default")]
    pub secrets: SecretsStore,
    /// Containers that are no longer wanted could not be removed yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub containers_remain: bool,
}

impl State {
    /// Whether containers of the instance should exist.
    pub fn has_containers(&self) -> bool {
        let servers = [self.redis, self.rabbitmq].contains(&ServiceOrigin::Container);
        servers || self.hub_in_container || self.containers_remain
    }

    /// Whether it is settled that the instance has no containers.
    pub fn does_without_containers(&self) -> bool {
        let settled = ![self.redis, self.rabbitmq].contains(&ServiceOrigin::Unknown);
        settled && !self.has_containers()
    }

    /// Where the hub's metrics and its inbox are.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin_port)
    }
}

/// Where a service comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceOrigin {
    /// Not decided yet.
    #[default]
    Unknown,
    /// A container of ours.
    Container,
    /// Somebody else's server.
    External,
    /// None: the hub does without.
    Embedded,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error(
        "'{0}' can't be an instance's name: letters, digits, '-' and '_', at most 40, beginning with a letter or digit, and not 'https'"
    )]
    Name(String),
    #[error("{} can't be used: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} can't be understood: {error}", path.display())]
    State {
        path: PathBuf,
        error: serde_json::Error,
    },
    #[error("another harmony works on instance '{name}' right now{}", holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Busy {
        name: String,
        holder: Option<String>,
    },
}

impl Instance {
    /// An instance whose files are below `states`.
    pub fn new(name: &str, states: &Path) -> Result<Self, InstanceError> {
        let valid = name.len() <= 40
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
        // On Windows and macOS the case of a folder's name does not matter.
        if !valid || name.eq_ignore_ascii_case(CERTIFICATES) {
            return Err(InstanceError::Name(name.to_owned()));
        }
        Ok(Instance {
            name: name.to_owned(),
            folder: states.join(name),
        })
    }

    /// The other instances of this user.
    pub fn others(&self) -> Vec<Instance> {
        let states = self.folder.parent().map(fs::read_dir);
        let entries = states.into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let folder = entry.ok()?.path();
                let name = folder.file_name()?.to_str()?.to_owned();
                let is_instance = name != self.name && folder.join("state.json").exists();
                is_instance.then_some(Instance { name, folder })
            })
            .collect()
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The passwords, where the settings files do not hold them.
    pub fn secrets(&self) -> PathBuf {
        self.folder.join(SECRETS)
    }

    /// The same as variables, for programs that are started with them.
    pub fn secrets_as_variables(&self) -> PathBuf {
        self.folder.join("secrets.env")
    }

    pub fn backups(&self) -> PathBuf {
        self.folder.join("backups")
    }

    /// What was chosen; the default where nothing was yet.
    pub fn state(&self) -> Result<State, InstanceError> {
        let path = self.folder.join("state.json");
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| InstanceError::State { path, error })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(InstanceError::File { path, error }),
        }
    }

    /// Remembers what was chosen; by one rename, so that it is never half there.
    pub fn remember(&self, state: &State) -> Result<(), InstanceError> {
        let path = self.folder.join("state.json");
        let failed = |error| InstanceError::File {
            path: path.clone(),
            error,
        };
        platform::create_private_folder(&self.folder).map_err(failed)?;
        let text = serde_json::to_vec_pretty(state).map_err(|error| failed(error.into()))?;
        let new = self.folder.join("state.json.new");
        fs::write(&new, text)
            .and_then(|()| platform::replace(&new, &path))
            .map_err(failed)
    }

    /// Forgets everything but backups and the log.
    pub fn forget(&self) {
        // What is gone already needs no forgetting.
        for path in [
            self.folder.join("state.json"),
            self.secrets(),
            self.secrets_as_variables(),
        ] {
            let _ = fs::remove_file(path);
        }
    }

    /// Keeps others from working on the instance until the guard is dropped.
    pub fn lock(&self) -> Result<Lock, InstanceError> {
        let path = self.folder.join("holder");
        let failed = |error| InstanceError::File {
            path: path.clone(),
            error,
        };
        platform::create_private_folder(&self.folder).map_err(failed)?;
        let command: Vec<_> = std::env::args().skip(1).take(2).collect();
        let note = format!("harmony {} (pid {})", command.join(" "), std::process::id());
        let lock = Lock::take(&path, &note).map_err(failed)?;
        lock.ok_or_else(|| InstanceError::Busy {
            name: self.name.clone(),
            holder: fs::read_to_string(&path)
                .ok()
                .filter(|text| !text.is_empty()),
        })
    }
}
