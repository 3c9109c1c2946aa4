//! What can go wrong with a hub in the background.

use crate::hub_client::ClientError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum HubProcessError {
    #[error("{} can't be used: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the hub could not be started: {0}")]
    Spawn(io::Error),
    #[error("the hub ended at once ({status}); its last words:\n{log}")]
    Died { status: String, log: String },
    #[error(
        "no client could connect to the hub within {within:?}: {error}; its last words:\n{log}"
    )]
    NotReady {
        within: Duration,
        error: ClientError,
        log: String,
    },
    #[error("process {0} does not end")]
    DoesNotEnd(u32),
}

pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> HubProcessError {
    let path = path.to_owned();
    move |error| HubProcessError::File { path, error }
}
