//! The hub as a background process: our own executable started anew, known by a lock that it holds.

mod error;
pub mod supervisor;

pub use error::HubProcessError;

use crate::admin_token;
use crate::hub_client::http::{self, Exchange};
use crate::hub_client::{ClientError, HubClient};
use crate::instance::Instance;
use crate::instance::lock::Lock;
use crate::platform::{self, Detached};
use error::file_error;
use hyper::Method;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use url::Url;

const PID_FILE: &str = "hub.pid";
/// A log that is larger is set aside when the hub starts; one old log is kept.
const LARGEST_LOG: u64 = 10 << 20;
/// How often a running hub looks at its log.
const ROTATE_EVERY: Duration = Duration::from_secs(30);
/// A process that is killed is gone at once, unless the machine is busy.
const KILLED_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
/// How long a hub may take from its start until its note is there.
const SAID_WITHIN: Duration = Duration::from_secs(2);
/// A hub that takes a connection and says nothing is asked anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

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
    /// What followed `harmony hub`; empty for a hub of an old version.
    #[serde(default)]
    pub arguments: Vec<String>,
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

/// The hub's own part: says who it is for as long as the lock is held.
pub fn hold(folder: &Path, running: &Running) -> io::Result<Lock> {
    Lock::take(&folder.join(PID_FILE), &serde_json::to_string(running)?)?
        .ok_or_else(|| io::Error::other("another hub of this instance is running"))
}

/// The instance's hub, where one runs.
pub fn find(instance: &Instance) -> Result<Option<Running>, HubProcessError> {
    let path = instance.folder.join(PID_FILE);
    let note = Lock::holder(&path).map_err(file_error(&path))?;
    // Locked but not written yet: it is just starting, and will be found the next time.
    Ok(note.and_then(|note| serde_json::from_str(&note).ok()))
}

/// The same, once a hub has said who it is that a killed run has just started.
pub async fn find_started(instance: &Instance) -> Result<Option<Running>, HubProcessError> {
    let deadline = Instant::now() + SAID_WITHIN;
    while Instant::now() < deadline && supervisor::is_there(instance)? {
        match find(instance)? {
            None => tokio::time::sleep(POLL).await,
            found => return Ok(found),
        }
    }
    find(instance)
}

/// Whether a hub was started in the background and nobody stopped it since.
pub fn was_started(instance: &Instance) -> bool {
    instance.folder.join(PID_FILE).exists()
}

/// Starts the hub and returns once a client could connect.
pub async fn launch(
    instance: &Instance,
    launch: &Launch,
    within: Duration,
) -> Result<Running, HubProcessError> {
    let deadline = Instant::now() + within;
    loop {
        // One that waits to start a hub that died would start it beside this one.
        supervisor::end(instance).await?;
        match start(instance, launch, within, deadline).await {
            // One that a killed run had just started was first.
            Err(HubProcessError::Died { .. })
                if supervisor::is_there(instance)? && Instant::now() < deadline => {}
            ended => return ended,
        }
    }
}

