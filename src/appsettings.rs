//! Settings files: read, checked for change meanwhile, replaced atomically, with a backup.

pub mod document;
pub mod key_path;
pub mod layers;
pub mod twins;

use document::{Document, SyntaxError};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Larger files are not settings.
const MAXIMUM_SIZE: u64 = 64 << 20;
/// Beside the backups: what the last change was, so that it can be undone.
const JOURNAL: &str = "last-change.json";

/// One file's part in a change.
#[derive(Serialize, Deserialize)]
struct Change {
    path: PathBuf,
    /// Where its former content is; `None` where there was no file.
    backup: Option<PathBuf>,
    /// The digest of what was written.
    after: String,
}

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
        let Some(original) = read_bytes(path)? else { return Ok(None) };
        let document = Document::parse(&original).map_err(|error| SettingsError::Syntax { path: path.to_owned(), error })?;
        Ok(Some(SettingsFile { path: path.to_owned(), original: Some(original), document }))
    }

    /// A file that is not there yet, with the text that it will have.
    pub fn planned(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let document = Document::parse(text.as_bytes()).map_err(|error| SettingsError::Syntax { path: path.to_owned(), error })?;
        Ok(SettingsFile { path: path.to_owned(), original: None, document })
    }

    pub fn is_new(&self) -> bool {
        self.original.is_none()
    }

    pub fn is_changed(&self) -> bool {
        self.original.as_ref() != Some(&self.document.to_bytes())
    }
}

/// Reads a file's document; `None` where there is no file.
pub fn read_document(path: &Path) -> Result<Option<Document>, SettingsError> {
    Ok(SettingsFile::read(path)?.map(|file| file.document))
}

/// Replaces the changed files, each by one rename, after all are safely on disk beside their
/// targets; copies of what was there go into `backups`. Returns the paths that were replaced.
pub fn write(files: &[SettingsFile], backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    let changed: Vec<_> = files.iter().filter(|file| file.is_changed()).collect();
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let mut prepared = Vec::new();
    for file in &changed {
        let Some(original) = &file.original else {
            if file.path.exists() {
                return Err(SettingsError::Changed { path: file.path.clone() });
            }
            prepared.push(None);
            continue;
        };
        check_access(&file.path)?;
        // A link stays a link: its target is replaced.
        let target = fs::canonicalize(&file.path).map_err(|error| write_error(&file.path, error))?;
        if read_bytes(&target)?.as_deref() != Some(original) {
            return Err(SettingsError::Changed { path: file.path.clone() });
        }
        back_up(&file.path, original, backups)?;
        prepared.push(Some((prepare(&target, &file.document.to_bytes())?, target)));
    }
    record(&changed, backups)?;
    for (file, prepared) in changed.iter().zip(prepared) {
        match prepared {
            None => create(&file.path, &file.document.to_bytes())?,
            Some((temporary, target)) => persist(temporary, &target)?,
        }
    }
    Ok(changed.iter().map(|file| file.path.clone()).collect())
}

/// Brings back what the last [`write`] changed; refuses where somebody changed it since. Returns the paths.
pub fn undo(backups: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    let journal = backups.join(JOURNAL);
    let Some(text) = read_bytes(&journal)? else { return Ok(Vec::new()) };
    let damaged = |error: serde_json::Error| SettingsError::Read { path: journal.clone(), error: error.into() };
    let changes: Vec<Change> = serde_json::from_slice(&text).map_err(damaged)?;
    for change in &changes {
        if read_bytes(&change.path)?.map(|bytes| digest(&bytes)).as_deref() != Some(&change.after) {
            return Err(SettingsError::Changed { path: change.path.clone() });
        }
    }
    for change in &changes {
        let original = match &change.backup {
            None => None,
            Some(backup) => Some(read_bytes(backup)?.ok_or_else(|| SettingsError::Changed { path: backup.clone() })?),
        };
        put_back(&change.path, original.as_deref())?;
    }
    fs::remove_file(&journal).map_err(|error| write_error(&journal, error))?;
    Ok(changes.into_iter().map(|change| change.path).collect())
}

