//! Settings files: read, checked for change meanwhile, replaced atomically, with a backup.

pub mod change;
pub mod document;
pub mod key_path;
pub mod layers;
pub mod twins;

use crate::platform;
use change::Replacement;
use document::{Document, Entry, SyntaxError};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Larger files are not settings.
const MAXIMUM_SIZE: u64 = 64 << 20;
/// What can go wrong with a settings file; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{}: {error}", path.display())]
    Syntax { path: PathBuf, error: SyntaxError },
    #[error("{} can't be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} is a folder, not a settings file", path.display())]
    Folder { path: PathBuf },
    #[error("{} is larger than 64 MB", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} can't be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("{} was changed by somebody else meanwhile; nothing was written", path.display())]
    Changed { path: PathBuf },
}

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
    pub fn read(path: &Path) -> Result<Option<Self>, SettingsError> {
        let Some(original) = read_bytes(path)? else {
            return Ok(None);
        };
        let document = Document::parse(&original).map_err(|error| SettingsError::Syntax {
            path: path.to_owned(),
            error,
        })?;
        Ok(Some(SettingsFile {
            path: path.to_owned(),
            original: Some(original),
            document,
        }))
    }

    /// A file that is not there yet, with the text that it will have.
    pub fn planned(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let document = Document::parse(text.as_bytes()).map_err(|error| SettingsError::Syntax {
            path: path.to_owned(),
            error,
        })?;
        Ok(SettingsFile {
            path: path.to_owned(),
            original: None,
            document,
        })
    }

    pub fn is_new(&self) -> bool {
        self.original.is_none()
    }

    /// The keys that are to have another value, be there, or be gone.
    pub fn changed_keys(&self) -> Vec<String> {
        let before = self
            .original
            .as_deref()
            .and_then(|bytes| Document::parse(bytes).ok())
            .map(|document| document.entries())
            .unwrap_or_default();
        let after = self.document.entries();
        let lacks = |entries: &[Entry], wanted: &Entry| {
            !entries
                .iter()
                .any(|entry| entry.key == wanted.key && entry.value == wanted.value)
        };
        let mut keys: Vec<_> = after
            .iter()
            .filter(|entry| lacks(&before, entry))
            .map(|entry| entry.key.clone())
            .collect();
        keys.extend(
            before
                .into_iter()
                .map(|entry| entry.key)
                .filter(|key| !after.iter().any(|entry| entry.key == *key)),
        );
        keys
    }

    pub fn is_changed(&self) -> bool {
        self.original.as_ref() != Some(&self.document.to_bytes())
    }
}

/// Reads a file's document; `None` where there is no file.
pub fn read_document(path: &Path) -> Result<Option<Document>, SettingsError> {
    Ok(SettingsFile::read(path)?.map(|file| file.document))
}

/// Makes the changed files say what their documents say, all or none; what was there is kept in
/// `backups`. Returns the paths that were replaced.
pub fn write(files: &[SettingsFile], backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    change::commit(&replacements(files), backups)
}

/// What changed files are to hold.
pub fn replacements(files: &[SettingsFile]) -> Vec<Replacement> {
    let changed = files.iter().filter(|file| file.is_changed());
    changed
        .map(|file| Replacement {
            path: file.path.clone(),
            before: file.original.clone(),
            after: file.document.to_bytes(),
        })
        .collect()
}

/// Refuses a file that is read-only, also to a user for whom that is no obstacle.
pub fn check_access(path: &Path) -> Result<(), SettingsError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().readonly() => Err(write_error(
            path,
            io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"),
        )),
        _ => Ok(()),
    }
}

/// Writes a file of ours, or replaces it.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), SettingsError> {
    replace(
        &std::path::absolute(path).map_err(|error| write_error(path, error))?,
        bytes,
    )
}

/// Replaces a file, or makes it, by one rename; safe on disk.
fn replace(target: &Path, bytes: &[u8]) -> Result<(), SettingsError> {
    replace_soon(target, bytes, true)?;
    sync_folder(target)
}

/// The same; without `sync` whole at any time, but perhaps not on disk yet when the power fails.
fn replace_soon(target: &Path, bytes: &[u8], sync: bool) -> Result<(), SettingsError> {
    let failed = |error| write_error(target, error);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".harmony-").suffix(".tmp");
    let mut temporary = builder
        .tempfile_in(target.parent().unwrap_or(Path::new(".")))
        .map_err(failed)?;
    platform::copy_access(target, temporary.as_file()).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    if sync {
        temporary.as_file().sync_all().map_err(failed)?;
    }
    let kept = temporary.into_temp_path().keep();
    let temporary = kept.map_err(|error| failed(error.error))?;
    platform::replace(&temporary, target).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, SettingsError> {
    let failed = |error| SettingsError::Read {
        path: path.to_owned(),
        error,
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_dir() {
        return Err(SettingsError::Folder {
            path: path.to_owned(),
        });
    }
    if metadata.len() > MAXIMUM_SIZE {
        return Err(SettingsError::TooLarge {
            path: path.to_owned(),
        });
    }
    fs::read(path).map(Some).map_err(failed)
}

fn sync_folder(target: &Path) -> Result<(), SettingsError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    platform::sync_folder(folder).map_err(|error| write_error(folder, error))
}

fn write_error(path: &Path, error: io::Error) -> SettingsError {
    SettingsError::Write {
        path: path.to_owned(),
        error,
    }
}
