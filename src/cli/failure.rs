//! What users see when a command fails: what, why, what to do next, and the exit code.

use crate::appsettings::SettingsError;
use crate::appsettings::document::{ShapeConflict, SyntaxError};
use crate::checkout::CheckoutError;
use crate::containers::docker::DockerError;
use crate::hub::settings::HubSettingsError;
use crate::hub_process::HubProcessError;
use crate::instance::InstanceError;
use crate::listen::ListenError;
use crate::platform::advice;
use crate::project::ProjectError;
use crate::schema::Violations;
use crate::terminal::Terminal;
use crate::tls::TlsError;
use serde::Serialize;
use std::path::PathBuf;

/// Exit codes, listed in `--help` and the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Failed = 1,
    Usage = 2,
    SettingsInvalid = 3,
    ChangesPending = 4,
    NotReady = 5,
    NoDocker = 6,
    Interrupted = 130,
}

/// A failure, in the words of the command-line contract.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    #[serde(skip)]
    exit: Exit,
    #[serde(skip)]
    shown: bool,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Box<Location>>,
}

#[derive(Debug, Clone, Serialize)]
struct Location {
    file: PathBuf,
    line: usize,
    column: usize,
}

impl Failure {
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Failure {
            exit,
            shown: false,
            code,
            message: message.into(),
            why: String::new(),
            fix: String::new(),
            location: None,
        }
    }

    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    fn at(mut self, file: PathBuf, line: usize, column: usize) -> Self {
        self.location = Some(Box::new(Location { file, line, column }));
        self
    }

    /// What failed and why, in one line, and what to do.
    pub fn in_words(&self) -> (String, String) {
        let why = self.why.lines().next().unwrap_or_default();
        let message = if why.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {why}", self.message)
        };
        (message, self.fix.clone())
    }

    pub fn is_port_in_use(&self) -> bool {
        self.code == "portInUse"
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    pub fn interrupted() -> Self {
        Failure::new(Exit::Interrupted, "interrupted", "interrupted")
    }

    pub fn is_interrupted(&self) -> bool {
        self.exit == Exit::Interrupted
    }

    /// The result that was printed says it all; only the exit code is left to give.
    pub fn shown(mut self) -> Self {
        self.shown = true;
        self
    }

    /// Prints it: JSON on standard output where JSON was asked for, else text on standard error.
    pub fn show(&self, terminal: &Terminal) {
        if self.shown {
            return;
        }
        if terminal.json {
            terminal.json_result(&serde_json::json!({ "error": self }));
        } else {
            terminal.error(&self.message, &self.why, &self.fix);
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let message = error.to_string();
        match error {
            SettingsError::Syntax {
                path,
                error:
                    SyntaxError {
                        at,
                        message: why,
                        line,
                    },
            } => {
                let pointer = format!(
                    "{why}\n  {} | {line}\n  {:>2$}",
                    at.line,
                    "^",
                    at.line.to_string().len() + 3 + at.column
                );
                Failure::new(
                    Exit::SettingsInvalid,
                    "settingsSyntax",
                    format!(
                        "{}:{}:{} can't be read as settings",
                        path.display(),
                        at.line,
                        at.column
                    ),
                )
                .why(pointer)
                .fix("mend the file; .NET would not start with it either")
                .at(path, at.line, at.column)
            }
            SettingsError::Folder { .. } => {
                Failure::new(Exit::SettingsInvalid, "settingsFolder", message)
                    .fix("move the folder away, or name another checkout with --checkout")
            }
            SettingsError::Read { .. } | SettingsError::TooLarge { .. } => {
                Failure::new(Exit::SettingsInvalid, "settingsUnreadable", message)
                    .fix("make it readable for this user")
            }
            SettingsError::Write { path, error } => Failure::new(
                Exit::Failed,
                "settingsNotWritable",
                format!("{} can't be written", path.display()),
            )
            .why(error.to_string())
            .fix(format!(
                "make it writable: {}; nothing was changed",
                advice::make_writable(&path)
            )),
            SettingsError::Changed { .. } => {
                Failure::new(Exit::Failed, "settingsChanged", message).fix("run the command again")
            }
        }
    }
}

impl From<Violations> for Failure {
    fn from(violations: Violations) -> Self {
        let message = match violations.0.as_slice() {
            [one] => one.to_string(),
            several => format!("{} settings can't be used", several.len()),
        };
        let why = if violations.0.len() > 1 {
            violations.to_string()
        } else {
            String::new()
        };
        let failure = Failure::new(Exit::SettingsInvalid, "settingsInvalid", message)
            .why(why)
            .fix("correct the file; nothing was changed");
        match violations.0.into_iter().next() {
            Some(first) => failure.at(first.file, first.line, first.column),
            None => failure,
        }
    }
}

impl From<ShapeConflict> for Failure {
    fn from(error: ShapeConflict) -> Self {
        Failure::new(Exit::SettingsInvalid, "settingsShape", error.to_string())
            .fix("make it an object, or remove it")
    }
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Settings(error) => error.into(),
            ProjectError::Shape(error) => error.into(),
            ProjectError::Invalid(error) => error.into(),
        }
    }
}