/// Remembers what a write changes, before it does.
fn record(files: &[&SettingsFile], backups: &Path) -> Result<(), SettingsError> {
    let changes: Vec<_> = files
        .iter()
        .map(|file| Change {
            path: std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone()),
            backup: file.original.as_ref().map(|_| backup_path(&file.path, backups)),
            after: digest(&file.document.to_bytes()),
        })
        .collect();
    let journal = backups.join(JOURNAL);
    let text = serde_json::to_vec_pretty(&changes).map_err(|error| write_error(&journal, error.into()))?;
    fs::create_dir_all(backups).map_err(|error| write_error(backups, error))?;
    replace(&journal, &text)
}

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Brings files back to what they were before [`write`], where they are still as it left them.
pub fn restore(files: &[SettingsFile]) -> Result<(), SettingsError> {
    for file in files.iter().filter(|file| file.is_changed()) {
        if read_bytes(&file.path)? == Some(file.document.to_bytes()) {
            put_back(&file.path, file.original.as_deref())?;
        }
    }
    Ok(())
}

/// Brings one file back to what it held; where it held nothing, it goes.
fn put_back(path: &Path, original: Option<&[u8]>) -> Result<(), SettingsError> {
    match original {
        None => fs::remove_file(path).map_err(|error| write_error(path, error)),
        Some(original) => replace(&fs::canonicalize(path).map_err(|error| write_error(path, error))?, original),
    }
}

/// Refuses a file that is read-only, also to a user for whom that is no obstacle.
pub fn check_access(path: &Path) -> Result<(), SettingsError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().readonly() => {
            Err(write_error(path, io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only")))
        }
        _ => Ok(()),
    }
}

/// Makes a new file with its folders; never over one that is there.
fn create(path: &Path, bytes: &[u8]) -> Result<(), SettingsError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
    prepare(path, bytes)?.persist_noclobber(path).map_err(|error| write_error(path, error.error))?;
    sync_folder(path)
}

/// Writes bytes beside their target, with its permissions and owner, safe on disk.
fn prepare(target: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile, SettingsError> {
    let failed = |error| write_error(target, error);
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".harmony-").suffix(".tmp");
    let mut temporary = builder.tempfile_in(folder).map_err(failed)?;
    if let Ok(metadata) = fs::metadata(target) {
        keep_owner(&metadata, temporary.as_file()).map_err(failed)?;
        temporary.as_file().set_permissions(metadata.permissions()).map_err(failed)?;
    } else {
        open_to_group(temporary.as_file()).map_err(failed)?;
    }
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    Ok(temporary)
}

/// Puts prepared bytes in their target's place, for good.
fn persist(temporary: tempfile::NamedTempFile, target: &Path) -> Result<(), SettingsError> {
    temporary.persist(target).map_err(|error| write_error(target, error.error))?;
    sync_folder(target)
}

/// Replaces a file, or makes it, by one rename.
fn replace(target: &Path, bytes: &[u8]) -> Result<(), SettingsError> {
    persist(prepare(target, bytes)?, target)
}

#[cfg(unix)]
fn keep_owner(metadata: &fs::Metadata, file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(metadata.uid()), Some(metadata.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &fs::Metadata, _: &File) -> io::Result<()> {
    Ok(())
}

/// A new settings file is readable like any other; temporary files start out private.
#[cfg(unix)]
fn open_to_group(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_group(_: &File) -> io::Result<()> {
    Ok(())
}

/// Keeps what a file held before its last change, under its path with `%` for each separator.
fn back_up(file: &Path, original: &[u8], backups: &Path) -> Result<(), SettingsError> {
    let path = backup_path(file, backups);
    fs::create_dir_all(backups).map_err(|error| write_error(backups, error))?;
    replace(&path, original)
}

fn backup_path(file: &Path, backups: &Path) -> PathBuf {
    backups.join(file.to_string_lossy().replace(['/', '\\', ':'], "%"))
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, SettingsError> {
    let failed = |error| SettingsError::Read { path: path.to_owned(), error };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_dir() {
        return Err(SettingsError::Folder { path: path.to_owned() });
    }
    if metadata.len() > MAXIMUM_SIZE {
        return Err(SettingsError::TooLarge { path: path.to_owned() });
    }
    fs::read(path).map(Some).map_err(failed)
}

fn sync_folder(target: &Path) -> Result<(), SettingsError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| write_error(folder, error))
}

fn write_error(path: &Path, error: io::Error) -> SettingsError {
    SettingsError::Write { path: path.to_owned(), error }
}
