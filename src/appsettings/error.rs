//! What can go wrong with a settings file.

use super::document::SyntaxError;
use std::io;
use std::path::{Path, PathBuf};

/// Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{}: {error}", path.display())]
    Syntax { path: PathBuf, error: SyntaxError },
    #[error("cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} is a folder, not a settings file", path.display())]
    Folder { path: PathBuf },
    #[error("{} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is larger than 16 MB", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} leads to {}, outside {}", path.display(), target.display(), root.display())]
    Outside {
        path: PathBuf,
        target: PathBuf,
        root: PathBuf,
    },
    #[error("cannot write {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("{} was changed by another program meanwhile; nothing was written", path.display())]
    Changed { path: PathBuf },
}

impl SettingsError {
    pub(super) fn syntax(path: &Path, error: SyntaxError) -> Self {
        SettingsError::Syntax {
            path: path.to_owned(),
            error,
        }
    }

    pub(super) fn read(path: &Path, error: io::Error) -> Self {
        SettingsError::Read {
            path: path.to_owned(),
            error,
        }
    }

    pub(super) fn write(path: &Path, error: io::Error) -> Self {
        SettingsError::Write {
            path: path.to_owned(),
            error,
        }
    }

    pub(super) fn changed(path: &Path) -> Self {
        SettingsError::Changed {
            path: path.to_owned(),
        }
    }
}
