//! Who may read and write a file or a folder.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// Creates a file that is not there yet, for its owner only.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Creates a folder, and those above it, for its owner only; narrows one that is there.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// The names that a file has beside this one.
pub fn other_names(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.nlink().saturating_sub(1))
}

/// Whether a folder belongs to somebody else than the user who works here, as git judges it. Root
/// works for the user who called it by sudo, too; where nobody did, as in a container, for
/// everybody.
pub fn is_foreign(folder: &Path) -> bool {
    let Ok(metadata) = fs::metadata(folder) else {
        return false;
    };
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if own != 0 {
        return owner != own;
    }
    let caller = std::env::var("SUDO_UID").ok();
    caller
        .and_then(|caller| caller.parse::<u32>().ok())
        .is_some_and(|caller| owner != caller && owner != 0)
}

/// Gives a new file the permissions, the owner and the extended attributes of the one that it will
/// replace; where there is none, its owner alone reads it.
pub fn copy_access(target: &Path, _temporary: &Path, file: &File) -> io::Result<()> {
    let Ok(metadata) = fs::metadata(target) else {
        return file.set_permissions(Permissions::from_mode(0o600));
    };
    copy_attributes(target, file);
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
        fchown(file, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    file.set_permissions(metadata.permissions())
}

/// Copies what a file system lets this user copy: some attributes are the system's own.
fn copy_attributes(target: &Path, file: &File) {
    let mut names = vec![0; 64 << 10];
    let Ok(length) = rustix::fs::listxattr(target, &mut names) else {
        return;
    };
    let mut value = vec![0; 64 << 10];
    for name in names[..length].split(|byte| *byte == 0) {
        if name.is_empty() {
            continue;
        }
        if let Ok(size) = rustix::fs::getxattr(target, name, &mut value) {
            let flags = rustix::fs::XattrFlags::empty();
            let _ = rustix::fs::fsetxattr(file, name, &value[..size], flags);
        }
    }
}
