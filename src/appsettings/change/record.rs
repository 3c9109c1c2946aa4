//! One file's part in a change, and how it is taken back.

use crate::appsettings::disk::{Durability, Links, read_bytes, replace};
use crate::appsettings::error::SettingsError;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// One file's part in a change, as the journal has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    pub path: PathBuf,
    /// The file itself, where the path is a link.
    pub target: PathBuf,
    /// Where the new content lies until the rename.
    pub temporary: PathBuf,
    /// Where the former content is; `None` where there was no file.
    pub backup: Option<PathBuf>,
    /// Folders that are made for the file, the deepest first.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    /// Digests of what was there and of what takes its place.
    pub before: Option<String>,
    pub after: String,
}

/// Brings back what was there before, where a new content has taken its place. Returns the paths.
pub fn take_back(changes: &[Change]) -> Result<Vec<PathBuf>, SettingsError> {
    let mut undone = Vec::new();
    for change in changes {
        let _ = fs::remove_file(&change.temporary);
        if !is(&change.target, Some(&change.after))? {
            continue;
        }
        match change.former()? {
            None => fs::remove_file(&change.target)
                .map_err(|error| SettingsError::write(&change.path, error))?,
            Some(before) => replace(&change.target, &before, Durability::Durable)?,
        }
        undone.push(change.path.clone());
    }
    for folder in changes.iter().flat_map(|change| &change.folders) {
        // One that somebody has put something into meanwhile stays.
        let _ = fs::remove_dir(folder);
    }
    Ok(undone)
}

impl Change {
    /// What the file held before; `None` where there was no file.
    pub fn former(&self) -> Result<Option<Vec<u8>>, SettingsError> {
        let Some(backup) = &self.backup else {
            return Ok(None);
        };
        let bytes =
            read_bytes(backup, Links::Followed)?.filter(|bytes| Some(digest(bytes)) == self.before);
        bytes
            .map(Some)
            .ok_or_else(|| SettingsError::changed(backup))
    }
}

/// Whether a file holds what the digest says; `None` stands for no file.
pub fn is(path: &Path, digested: Option<&str>) -> Result<bool, SettingsError> {
    Ok(read_bytes(path, Links::Followed)?
        .map(|bytes| digest(&bytes))
        .as_deref()
        == digested)
}

pub fn digest(bytes: &[u8]) -> String {
    crate::hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}
