//! The process that watches over the hub: it starts it again when it dies, and ends when the hub ends in order.

use super::{HubProcessError, file_error};
use crate::instance::Instance;
use crate::instance::lock::Lock;
use crate::platform;
use std::io;
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
    platform::lead_group()?;
    let own = std::process::id().to_string();
    let _lock = Lock::take(&folder.join(PID_FILE), &own)?
        .ok_or_else(|| io::Error::other("another process watches over this instance's hub"))?;
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
pub async fn end(instance: &Instance) -> Result<(), HubProcessError> {
    let path = instance.folder.join(PID_FILE);
    let began = Instant::now();
    let mut killed = false;
    while let Some(pid) = Lock::holder(&path).map_err(file_error(&path))? {
        if began.elapsed() > END_WITHIN && !killed {
            // The lock says that the process is still ours, so the number means nobody else.
            let _ = pid.parse().map(platform::kill_with_children);
            killed = true;
        }
        if began.elapsed() > END_WITHIN * 10 {
            return Err(HubProcessError::File {
                path,
                error: io::Error::other("its holder does not end"),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
