//! A string that never prints itself.

use ring::rand::SecureRandom;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// What stands in a secret's place wherever it would be shown.
pub const MASK: &str = "********";

/// A password or a key. `Debug`, `Display` and `Serialize` write the mask;
/// [`reveal`](Self::reveal) gives the text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// 32 letters and digits: safe in a URL, a StackExchange.Redis string and a shell.
    pub fn generate() -> Result<Self, RandomError> {
        Self::generate_from(system_random)
    }

    /// The same, from a generator of the caller's.
    pub fn generate_from(
        mut fill: impl FnMut(&mut [u8]) -> Result<(), RandomError>,
    ) -> Result<Self, RandomError> {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut text = String::with_capacity(32);
        while text.len() < 32 {
            // A byte over 247 would favour the first letters; another is drawn.
            let mut drawn = [0];
            fill(&mut drawn)?;
            let [byte] = drawn;
            if byte < 248 {
                text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            }
        }
        Ok(Secret(text))
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The system gives no random numbers; a password from it could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct RandomError;

/// Fills bytes so that nobody can guess them, or says that it cannot.
pub type RandomSource = fn(&mut [u8]) -> Result<(), RandomError>;

/// The operating system's numbers.
pub fn system_random(bytes: &mut [u8]) -> Result<(), RandomError> {
    let filled = ring::rand::SystemRandom::new().fill(bytes);
    filled.map_err(|_| RandomError)
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>(source: RandomSource) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    source(&mut bytes)?;
    Ok(bytes)
}

/// A number that hardly comes twice, for pauses and names: it may be guessed.
pub fn arbitrary() -> u64 {
    RandomState::new().hash_one(())
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Where passwords are kept that are made or given for Redis and RabbitMQ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretsStore {
    /// In the settings files.
    #[default]
    Files,
    /// In .NET's user secrets, which it reads in Development only.
    UserSecrets,
    /// In a file of ours, for variables of what is started.
    Environment,
}

impl SecretsStore {
    /// Whether it is where secrets are unless the user says otherwise.
    pub fn is_default(&self) -> bool {
        *self == SecretsStore::Files
    }
}
