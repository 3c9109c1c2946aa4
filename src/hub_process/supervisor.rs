//! The process that watches over the hub: it starts it again when it dies, and ends when the hub
//! ends in order.

use super::error::{HubProcessError, file_error};
use crate::instance::Instance;
use crate::instance::lock::Lock;
use crate::platform;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// The argument that makes a hub's process watch over another, which serves.
pub const SUPERVISE: &str = "--supervise";
/// Before the name of a variable that must not reach the hub.
pub const WITHOUT: &str = "--without=";
const LOG: &str = "hub.log";
const PID_FILE: &str = "supervisor.pid";
/// A hub that dies sooner than this, the first time, could not start.
const SHORT_LIFE: Duration = Duration::from_secs(2);
const FIRST_RESTART: Duration = Duration::from_millis(200);
const LAST_RESTART: Duration = Duration::from_secs(30);
/// How long it may take to end by itself after its hub.
const END_WITHIN: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);

/// Runs `harmony hub` with these arguments, in a group of its own, for as long as it should run.
/// `folder` is the instance's; the hub and its supervisor write to the log there.
pub fn run(arguments: &[String], folder: &Path) -> io::Result<ExitStatus> {
    let mut log = File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOG))?;
    let ended = watch(arguments, folder, &mut log);
    if let Err(error) = &ended {
        writeln!(log, "error: the hub cannot be watched over: {error}")?;
    }
    ended
}

fn watch(arguments: &[String], folder: &Path, log: &mut File) -> io::Result<ExitStatus> {
    platform::lead_group()?;
    let own = std::process::id().to_string();
    let _lock = Lock::take(&folder.join(PID_FILE), &own)?
        .ok_or_else(|| io::Error::other("another process does so already"))?;
    let hidden = |argument: &&String| argument.starts_with(WITHOUT);
    let (hidden, served): (Vec<_>, Vec<_>) = arguments.iter().partition(hidden);
    let mut hub = Command::new(platform::own_program()?);
    hub.arg("hub").args(served);
    for variable in hidden {
        hub.env_remove(&variable[WITHOUT.len()..]);
    }
    let (mut pause, mut ever_lived) = (FIRST_RESTART, false);
    loop {
        let began = Instant::now();
        let status = hub
            .stdin(platform::nowhere())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
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
        writeln!(
            log,
            "warning: the hub died ({status}); it is started again in {pause:?}"
        )?;
        std::thread::sleep(pause);
    }
}

/// The number of the process that watches over an instance's hub; empty just before it is written.
fn holder(instance: &Instance) -> Result<Option<String>, HubProcessError> {
    let path = instance.folder.join(PID_FILE);
    Lock::holder(&path).map_err(file_error(&path))
}

/// Whether a process watches over an instance's hub.
pub fn is_there(instance: &Instance) -> Result<bool, HubProcessError> {
    Ok(holder(instance)?.is_some())
}

/// Whether it is the process of a number that does so.
pub fn is(instance: &Instance, number: u32) -> bool {
    holder(instance).is_ok_and(|holder| holder == Some(number.to_string()))
}

/// Ends the process that watches over an instance's hub, and the hub with it where it still runs.
pub async fn end(instance: &Instance) -> Result<(), HubProcessError> {
    let began = Instant::now();
    let mut killed = false;
    while let Some(pid) = holder(instance)? {
        if began.elapsed() > END_WITHIN && !killed {
            // The lock says that the process is still ours, so the number means nobody else. It is
            // not there yet where the process has only just taken the lock.
            killed = pid.parse().map(platform::kill_with_children).is_ok();
        }
        if began.elapsed() > END_WITHIN * 10 {
            return Err(HubProcessError::File {
                path: instance.folder.join(PID_FILE),
                error: io::Error::other("its holder does not end"),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
