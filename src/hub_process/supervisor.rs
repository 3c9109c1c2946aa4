//! The process that watches over the hub: it starts it again when it dies, and ends when the hub ends in order.

use super::{HubProcessError, file_error};
use crate::instance::Instance;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// The argument that makes a hub's process watch over another, which serves.
pub const SUPERVISE: &str = "--supervise";
const PID_FILE: &str = "supervisor.pid";
/// A hub that dies sooner than this, the first time, could not start.
const SHORT_LIFE: Duration = Duration::from_secs(2);
const FIRST_RESTART: Duration = Duration::from_millis(200);
const LAST_RESTART: Duration = Duration::from_secs(30);
/// How long it may take to end by itself after its hub.
const END_WITHIN: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);

/// Runs `harmony hub` with these arguments, in a session of its own, for as long as it should run.
/// `folder` is the instance's; `note` is told when the hub died.
pub fn run(arguments: &[String], folder: &Path, note: impl Fn(&str)) -> io::Result<ExitStatus> {
    // Fails where it leads a session already, which is as good.
    let _ = rustix::process::setsid();
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(PID_FILE))?;
    file.try_lock()
        .map_err(|_| io::Error::other("another process watches over this instance's hub"))?;
    file.set_len(0)?;
    write!(file, "{}", std::process::id())?;
    let executable = std::env::current_exe()?;
    let (mut pause, mut ever_lived) = (FIRST_RESTART, false);
    loop {
        let began = Instant::now();
        let status = Command::new(&executable)
            .arg("hub")
            .args(arguments)
            .status()?;
        let lived = began.elapsed() > SHORT_LIFE;
        ever_lived |= lived;
        if status.success() || !ever_lived {
            return Ok(status);
        }
        pause = if lived {
            FIRST_RESTART
        } else {
            (pause * 2).min(LAST_RESTART)
        };
        note(&format!(
            "the hub died ({status}); it is started again in {pause:?}"
        ));
        std::thread::sleep(pause);
    }
}

/// Ends the process that watches over an instance's hub, and the hub with it where it still runs.
pub fn end(instance: &Instance) -> Result<(), HubProcessError> {
    let path = instance.folder.join(PID_FILE);
    let began = Instant::now();
    let mut killed = false;
    loop {
        let mut file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(file_error(&path)(error)),
        };
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(file_error(&path)(error)),
        }
        if began.elapsed() > END_WITHIN && !killed {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(file_error(&path))?;
            // The lock says that the process is still ours, so the number means nobody else.
            if let Some(group) = text
                .trim()
                .parse()
                .ok()
                .and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            killed = true;
        }
        if began.elapsed() > END_WITHIN * 10 {
            return Err(HubProcessError::File {
                path,
                error: io::Error::other("its holder does not end"),
            });
        }
        std::thread::sleep(POLL);
    }
}
