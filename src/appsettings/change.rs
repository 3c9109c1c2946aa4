//! A change of several files: all or nothing, finished or undone after a crash, undone on request.
//!
//! Before the first file is touched a journal says what is to become of each. Then the new contents
//! are made safe on disk beside their targets, the old ones in the backups, and renames put each in
//! its place. Whoever finds a journal whose new contents still lie beside their targets finishes the
//! change where all of them are whole, else takes it back; so at no moment is a mixture for good.

use super::{
    SettingsError, check_access, read_bytes, replace, replace_soon, sync_folder, write_error,
};
use crate::platform;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Beside the backups: what the last change was.
const JOURNAL: &str = "last-change.json";

/// What one file is to hold in place of what it holds.
#[derive(Debug, Clone)]
pub struct Replacement {
    pub path: PathBuf,
    /// `None` where the file is still to be made.
    pub before: Option<Vec<u8>>,
    pub after: Vec<u8>,
}

/// One file's part in a change, as the journal has it.
#[derive(Serialize, Deserialize)]
struct Change {
    path: PathBuf,
    /// The file itself, where the path is a link.
    target: PathBuf,
    /// Where the new content lies until the rename.
    temporary: PathBuf,
    /// Where the former content is; `None` where there was no file.
    backup: Option<PathBuf>,
    /// Folders that are made for the file, the deepest first.
    #[serde(default)]
    folders: Vec<PathBuf>,
    /// Digests of what was there and of what takes its place.
    before: Option<String>,
    after: String,
}

/// How an interrupted change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    Finished,
    Undone,
}

/// Whether a change may have been interrupted: cheap, for every start.
pub fn is_interrupted(backups: &Path) -> Result<bool, SettingsError> {
    Ok(journal(backups)?
        .iter()
        .any(|change| change.temporary.exists()))
}

/// A file that [`undo`] leaves alone.
#[derive(Debug, Clone)]
pub struct Conflict {
    pub path: PathBuf,
    pub now: Vec<u8>,
    /// What undoing would bring back.
    pub then: Vec<u8>,
}

/// Makes all replacements, or none. Returns the paths.
pub fn commit(replacements: &[Replacement], backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    if replacements.is_empty() {
        return Ok(Vec::new());
    }
    let changes = replacements
        .iter()
        .map(|replacement| plan(replacement, backups))
        .collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(backups).map_err(|error| write_error(backups, error))?;
    write_journal(&changes, backups)?;
    let prepared = prepare(replacements, &changes);
    let put = prepared.and_then(|()| {
        changes
            .iter()
            .zip(replacements)
            .try_for_each(|(change, replacement)| {
                refuse_change(replacement)?;
                put(change)
            })
    });
    if let Err(error) = put {
        take_back(&changes)?;
        forget(backups)?;
        return Err(error);
    }
    Ok(changes.into_iter().map(|change| change.path).collect())
}

/// Ends a change that was interrupted; `None` where there is none.
pub fn recover(backups: &Path) -> Result<Option<Recovered>, SettingsError> {
    let changes = journal(backups)?;
    if !changes.iter().any(|change| change.temporary.exists()) {
        return Ok(None);
    }
    let mut whole = true;
    for change in &changes {
        whole = whole
            && (is(&change.temporary, Some(&change.after))?
                && is(&change.target, change.before.as_deref())?
                || is(&change.target, Some(&change.after))?);
    }
    if whole {
        changes
            .iter()
            .filter(|change| change.temporary.exists())
            .try_for_each(put)?;
        return Ok(Some(Recovered::Finished));
    }
    take_back(&changes)?;
    forget(backups)?;
    Ok(Some(Recovered::Undone))
}

/// Files that were changed since the last change, and so can't be brought back.
pub fn conflicts(backups: &Path) -> Result<Vec<Conflict>, SettingsError> {
    let mut conflicts = Vec::new();
    for change in journal(backups)? {
        if !is(&change.target, Some(&change.after))?
            && !is(&change.target, change.before.as_deref())?
        {
            let then = change
                .backup
                .as_deref()
                .map(read_bytes)
                .transpose()?
                .flatten()
                .unwrap_or_default();
            conflicts.push(Conflict {
                now: read_bytes(&change.target)?.unwrap_or_default(),
                then,
                path: change.path,
            });
        }
    }
    Ok(conflicts)
}

/// Whether [`undo`] would change anything.
pub fn is_undoable(backups: &Path) -> Result<bool, SettingsError> {
    journal(backups)?.iter().try_fold(false, |any, change| {
        Ok(any || is(&change.target, Some(&change.after))?)
    })
}

/// Brings back what the last [`commit`] changed. Returns the paths; refuses where somebody changed one since.
pub fn undo(backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    if let Some(conflict) = conflicts(backups)?.into_iter().next() {
        return Err(SettingsError::Changed {
            path: conflict.path,
        });
    }
    let changes = journal(backups)?;
    let undone = take_back(&changes)?;
    forget(backups)?;
    Ok(undone)
}

