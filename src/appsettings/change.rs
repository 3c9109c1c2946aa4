//! A change of several files: all or nothing, finished or undone after a crash, undone on request.
//!
//! Before the first file is touched a journal says what is to become of each. Then the new contents
//! are made safe on disk beside their targets, the old ones in the backups, and renames put each in
//! its place. Whoever finds a journal whose new contents still lie beside their targets finishes
//! the change where all of them are whole, else takes it back; so at no moment is a mixture for
//! good.

mod history;
mod record;

pub use history::{UndoPlan, UndoneFile, undo, undo_plan};

use super::disk::{Durability, Links, check_access, read_bytes, replace, sync_folder};
use super::error::SettingsError;
use crate::platform;
use record::{Change, digest, is, take_back};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What one file is to hold in place of what it holds.
#[derive(Debug, Clone)]
pub struct Replacement {
    pub path: PathBuf,
    /// `None` where the file is still to be made.
    pub before: Option<Vec<u8>>,
    pub after: Vec<u8>,
}

/// How an interrupted change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    Finished,
    Undone,
}

/// Whether a change may have been interrupted: cheap, for every start.
pub fn is_interrupted(backups: &Path) -> Result<bool, SettingsError> {
    let Some(newest) = history::newest(backups)? else {
        return Ok(false);
    };
    let changes = history::read(&newest)?;
    Ok(changes.iter().any(|change| change.temporary.exists()))
}

/// Makes all replacements, or none. Returns the paths.
pub fn commit(replacements: &[Replacement], backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    if replacements.is_empty() {
        return Ok(Vec::new());
    }
    let journal = history::next(backups)?;
    let changes = replacements
        .iter()
        .enumerate()
        .map(|(place, replacement)| plan(replacement, &journal.join(place.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    history::write(&changes, &journal)?;
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
        history::forget(&journal)?;
        return Err(error);
    }
    history::prune(backups)?;
    Ok(changes.into_iter().map(|change| change.path).collect())
}

/// Ends a change that was interrupted; `None` where there is none.
pub fn recover(backups: &Path) -> Result<Option<Recovered>, SettingsError> {
    let Some(journal) = history::newest(backups)? else {
        return Ok(None);
    };
    let changes = history::read(&journal)?;
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
    history::forget(&journal)?;
    Ok(Some(Recovered::Undone))
}

fn plan(replacement: &Replacement, backup: &Path) -> Result<Change, SettingsError> {
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
            platform::canonicalize(path).map_err(|error| SettingsError::write(path, error))?
        }
        None => absolute.clone(),
    };
    let after = digest(after);
    let temporary = target.with_file_name(format!(
        ".harmony-{}.tmp",
        &digest(format!("{}{after}", target.display()).as_bytes())[..16]
    ));
    let backup = before.as_ref().map(|_| backup.to_owned());
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
        let failed = |error| SettingsError::write(&change.path, error);
        let folder = change.target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        if let (Some(backup), Some(before)) = (&change.backup, &replacement.before) {
            // An interrupted change is finished, not undone, once all new contents are safe: so the
            // backups need not be.
            replace(backup, before, Durability::Eventual)?;
        }
        // One that an earlier run left has the same name and nobody's care.
        let _ = fs::remove_file(&change.temporary);
        let mut file = platform::create_private_file(&change.temporary).map_err(failed)?;
        platform::copy_access(&change.target, &change.temporary, &file).map_err(failed)?;
        file.write_all(&replacement.after)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
    }
    Ok(())
}

/// Puts a prepared content in its place, for good; never over a file that was not there before.
fn put(change: &Change) -> Result<(), SettingsError> {
    let failed = |error| SettingsError::write(&change.path, error);
    if change.before.is_none() && change.target.exists() {
        return Err(SettingsError::changed(&change.path));
    }
    platform::replace(&change.temporary, &change.target).map_err(failed)?;
    sync_folder(&change.target)
}

fn refuse_change(replacement: &Replacement) -> Result<(), SettingsError> {
    if read_bytes(&replacement.path, Links::Followed)? == replacement.before {
        Ok(())
    } else {
        Err(SettingsError::changed(&replacement.path))
    }
}
