//! What a run of `up` or `down` tells whoever started it.

use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::provision::plan::Step;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// Listens to a run. Every method may be ignored.
pub trait Progress {
    fn started(&self, _: &Activity) {}
    /// How many bytes of how many.
    fn amount(&self, _: &Activity, _current: u64, _total: u64) {}
    fn ended(&self, _: &Activity, _: ActivityOutcome) {}
    /// The settings files were written.
    fn files_written(&self, _: &[PathBuf]) {}
    /// A step of the plan ended, after so many milliseconds.
    fn step_ended(&self, _: &Step, _: ActivityOutcome, _milliseconds: u64) {}
    /// Something that the user should know.
    fn notice(&self, _: &Notice) {}
}

/// Listens to nothing.
impl Progress for () {}

/// Work that takes time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Activity {
    Looking,
    Pulling(String),
    MakingImage(String),
    Stopping(Service),
    WaitingFor(Service, Endpoint),
    WaitingForHub(Url),
    RollingBack,
}

/// How work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityOutcome {
    Finished,
    Failed,
}

/// Something that the user should know, beside the plan and the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// RabbitMQ's volume was made with other credentials; this user gets those of the settings.
    CredentialsRepaired { user: String },
    /// The hub serves HTTPS with a development certificate.
    DevelopmentCertificate { path: PathBuf, by_dotnet: bool },
}

impl fmt::Display for Activity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activity::Looking => formatter.write_str("looking at what is there"),
            Activity::Pulling(image) => write!(formatter, "pulling {image}"),
            Activity::MakingImage(image) => write!(formatter, "making the image {image}"),
            Activity::Stopping(Service::Hub) => formatter.write_str("stopping the hub"),
            Activity::Stopping(service) => write!(formatter, "stopping {}", service.name()),
            Activity::WaitingFor(service, endpoint) => {
                write!(formatter, "waiting for {} at {endpoint}", service.name())
            }
            Activity::WaitingForHub(url) => write!(formatter, "waiting for the hub at {url}"),
            Activity::RollingBack => formatter.write_str("rolling back"),
        }
    }
}

/// An activity that goes on; it failed unless it is said to be finished.
pub struct Going<'p> {
    progress: &'p dyn Progress,
    pub activity: Activity,
    outcome: ActivityOutcome,
}

impl<'p> Going<'p> {
    pub fn start(progress: &'p dyn Progress, activity: Activity) -> Self {
        progress.started(&activity);
        Going {
            progress,
            activity,
            outcome: ActivityOutcome::Failed,
        }
    }

    pub fn amount(&self, current: u64, total: u64) {
        self.progress.amount(&self.activity, current, total);
    }

    /// Ends it as a result says.
    pub fn end<T, E>(mut self, result: Result<T, E>) -> Result<T, E> {
        if result.is_ok() {
            self.outcome = ActivityOutcome::Finished;
        }
        result
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.progress.ended(&self.activity, self.outcome);
    }
}