fn plan(replacement: &Replacement, backups: &Path) -> Result<Change, SettingsError> {
    let Replacement {
        path,
        before,
        after,
    } = replacement;
    refuse_change(replacement)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let target = match before {
        // A link stays a link: its target is replaced.
        Some(_) => {
            check_access(path)?;
            platform::canonicalize(path).map_err(|error| write_error(path, error))?
        }
        None => absolute.clone(),
    };
    let after = digest(after);
    let temporary = target.with_file_name(format!(
        ".harmony-{}.tmp",
        &digest(format!("{}{after}", target.display()).as_bytes())[..16]
    ));
    let backup = before
        .as_ref()
        .map(|_| backups.join(path.to_string_lossy().replace(['/', '\\', ':'], "%")));
    let missing = target
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.exists());
    Ok(Change {
        folders: missing.map(Path::to_owned).collect(),
        path: absolute,
        target,
        temporary,
        backup,
        before: before.as_deref().map(digest),
        after,
    })
}

/// Makes the new contents and the backups safe on disk.
fn prepare(replacements: &[Replacement], changes: &[Change]) -> Result<(), SettingsError> {
    for (change, replacement) in changes.iter().zip(replacements) {
        let failed = |error| write_error(&change.path, error);
        let folder = change.target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        if let (Some(backup), Some(before)) = (&change.backup, &replacement.before) {
            // An interrupted change is finished, not undone, once all new contents are safe: so the
            // backups need not be.
            replace_soon(backup, before, false)?;
        }
        // One that an earlier run left has the same name and nobody's care.
        let _ = fs::remove_file(&change.temporary);
        let mut file = fs::File::options()
            .write(true)
            .create_new(true)
            .open(&change.temporary)
            .map_err(failed)?;
        platform::copy_access(&change.target, &file).map_err(failed)?;
        file.write_all(&replacement.after)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
    }
    Ok(())
}

/// Puts a prepared content in its place, for good; never over a file that was not there before.
fn put(change: &Change) -> Result<(), SettingsError> {
    let failed = |error| write_error(&change.path, error);
    if change.before.is_none() && change.target.exists() {
        return Err(SettingsError::Changed {
            path: change.path.clone(),
        });
    }
    platform::replace(&change.temporary, &change.target).map_err(failed)?;
    sync_folder(&change.target)
}

/// Brings back what was there before, where a new content has taken its place. Returns the paths.
fn take_back(changes: &[Change]) -> Result<Vec<PathBuf>, SettingsError> {
    let mut undone = Vec::new();
    for change in changes {
        let _ = fs::remove_file(&change.temporary);
        if !is(&change.target, Some(&change.after))? {
            continue;
        }
        match &change.backup {
            None => {
                fs::remove_file(&change.target).map_err(|error| write_error(&change.path, error))?
            }
            Some(backup) => {
                let before =
                    read_bytes(backup)?.filter(|bytes| Some(digest(bytes)) == change.before);
                replace(
                    &change.target,
                    &before.ok_or_else(|| SettingsError::Changed {
                        path: backup.clone(),
                    })?,
                )?;
            }
        }
        undone.push(change.path.clone());
    }
    for folder in changes.iter().flat_map(|change| &change.folders) {
        // One that somebody has put something into meanwhile stays.
        let _ = fs::remove_dir(folder);
    }
    Ok(undone)
}

fn refuse_change(replacement: &Replacement) -> Result<(), SettingsError> {
    if read_bytes(&replacement.path)? == replacement.before {
        Ok(())
    } else {
        Err(SettingsError::Changed {
            path: replacement.path.clone(),
        })
    }
}

/// Whether a file holds what the digest says; `None` stands for no file.
fn is(path: &Path, digested: Option<&str>) -> Result<bool, SettingsError> {
    Ok(read_bytes(path)?.map(|bytes| digest(&bytes)).as_deref() == digested)
}

fn write_journal(changes: &[Change], backups: &Path) -> Result<(), SettingsError> {
    let journal = backups.join(JOURNAL);
    let text =
        serde_json::to_vec_pretty(changes).map_err(|error| write_error(&journal, error.into()))?;
    replace(&journal, &text)
}

fn journal(backups: &Path) -> Result<Vec<Change>, SettingsError> {
    let path = backups.join(JOURNAL);
    let Some(text) = read_bytes(&path)? else {
        return Ok(Vec::new());
    };
    serde_json::from_slice(&text).map_err(|error| SettingsError::Read {
        path,
        error: error.into(),
    })
}

fn forget(backups: &Path) -> Result<(), SettingsError> {
    let journal = backups.join(JOURNAL);
    match fs::remove_file(&journal) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(write_error(&journal, error))
        }
        _ => Ok(()),
    }
}

fn digest(bytes: &[u8]) -> String {
    crate::hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}
