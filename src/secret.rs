//! A string that never prints itself.

use ring::rand::SecureRandom;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What stands in a secret's place wherever it would be shown.
pub const MASK: &str = "********";

/// A password or a key. `Debug`, `Display` and `Serialize` write the mask; [`reveal`](Self::reveal) gives the text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// 32 letters and digits: safe in a URL, a StackExchange.Redis string and a shell.
    pub fn generate() -> Result<Self, RandomError> {
        Self::generate_from(|bytes| {
            let generator = ring::rand::SystemRandom::new();
            generator.fill(bytes).map_err(|_| RandomError)
        })
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

/// Bytes that nobody can guess; for jitter and names, where bad ones do no harm.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The operating system's generator does not fail once it has started, which it has long before us.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    bytes
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
