//! The token of the admin listener: a file that only its owner reads, made where there is none.

use crate::platform::{self, Readers};
use crate::secret::Secret;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The file's name beside an instance's other files.
pub const FILE: &str = "admin-token";
/// More is no token.
const TOKEN_BYTES: u64 = 1 << 10;

/// The token in a file; a new one where the file is missing or empty.
pub fn keep(path: &Path) -> io::Result<Secret> {
    match read(path) {
        Ok(token) if !token.is_empty() => return Ok(token),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Born with its mode: one that others could read would not become narrower.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let token = Secret::generate().map_err(io::Error::other)?;
    platform::create_file(path, Readers::Owner)?.write_all(token.reveal().as_bytes())?;
    Ok(token)
}

/// The token in a file.
pub fn read(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    File::open(path)?
        .take(TOKEN_BYTES)
        .read_to_string(&mut text)?;
    Ok(Secret::new(text.trim()))
}
