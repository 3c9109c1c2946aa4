//! Files read whole and within bounds, and replaced by one rename.

use super::error::SettingsError;
use crate::platform;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// Larger files are not settings.
const MAXIMUM_SIZE: u64 = 16 << 20;

/// Where a path may lead through links.
#[derive(Debug, Clone, Copy)]
pub enum Links<'l> {
    /// Anywhere: whoever starts the program made them, or named the file.
    Followed,
    /// Nowhere outside a folder, whoever filled it.
    Within(&'l Path),
}

/// Whether a file must be on the disk when a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It is there after a power failure too.
    Durable,
    /// It is whole at any time, but perhaps not on disk yet.
    Eventual,
}

/// A regular file's bytes; `None` where there is no file. What has no end is not read to its end.
pub(super) fn read_bytes(path: &Path, links: Links<'_>) -> Result<Option<Vec<u8>>, SettingsError> {
    let failed = |error| SettingsError::read(path, error);
    let is_missing = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if let Links::Within(root) = links {
        refuse_outside(path, root)?;
    }
    let path = path.to_owned();
    if metadata.is_dir() {
        return Err(SettingsError::Folder { path });
    }
    // A device or a pipe may never end, or wait for ever.
    if !metadata.is_file() {
        return Err(SettingsError::NotAFile { path });
    }
    // One byte more than there is, to see the end without another, larger buffer.
    let mut bytes = Vec::with_capacity(metadata.len().min(MAXIMUM_SIZE) as usize + 1);
    let file = fs::File::open(&path).map_err(|error| SettingsError::read(&path, error))?;
    // Files of the system tell no size, and any file may grow meanwhile.
    file.take(MAXIMUM_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| SettingsError::read(&path, error))?;
    if bytes.len() as u64 > MAXIMUM_SIZE {
        return Err(SettingsError::TooLarge { path });
    }
    Ok(Some(bytes))
}

/// Refuses a path that leaves a folder through a link.
fn refuse_outside(path: &Path, root: &Path) -> Result<(), SettingsError> {
    let real = |path: &Path| {
        platform::canonicalize(path).map_err(|error| SettingsError::read(path, error))
    };
    let (target, root) = (real(path)?, real(root)?);
    if target.starts_with(&root) {
        return Ok(());
    }
    Err(SettingsError::Outside {
        path: path.to_owned(),
        target,
        root,
    })
}

/// Replaces a file, or makes it, by one rename.
pub(super) fn replace(
    target: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), SettingsError> {
    let failed = |error| SettingsError::write(target, error);
    // The temporary file is born readable for its owner only.
    let mut temporary = tempfile::Builder::new()
        .prefix(".harmony-")
        .suffix(".tmp")
        .tempfile_in(target.parent().unwrap_or(Path::new(".")))
        .map_err(failed)?;
    platform::copy_access(target, temporary.path(), temporary.as_file()).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    if durability == Durability::Durable {
        temporary.as_file().sync_all().map_err(failed)?;
    }
    let kept = temporary.into_temp_path().keep();
    let temporary = kept.map_err(|error| failed(error.error))?;
    platform::replace(&temporary, target).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })?;
    match durability {
        Durability::Durable => sync_folder(target),
        Durability::Eventual => Ok(()),
    }
}

/// Makes a file's name safe on disk.
pub(super) fn sync_folder(target: &Path) -> Result<(), SettingsError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    platform::sync_folder(folder).map_err(|error| SettingsError::write(folder, error))
}

/// Refuses a file that is read-only, also to a user for whom that is no obstacle.
pub fn check_access(path: &Path) -> Result<(), SettingsError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().readonly() => Err(SettingsError::write(
            path,
            io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"),
        )),
        _ => Ok(()),
    }
}

/// Writes a file of ours, or replaces it.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), SettingsError> {
    let path = std::path::absolute(path).map_err(|error| SettingsError::write(path, error))?;
    replace(&path, bytes, Durability::Durable)
}
