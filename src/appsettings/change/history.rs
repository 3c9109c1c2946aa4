//! The journals of past changes, newest first, and going back over them.

use super::record::{Change, digest, take_back};
use crate::appsettings::disk::{Durability, Links, read_bytes, replace};
use crate::appsettings::error::SettingsError;
use crate::platform;
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// In each change's folder: what became of each file.
const JOURNAL: &str = "change.json";
/// What earlier versions kept of their one change, beside its backups.
const FORMER_JOURNAL: &str = "last-change.json";
/// How many changes can be undone.
const KEPT: usize = 50;

/// What going back over some changes would do.
#[derive(Debug, Clone, Default)]
pub struct UndoPlan {
    /// How many changes there are to go back over, at most as many as were asked for.
    pub changes: usize,
    pub files: Vec<UndoneFile>,
    /// Files that somebody changed since: then nothing is undone.
    pub conflicts: Vec<UndoneFile>,
}

/// A file now, and after it was undone; `None` stands for no file.
#[derive(Debug, Clone)]
pub struct UndoneFile {
    pub path: PathBuf,
    pub now: Option<Vec<u8>>,
    pub then: Option<Vec<u8>>,
}

/// What [`undo`] would do.
pub fn undo_plan(backups: &Path, steps: usize) -> Result<UndoPlan, SettingsError> {
    let mut plan = UndoPlan::default();
    // What each file holds once the changes that were looked at are undone.
    let mut held: HashMap<PathBuf, Option<Vec<u8>>> = HashMap::new();
    for journal in journals(backups)?.into_iter().take(steps) {
        let changes = read(&journal)?;
        for change in &changes {
            let on_disk = read_bytes(&change.target, Links::Followed)?;
            let now = held.entry(change.target.clone()).or_insert(on_disk);
            let digested = now.as_deref().map(digest);
            if digested == change.before {
                continue;
            }
            let then = change.former()?;
            let undone = UndoneFile {
                path: change.path.clone(),
                now: now.clone(),
                then: then.clone(),
            };
            if digested.as_deref() != Some(change.after.as_str()) {
                plan.conflicts.push(undone);
                continue;
            }
            match plan.files.iter_mut().find(|file| file.path == change.path) {
                Some(file) => file.then.clone_from(&then),
                None => plan.files.push(undone),
            }
            *now = then;
        }
        plan.changes += 1;
    }
    Ok(plan)
}

/// Brings back what the last changes replaced. Returns the paths; refuses where somebody changed a
/// file since.
pub fn undo(backups: &Path, steps: usize) -> Result<Vec<PathBuf>, SettingsError> {
    let plan = undo_plan(backups, steps)?;
    if let Some(conflict) = plan.conflicts.first() {
        return Err(SettingsError::changed(&conflict.path));
    }
    for journal in journals(backups)?.into_iter().take(steps) {
        take_back(&read(&journal)?)?;
        forget(&journal)?;
    }
    Ok(plan.files.into_iter().map(|file| file.path).collect())
}

/// The last change's journal.
pub(super) fn newest(backups: &Path) -> Result<Option<PathBuf>, SettingsError> {
    Ok(journals(backups)?.into_iter().next())
}

/// The folder for the next change.
pub(super) fn next(backups: &Path) -> Result<PathBuf, SettingsError> {
    let last = numbered(backups)?.first().map_or(0, |(number, _)| *number);
    Ok(backups.join(format!("{:06}", last + 1)))
}

pub(super) fn write(changes: &[Change], journal: &Path) -> Result<(), SettingsError> {
    let path = journal.join(JOURNAL);
    let failed = |error| SettingsError::write(&path, error);
    let backups = journal.parent().unwrap_or(journal);
    platform::create_private_folder(backups).map_err(failed)?;
    platform::create_private_folder(journal).map_err(failed)?;
    let text = serde_json::to_vec_pretty(changes).map_err(|error| failed(error.into()))?;
    replace(&path, &text, Durability::Durable)
}

pub(super) fn read(journal: &Path) -> Result<Vec<Change>, SettingsError> {
    let path = if journal.is_dir() {
        journal.join(JOURNAL)
    } else {
        journal.to_owned()
    };
    let Some(text) = read_bytes(&path, Links::Followed)? else {
        return Ok(Vec::new());
    };
    serde_json::from_slice(&text).map_err(|error| SettingsError::read(&path, error.into()))
}

pub(super) fn forget(journal: &Path) -> Result<(), SettingsError> {
    let removed = if journal.is_dir() {
        fs::remove_dir_all(journal)
    } else {
        fs::remove_file(journal)
    };
    removed.map_err(|error| SettingsError::write(journal, error))?;
    if let Some(backups) = journal.parent() {
        // A folder that holds others stays.
        let _ = fs::remove_dir(backups);
    }
    Ok(())
}

/// Forgets what is too old to be undone.
pub(super) fn prune(backups: &Path) -> Result<(), SettingsError> {
    journals(backups)?
        .iter()
        .skip(KEPT)
        .try_for_each(|journal| forget(journal))
}

/// Every change that can be undone, newest first.
fn journals(backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    let numbered = numbered(backups)?.into_iter().map(|(_, path)| path);
    let former = Some(backups.join(FORMER_JOURNAL)).filter(|path| path.exists());
    Ok(numbered.chain(former).collect())
}

fn numbered(backups: &Path) -> Result<Vec<(u64, PathBuf)>, SettingsError> {
    let entries = match fs::read_dir(backups) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(SettingsError::read(backups, error)),
    };
    let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    let is_journal = |path: &Path| path.join(JOURNAL).exists();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_journal(path))
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(found)
}
