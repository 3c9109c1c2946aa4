//! Words that flags and answers files take.

use crate::provision::request::{HubChoice, Pull};
use crate::secret::SecretsStore;
use serde::{Deserialize, Serialize};

/// How the hub runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HubFlag {
    Process,
    Container,
    None,
}

impl From<HubFlag> for HubChoice {
    fn from(flag: HubFlag) -> Self {
        match flag {
            HubFlag::Process => HubChoice::Process,
            HubFlag::Container => HubChoice::Container,
            HubFlag::None => HubChoice::None,
        }
    }
}

/// Where passwords are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretsFlag {
    Files,
    UserSecrets,
    Environment,
}

impl From<SecretsFlag> for SecretsStore {
    fn from(flag: SecretsFlag) -> Self {
        match flag {
            SecretsFlag::Files => SecretsStore::Files,
            SecretsFlag::UserSecrets => SecretsStore::UserSecrets,
            SecretsFlag::Environment => SecretsStore::Environment,
        }
    }
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullFlag {
    Missing,
    Always,
    Never,
}

impl From<PullFlag> for Pull {
    fn from(flag: PullFlag) -> Self {
        match flag {
            PullFlag::Missing => Pull::Missing,
            PullFlag::Always => Pull::Always,
            PullFlag::Never => Pull::Never,
        }
    }
}