impl From<HubSettingsError> for Failure {
    fn from(error: HubSettingsError) -> Self {
        Failure::new(Exit::SettingsInvalid, "settingsInvalid", error.to_string())
            .fix("correct the setting; 'harmony settings why KEY' shows where it comes from")
    }
}

impl From<CheckoutError> for Failure {
    fn from(error: CheckoutError) -> Self {
        let message = error.to_string();
        match error {
            CheckoutError::Several(_) => Failure::new(Exit::Usage, "severalCheckouts", message)
                .why("it is not for us to guess which one is meant")
                .fix("name one with --checkout DIR"),
            CheckoutError::NotACheckout(_) => Failure::new(Exit::Usage, "notACheckout", message)
                .fix("name the folder that holds Harmony.sln, a publish folder with Harmony.SignalR.dll, or an empty folder"),
            CheckoutError::Missing(_) => Failure::new(Exit::Usage, "checkoutMissing", message).fix("name a folder that is there with --checkout DIR"),
        }
    }
}

impl From<InstanceError> for Failure {
    fn from(error: InstanceError) -> Self {
        let message = error.to_string();
        match error {
            InstanceError::Name(_) => Failure::new(Exit::Usage, "instanceName", message),
            InstanceError::Busy { .. } => Failure::new(Exit::Failed, "instanceBusy", message)
                .fix("wait until it is done, or use another --instance"),
            InstanceError::File { .. } => Failure::new(Exit::Failed, "stateUnusable", message),
            InstanceError::State { path, .. } => {
                Failure::new(Exit::Failed, "stateUnusable", message)
                    .fix(format!("remove '{}'; it is made anew", path.display()))
            }
        }
    }
}

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        let unreachable = |code, why: String, fix: &str| {
            Failure::new(Exit::NoDocker, code, "Docker is not reachable")
                .why(why)
                .fix(fix)
        };
        let message = error.to_string();
        match error {
            DockerError::Context(_) => unreachable(
                "dockerContext",
                message,
                "choose another with DOCKER_CONTEXT or 'docker context use'",
            ),
            DockerError::NoSocket(_) => unreachable(
                "dockerNotFound",
                message,
                "install and start Docker, or leave --redis and --rabbitmq to choose what is there",
            ),
            DockerError::NotPermitted(_) => {
                unreachable("dockerNotPermitted", message, advice::PERMIT_DOCKER)
            }
            DockerError::NotRunning { .. } => {
                unreachable("dockerNotRunning", message, advice::START_DOCKER)
            }
            DockerError::Image { image, error } => {
                let (why, fix) = explain_pull(&error);
                Failure::new(
                    Exit::Failed,
                    "imageUnavailable",
                    format!("the image {image} can't be had"),
                )
                .why(why)
                .fix(fix)
            }
            DockerError::PortTaken { port } => {
                port_in_use(port, crate::containers::ports::holder(port).as_deref())
            }
            DockerError::Refused { .. } => Failure::new(Exit::Failed, "docker", message),
        }
    }
}

