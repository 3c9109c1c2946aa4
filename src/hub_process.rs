//! The hub as a background process: our own executable started anew, known by a lock that it holds.

pub mod supervisor;

use crate::hub_client::{ClientError, HubClient};
use crate::instance::Instance;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use url::Url;

/// A log that is larger is set aside when the hub starts; one old log is kept.
const LARGEST_LOG: u64 = 10 << 20;
const POLL: Duration = Duration::from_millis(10);

/// What a running hub says of itself, in its pid file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    pub pid: u32,
    /// Of everything that it was started with: another one means that it has to be replaced.
    pub fingerprint: String,
    pub version: String,
    /// Seconds since 1970.
    pub started_at: u64,
    pub url: String,
    pub admin_url: String,
}

/// How a hub is to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    pub url: Url,
    pub admin_url: String,
    pub fingerprint: String,
    /// What follows `harmony hub`; never a secret, since every user of the machine can read it.
    pub arguments: Vec<String>,
    /// Variables of this process that must not reach the hub: settings that the files decide.
    pub hidden_variables: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum HubProcessError {
    #[error("{} can't be used: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the hub could not be started: {0}")]
    Spawn(io::Error),
    #[error("the hub ended at once ({status}); its last words:\n{log}")]
    Died { status: String, log: String },
    #[error(
        "no client could connect to the hub within {within:?}: {error}; its last words:\n{log}"
    )]
    NotReady {
        within: Duration,
        error: ClientError,
        log: String,
    },
    #[error("process {0} does not end")]
    DoesNotEnd(u32),
}

/// Held by the hub while it runs; whoever can take it knows that there is none.
pub struct PidFile {
    _file: File,
}

fn pid_path(instance: &Instance) -> PathBuf {
    instance.folder.join("hub.pid")
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> HubProcessError {
    let path = path.to_owned();
    move |error| HubProcessError::File { path, error }
}

impl PidFile {
    /// The hub's own part: says who it is.
    pub fn hold(folder: &Path, running: &Running) -> io::Result<Self> {
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("hub.pid"))?;
        file.try_lock()
            .map_err(|_| io::Error::other("another hub of this instance is running"))?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(running)?)?;
        file.sync_all()?;
        Ok(PidFile { _file: file })
    }
}

/// The instance's hub, where one runs.
pub fn find(instance: &Instance) -> Result<Option<Running>, HubProcessError> {
    let path = pid_path(instance);
    let mut file = match File::options().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(&path)(error)),
    };
    match file.try_lock() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(file_error(&path)(error)),
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(file_error(&path))?;
    // Locked but not written yet: it is just starting, and will be found the next time.
    Ok(serde_json::from_str(&text).ok())
}

/// Starts the hub and returns once a client could connect.
pub async fn launch(
    instance: &Instance,
    launch: &Launch,
    within: Duration,
) -> Result<Running, HubProcessError> {
    // One that waits to start a hub that died would start it beside this one.
    supervisor::end(instance)?;
    let log = open_log(instance)?;
    let start = log.metadata().map_or(0, |metadata| metadata.len());
    let executable = std::env::current_exe().map_err(HubProcessError::Spawn)?;
    let errors = log.try_clone().map_err(HubProcessError::Spawn)?;
    let mut command = Command::new(executable);
    command
        .arg("hub")
        .arg(supervisor::SUPERVISE)
        .args(&launch.arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    for variable in &launch.hidden_variables {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(HubProcessError::Spawn)?;
    let deadline = Instant::now() + within;
    let mut guard = KillUnlessReady(Some(&mut child));
    loop {
        if let Some(child) = &mut guard.0
            && let Some(status) = child.try_wait().map_err(HubProcessError::Spawn)?
        {
            return Err(HubProcessError::Died {
                status: status.to_string(),
                log: log_since(instance, start),
            });
        }
        let error = match HubClient::connect(&launch.url).await {
            Ok(_) => match find(instance)? {
                Some(running) if running.fingerprint == launch.fingerprint => {
                    guard.0 = None;
                    return Ok(running);
                }
                _ => ClientError::Protocol("another program answers at the hub's address".into()),
            },
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(HubProcessError::NotReady {
                within,
                error,
                log: log_since(instance, start),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Ends a hub that was started and is not wanted after all.
struct KillUnlessReady<'c>(Option<&'c mut Child>);

impl Drop for KillUnlessReady<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Its hub with it, which is in its group; waiting leaves no zombie behind.
            let group = i32::try_from(child.id())
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            let _ = group.map(|group| {
                rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
            });
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Stops a hub in an orderly way; kills it where it does not end in time.
pub async fn stop(
    instance: &Instance,
    running: &Running,
    within: Duration,
) -> Result<(), HubProcessError> {
    for (signal, within) in [
        (rustix::process::Signal::TERM, within),
        (rustix::process::Signal::KILL, Duration::from_secs(5)),
    ] {
        if signal == rustix::process::Signal::KILL {
            // Else the hub that is killed would be started again.
            supervisor::end(instance)?;
        }
        let Some(pid) = i32::try_from(running.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        else {
            break;
        };
        // The lock says that the process is still ours, so the number means nobody else.
        let _ = rustix::process::kill_process(pid, signal);
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if find(instance)?.is_none_or(|found| found.pid != running.pid) {
                return supervisor::end(instance);
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(HubProcessError::DoesNotEnd(running.pid))
}

/// Now, in seconds since 1970, as the pid file has it.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn open_log(instance: &Instance) -> Result<File, HubProcessError> {
    let path = instance.log();
    fs::create_dir_all(&instance.folder).map_err(file_error(&path))?;
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LARGEST_LOG) {
        fs::rename(&path, path.with_extension("log.1")).map_err(file_error(&path))?;
    }
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(file_error(&path))
}

/// The last lines that were logged from a place on.
fn log_since(instance: &Instance, start: u64) -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open(instance.log()) {
        // A log that can't be read is no reason to hide the error that it would explain.
        let _ = file.seek(SeekFrom::Start(start));
        let _ = file.take(64 << 10).read_to_string(&mut text);
    }
    let lines: Vec<_> = text.lines().map(|line| format!("  | {line}")).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
