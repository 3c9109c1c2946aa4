//! A lock that one process holds, with a note for the others that says who holds it.
//!
//! The note is a file of its own: on Windows nobody else can read a file that is locked.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whoever looks for the holder has the lock for a moment, longer on a busy machine.
const LOOK: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(5);

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and leaves a note at `path`; `None` where another process holds it, and not
    /// just looks.
    pub fn take(path: &Path, note: &str) -> io::Result<Option<Self>> {
        let guard = guard(path);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(guard)?;
        let deadline = Instant::now() + LOOK;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    fs::write(path, note)?;
                    return Ok(Some(Lock { _file: file }));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The holder's note, which is empty just before it is written; `None` where nobody holds the
    /// lock.
    pub fn holder(path: &Path) -> io::Result<Option<String>> {
        let file = match File::options().write(true).open(guard(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(fs::read_to_string(path).unwrap_or_default())),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The file that is locked.
fn guard(path: &Path) -> PathBuf {
    path.with_added_extension("lock")
}