/// Clear words for the engine's, which name neither cause nor cure.
fn explain_pull(error: &str) -> (String, &'static str) {
    let error = error.trim();
    let has = |part: &str| error.to_ascii_lowercase().contains(part);
    if has("toomanyrequests") || has("rate limit") {
        (
            format!("the registry's rate limit is reached: {error}"),
            "wait, log in with 'docker login', or use a mirror with --image-registry",
        )
    } else if has("manifest unknown") || has("not found") {
        (
            format!("the registry has no such image or tag: {error}"),
            "correct --redis-image or --rabbitmq-image",
        )
    } else if has("no space left") {
        (
            format!("the engine's disk is full: {error}"),
            "make room: 'docker system df' shows what takes it, 'docker image prune' removes what nothing uses",
        )
    } else if has("no matching manifest") {
        (
            format!("the image does not exist for this machine's platform: {error}"),
            "name one that does with --redis-image or --rabbitmq-image",
        )
    } else if has("unauthorized") || has("denied") || has("no basic auth credentials") {
        (
            format!("the registry wants to know who asks: {error}"),
            "log in with 'docker login'",
        )
    } else {
        (
            error.to_owned(),
            "check the network, use a mirror with --image-registry, or load the image with 'docker load'",
        )
    }
}

/// A port that somebody else has.
pub fn port_in_use(port: u16, holder: Option<&str>) -> Failure {
    let why = holder.map_or_else(
        || "who holds it can't be known".to_owned(),
        |holder| format!("it is held by {holder}"),
    );
    Failure::new(Exit::Failed, "portInUse", format!("port {port} is in use"))
        .why(why)
        .fix("stop its holder, or choose another port (--redis-port, --rabbitmq-port, --hub-url)")
}

impl From<HubProcessError> for Failure {
    fn from(error: HubProcessError) -> Self {
        let message = error.to_string();
        match error {
            HubProcessError::Died { status, log } => Failure::new(
                Exit::NotReady,
                "hubDied",
                format!("the hub ended at once ({status})"),
            )
            .why(format!("its last words:\n{log}")),
            HubProcessError::NotReady { within, error, log } => Failure::new(
                Exit::NotReady,
                "hubNotReady",
                format!("no client could connect to the hub within {within:?}"),
            )
            .why(format!("{error}; its last words:\n{log}"))
            .fix("allow more time with --timeout"),
            _ => Failure::new(Exit::Failed, "hubProcess", message),
        }
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Bind { url, port, error }
                if error.kind() == std::io::ErrorKind::AddrInUse =>
            {
                let holder = crate::containers::ports::holder(port);
                let why = holder.map_or_else(
                    || error.to_string(),
                    |holder| format!("port {port} is held by {holder}"),
                );
                Failure::new(
                    Exit::Failed,
                    "portInUse",
                    format!("the hub can't listen on {url}"),
                )
                .why(why)
                .fix("stop its holder, or choose another address with --urls or --hub-url")
            }
            ListenError::Bind { url, error, .. } => Failure::new(
                Exit::Failed,
                "bind",
                format!("the hub can't listen on {url}"),
            )
            .why(error.to_string())
            .fix("choose another address with --urls or --hub-url"),
            ListenError::Url(..) => {
                Failure::new(Exit::SettingsInvalid, "settingsInvalid", error.to_string())
            }
        }
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Failure::new(
            Exit::SettingsInvalid,
            "certificate",
            "the hub's certificate can't be used",
        )
        .why(error.to_string())
        .fix("correct Kestrel:Certificates:Default, or remove it to use a development certificate")
    }
}
