//! Settings files: read, checked for change meanwhile, replaced atomically, with a backup.

pub mod change;
mod disk;
pub mod document;
pub mod encoding;
mod error;
pub mod key_path;
pub mod layers;
pub mod twins;
pub mod user_secrets;

pub use disk::{Links, check_access, save};
pub use error::SettingsError;

use change::Replacement;
use disk::read_bytes;
use document::{Document, Entry};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A settings file as it was read, with the document that may be edited.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    pub path: PathBuf,
    /// `None` where the file is still to be made.
    original: Option<Vec<u8>>,
    pub document: Document,
}

impl SettingsFile {
    /// Reads a file; `None` where there is none.
    pub fn read(path: &Path, links: Links<'_>) -> Result<Option<Self>, SettingsError> {
        let Some(original) = read_bytes(path, links)? else {
            return Ok(None);
        };
        let document = parse(path, &original)?;
        Ok(Some(SettingsFile {
            path: path.to_owned(),
            original: Some(original),
            document,
        }))
    }

    /// A file that is not there yet, with the text that it will have.
    pub fn planned(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let document = parse(path, text.as_bytes())?;
        Ok(SettingsFile {
            path: path.to_owned(),
            original: None,
            document,
        })
    }

    /// A file that is not there yet and sets nothing.
    pub fn empty(path: &Path) -> Result<Self, SettingsError> {
        Self::planned(path, "{\n}\n")
    }

    /// Reads a file, or plans an empty one in its place.
    pub fn read_or_plan(path: &Path, links: Links<'_>) -> Result<Self, SettingsError> {
        Self::read(path, links)?.map_or_else(|| Self::empty(path), Ok)
    }

    /// What the file says on disk; empty where it is still to be made.
    pub fn original(&self) -> Option<Document> {
        Document::parse(self.original.as_deref()?).ok()
    }

    /// What the file holds on disk; `None` where it is still to be made.
    pub fn original_bytes(&self) -> Option<&[u8]> {
        self.original.as_deref()
    }

    pub fn is_new(&self) -> bool {
        self.original.is_none()
    }

    /// A new file that sets nothing is none.
    pub fn is_nothing(&self) -> bool {
        self.is_new() && self.document.entries().is_empty()
    }

    /// The keys that are to have another value, be there, or be gone.
    pub fn changed_keys(&self) -> Vec<String> {
        let before = self.original().map(|document| document.entries());
        let before = before.unwrap_or_default();
        let after = self.document.entries();
        let pair = |entry: &'_ Entry| (entry.key.clone(), entry.value.clone());
        let known: HashSet<_> = before.iter().map(pair).collect();
        let present: HashSet<_> = after.iter().map(|entry| entry.key.clone()).collect();
        let changed = after
            .into_iter()
            .filter(|entry| !known.contains(&pair(entry)));
        let gone = before
            .into_iter()
            .filter(|entry| !present.contains(&entry.key));
        changed.chain(gone).map(|entry| entry.key).collect()
    }

    pub fn is_changed(&self) -> bool {
        self.original.as_ref() != Some(&self.document.to_bytes())
    }
}

/// A regular file's bytes, if it is there and no larger than settings are.
pub fn read_file(path: &Path, links: Links<'_>) -> Result<Option<Vec<u8>>, SettingsError> {
    read_bytes(path, links)
}

/// Makes the changed files say what their documents say, all or none; what was there is kept in
/// `backups`. Returns the paths that were replaced.
pub fn write(files: &[SettingsFile], backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    change::commit(&replacements(files), backups)
}

/// What changed files are to hold.
pub fn replacements(files: &[SettingsFile]) -> Vec<Replacement> {
    let changed = files
        .iter()
        .filter(|file| file.is_changed() && !file.is_nothing());
    changed
        .map(|file| Replacement {
            path: file.path.clone(),
            before: file.original.clone(),
            after: file.document.to_bytes(),
        })
        .collect()
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Document, SettingsError> {
    Document::parse(bytes).map_err(|error| SettingsError::syntax(path, error))
}
