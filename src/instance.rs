//! The files of one instance: its choices, its hub's log and lock, and backups of settings.

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
/// The log of a hub in the background.
pub const LOG: &str = "hub.log";

/// Passwords that the settings files do not hold.
pub const SECRETS: &str = "secrets.json";

/// Names the containers, volumes and hub that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub name: String,
    pub folder: PathBuf,
}

/// The choices that later runs need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    pub checkout: PathBuf,
    /// The checkout belongs to another user; this user trusts it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trusts_checkout: bool,
    pub environment: String,
    pub hub_url: String,
    pub redis: ServiceOrigin,
    pub rabbitmq: ServiceOrigin,
    /// Chosen by the first run and kept.
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
    /// The address that ports are published on, if it is not 127.0.0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<std::net::IpAddr>,
    /// The user asked for no Redis or no RabbitMQ; valid until the user asks for one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_redis: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_rabbitmq: bool,
    /// The user runs another hub, such as the .NET hub; valid until the user asks for ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_hub: bool,
    /// Where passwords are kept.
    #[serde(skip_serializing_if = "SecretsStore::is_default")]
    pub secrets: SecretsStore,
    /// Unneeded containers that could not be removed yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub containers_remain: bool,
}

impl State {
    /// Whether containers of the instance should exist.
    pub fn has_containers(&self) -> bool {
        let servers = [self.redis, self.rabbitmq].contains(&ServiceOrigin::Container);
        servers || self.hub_in_container || self.containers_remain
    }

    /// Whether it is known that the instance has no containers.
    pub fn does_without_containers(&self) -> bool {
        let settled = ![self.redis, self.rabbitmq].contains(&ServiceOrigin::Unknown);
        settled && !self.has_containers()
    }

    /// The address of the hub's admin listener.
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
    /// A container that harmony manages.
    Container,
    /// A server that harmony only uses.
    External,
    /// No server: the hub runs without it.
    Embedded,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error(
        "'{0}' is no name for an instance: use up to 40 letters, digits, '-' and '_', beginning with a \
         letter or digit, and not 'https'"
    )]
    Name(String),
    #[error("{} can't be used: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} is not valid: {error}", path.display())]
    State {
        path: PathBuf,
        error: serde_json::Error,
    },
    #[error(
        "another harmony works on instance '{name}' right now{}",
        holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default()
    )]
    Busy {
        name: String,
        holder: Option<String>,
    },
}

impl Instance {
    /// Opens an instance whose files are in a folder below `states`.
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

    /// Reads the choices; the default if there are none yet.
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

    /// Saves the choices by a rename, so that the file is never half written.
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

    /// Deletes everything except backups and the log.
    pub fn forget(&self) {
        // The file may be gone already.
        for path in [
            self.folder.join("state.json"),
            self.secrets(),
            self.secrets_as_variables(),
        ] {
            let _ = fs::remove_file(path);
        }
    }

    /// Locks the instance against other runs until the guard is dropped.
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