async fn start(
    instance: &Instance,
    launch: &Launch,
    within: Duration,
    deadline: Instant,
) -> Result<Running, HubProcessError> {
    let start = prepare_log(instance)?;
    let mut arguments = vec!["hub".to_owned(), supervisor::SUPERVISE.to_owned()];
    arguments.extend_from_slice(&launch.arguments);
    let hidden = launch.hidden_variables.iter();
    arguments.extend(hidden.map(|name| format!("{}{name}", supervisor::WITHOUT)));
    let executable = platform::own_program().map_err(HubProcessError::Spawn)?;
    let child =
        platform::spawn_detached(&executable, &arguments).map_err(HubProcessError::Spawn)?;
    let mut guard = KillUnlessReady(Some(child));
    loop {
        if let Some(child) = &mut guard.0
            && let Some(status) = child.status().map_err(HubProcessError::Spawn)?
        {
            return Err(HubProcessError::Died {
                status,
                log: log_since(instance, start),
            });
        }
        // One that takes a connection and says nothing must not use up all the time.
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = left.clamp(POLL, ANSWER_WITHIN);
        let error = match HubClient::connect(&launch.url, limit).await {
            Ok(_) => match find(instance)? {
                Some(running) if running.fingerprint == launch.fingerprint => {
                    let ours = guard.0.as_ref();
                    // Where one of a killed run was first, ours has nothing to watch over.
                    if ours.is_some_and(|child| supervisor::is(instance, child.id())) {
                        guard.0 = None;
                    }
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
struct KillUnlessReady(Option<Detached>);

impl Drop for KillUnlessReady {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Its hub with it. One that has ended needs no killing.
            let _ = child.kill_with_children();
        }
    }
}

/// Stops a hub in an orderly way; kills it where it does not end in time.
pub async fn stop(
    instance: &Instance,
    running: &Running,
    within: Duration,
) -> Result<(), HubProcessError> {
    // Much may have happened since it was found: a question to the user, other steps.
    if has_ended(instance, running, Duration::ZERO).await? {
        return supervisor::end(instance).await;
    }
    // Where it can't be asked, it has no time to lose.
    if ask_to_end(instance, running).await && has_ended(instance, running, within).await? {
        forget(instance);
        return supervisor::end(instance).await;
    }
    // Else the hub that is killed would be started again.
    supervisor::end(instance).await?;
    let _ = platform::kill(running.pid);
    if has_ended(instance, running, KILLED_WITHIN).await? {
        forget(instance);
        return Ok(());
    }
    Err(HubProcessError::DoesNotEnd(running.pid))
}

/// Asks a hub to end; whether it was asked.
async fn ask_to_end(instance: &Instance, running: &Running) -> bool {
    // The lock says that the process is still ours, so the number means nobody else.
    if platform::terminate(running.pid).is_ok() {
        return true;
    }
    let token = admin_token::read(&instance.folder.join(admin_token::FILE));
    let url = Url::parse(&running.admin_url).and_then(|url| url.join("/stop"));
    let (Ok(token), Ok(url)) = (token, url) else {
        return false;
    };
    let authorization = format!("Bearer {}", token.reveal());
    let request = Exchange::new(Method::POST, &url).header("Authorization", &authorization);
    let response = http::send(&request, ANSWER_WITHIN).await;
    response.is_ok_and(|response| response.successful(&url).is_ok())
}

/// One that was stopped is not missing.
fn forget(instance: &Instance) {
    // A note that stays only says too much in doctor.
    let _ = fs::remove_file(instance.folder.join(PID_FILE));
}

/// Waits, for a time, for a hub to end.
async fn has_ended(
    instance: &Instance,
    running: &Running,
    within: Duration,
) -> Result<bool, HubProcessError> {
    let deadline = Instant::now() + within;
    while find(instance)?.is_some_and(|found| found.pid == running.pid) {
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(true)
}

/// Now, in seconds since 1970, as the pid file has it.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Sets a large log aside; returns the length of the one that will be written on.
fn prepare_log(instance: &Instance) -> Result<u64, HubProcessError> {
    let path = instance.log();
    fs::create_dir_all(&instance.folder).map_err(file_error(&path))?;
    let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    if length <= LARGEST_LOG {
        return Ok(length);
    }
    platform::replace(&path, &path.with_extension("log.1")).map_err(file_error(&path))?;
    Ok(0)
}

/// Keeps a running hub's log from growing: what is there goes into the file of the log before, over
/// and over.
pub async fn rotate_log(path: PathBuf) {
    loop {
        tokio::time::sleep(ROTATE_EVERY).await;
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LARGEST_LOG) {
            continue;
        }
        // The hub holds the file open, and appends: so it is emptied, not replaced.
        let emptied = fs::copy(&path, path.with_extension("log.1"))
            .and_then(|_| File::options().write(true).open(&path))
            .and_then(|file| file.set_len(0));
        if let Err(error) = emptied {
            tracing::warn!(%error, "the log could not be rotated");
        }
    }
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
