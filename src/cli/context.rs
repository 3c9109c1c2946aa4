//! What every command starts from: flags and environment variables, read once.

mod recovery;

use super::failure::{Exit, Failure};
use super::global::Global;
use crate::appsettings::layers::ProcessInputs;
use crate::checkout::{self, Checkout};
use crate::containers::whereabouts::Surroundings;
use crate::instance::{CERTIFICATES, Instance};
use crate::platform::{self, advice};
use crate::project::{EditedFiles, Scope};
use crate::provision::request::{Installation, Request, Wanted};
use crate::terminal::Terminal;
use crate::terminal::prompt::{self, Question, Reply};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DEFAULT_INSTANCE: &str = "harmony";

#[derive(Clone)]
pub struct Context {
    pub terminal: Terminal,
    pub instance: Instance,
    /// As given; `None` leaves it to be found.
    checkout: Option<PathBuf>,
    /// A checkout of another user will do.
    trust_checkout: bool,
    pub environment: String,
    /// The environment was named on the command line: only its file is written.
    pub only_environment: bool,
    pub yes: bool,
    pub dry_run: bool,
    pub answers: Option<PathBuf>,
    pub record_answers: Option<PathBuf>,
    pub detailed_exitcode: bool,
    pub timeout: Duration,
    pub surroundings: Surroundings,
    pub home: Option<PathBuf>,
    /// The user wants no more of it.
    pub interrupted: CancellationToken,
    /// Held by what has to be undone before the program may end.
    pub working: Arc<tokio::sync::Mutex<()>>,
    /// The flags that a command in a hint must repeat.
    repeated: String,
}

impl Context {
    pub fn new(global: &Global, terminal: Terminal) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let environment = global
            .environment
            .clone()
            .unwrap_or_else(|| ProcessInputs::here(Vec::new()).environment());
        if environment.contains(['/', '\\', ':', '\0']) {
            return Err(Failure::new(
                Exit::Usage,
                "environmentName",
                format!("'{environment}' can't be an environment's name"),
            )
            .why("it becomes part of a file's name"));
        }
        let home = platform::home_folder();
        let instance = Instance::new(&global.instance, &states()?)?;
        if !global.dry_run {
            recovery::recover(&instance, terminal)?;
        }
        Ok(Context {
            terminal,
            instance,
            checkout: global.checkout.clone(),
            trust_checkout: global.trust_checkout,
            environment,
            only_environment: global.environment.is_some(),
            yes: global.yes,
            dry_run: global.dry_run,
            answers: global.answers.clone(),
            record_answers: global.record_answers.clone(),
            detailed_exitcode: global.detailed_exitcode,
            timeout: global.timeout,
            surroundings: Surroundings {
                host: text("DOCKER_HOST"),
                context: text("DOCKER_CONTEXT"),
                configuration: variable("DOCKER_CONFIG")
                    .map(PathBuf::from)
                    .or_else(|| Some(home.as_ref()?.join(".docker"))),
                certificates: variable("DOCKER_TLS_VERIFY").and_then(|_| {
                    variable("DOCKER_CERT_PATH")
                        .map(PathBuf::from)
                        .or_else(|| Some(home.as_ref()?.join(".docker")))
                }),
                usual_host: platform::docker_host(),
            },
            home,
            interrupted: CancellationToken::new(),
            working: Arc::default(),
            repeated: repeated_flags(global),
        })
    }

    /// A command of ours for a hint, with the flags that led here.
    pub fn command(&self, command: &str) -> String {
        format!("harmony {command}{}", self.repeated)
    }

    /// What is provisioned.
    pub fn installation(&self) -> Result<Installation, Failure> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        Ok(Installation {
            instance: self.instance.clone(),
            docker: self.surroundings.clone(),
            home: self.home.clone(),
            certificates: certificates()?,
            variables: names.collect(),
        })
    }

    /// A run of `up`.
    pub fn request(&self, wanted: Wanted) -> Result<Request, Failure> {
        let mut scope = self.scope()?;
        scope.store = wanted.secrets.unwrap_or(scope.store);
        Ok(Request {
            wanted,
            timeout: self.timeout,
            cancellation: self.interrupted.clone(),
            trusts_checkout: self.trust_checkout,
            ..Request::new(self.installation()?, self.find_checkout()?, scope)
        })
    }

    /// The same in the environment that was answered, where one was.
    pub fn in_environment(&self, answered: Option<&str>) -> Self {
        Context {
            environment: answered.unwrap_or(&self.environment).to_owned(),
            only_environment: self.only_environment || answered.is_some(),
            ..self.clone()
        }
    }

    /// Whether somebody can be asked.
    pub fn can_ask(&self) -> bool {
        !self.terminal.json && crate::terminal::can_ask()
    }

    /// Ends a dry run: with the exit code for pending changes, where that was asked for.
    pub fn pending(&self, changes: usize) -> Result<(), Failure> {
        if !self.detailed_exitcode || changes == 0 {
            return Ok(());
        }
        let message = "changes are pending";
        Err(Failure::new(Exit::ChangesPending, "changesPending", message).shown())
    }

    /// Has a question agreed to: `missing` where nobody can be asked, `declined` where the answer
    /// is no.
    pub async fn agree(
        &self,
        question: &str,
        default: bool,
        missing: Failure,
        declined: &str,
    ) -> Result<(), Failure> {
        if !self.can_ask() {
            return Err(missing);
        }
        match prompt::confirm(Question::new(question, ""), default).await {
            Reply::Given(true) => Ok(()),
            Reply::Given(false) | Reply::Back => {
                Err(Failure::new(Exit::Failed, "declined", declined))
            }
            Reply::Left => Err(Failure::interrupted()),
        }
    }

    /// Whether the command line names a checkout.
    pub fn names_checkout(&self) -> bool {
        self.checkout.is_some()
    }

    /// Which environment's settings count, and which files an edit goes to.
    pub fn scope(&self) -> Result<Scope, Failure> {
        Ok(Scope {
            environment: self.environment.clone(),
            edits: if self.only_environment {
                EditedFiles::OnlyTheEnvironment
            } else {
                EditedFiles::WhereverItIsSet
            },
            store: self.instance.state()?.secrets,
            own_secrets: Some(self.instance.secrets()),
        })
    }

    /// The same in the environment that the instance was brought up for.
    pub fn scope_of_instance(&self) -> Result<Scope, Failure> {
        let known = self.instance.state()?.environment;
        let mut scope = self.scope()?;
        if !known.is_empty() && !self.only_environment {
            scope.environment = known;
        }
        Ok(scope)
    }

    /// The checkout, there or still to be made.
    pub fn find_checkout(&self) -> Result<Checkout, Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::new(Exit::Failed, "currentFolder", error.to_string()))?;
        let (found, made) = match &self.checkout {
            Some(folder) => (checkout::at(&here.join(folder))?, here.join(folder)),
            None => (checkout::find(&here)?, here.join(checkout::MADE)),
        };
        match found {
            Some(found) => self.trusted(found),
            None => Ok(Checkout::made(&made)),
        }
    }

    /// Refuses the checkout of another user, who could have filled it for this one.
    fn trusted(&self, checkout: Checkout) -> Result<Checkout, Failure> {
        let state = self.instance.state()?;
        let is_known = state.trusts_checkout && state.checkout == checkout.root;
        let Some(folder) = foreign(&checkout).filter(|_| !self.trust_checkout && !is_known) else {
            return Ok(checkout);
        };
        let message = format!("{} belongs to another user", folder.display());
        Err(Failure::new(Exit::Usage, "foreignCheckout", message)
            .why("its settings would decide what runs here and where passwords go")
            .fix("look at its settings files, then pass --trust-checkout"))
    }

    /// The checkout of what was brought up, else the one that is found.
    pub fn known_checkout(&self) -> Result<Checkout, Failure> {
        let state = self.instance.state()?;
        if self.checkout.is_none()
            && state.checkout.exists()
            && let Some(checkout) = checkout::at(&state.checkout)?
        {
            return self.trusted(checkout);
        }
        let checkout = self.find_checkout()?;
        if checkout.exists {
            return Ok(checkout);
        }
        let message = format!(
            "no Harmony checkout found, and {} does not exist",
            checkout.root.display()
        );
        Err(Failure::new(Exit::Usage, "noCheckout", message)
            .fix("run 'harmony up' first, or name one with --checkout DIR"))
    }
}

/// A folder of a checkout that belongs to another user.
fn foreign(checkout: &Checkout) -> Option<PathBuf> {
    let folders = checkout.applications().chain(&checkout.gateway);
    let mut folders = std::iter::once(&checkout.root).chain(folders);
    folders.find(|folder| platform::is_foreign(folder)).cloned()
}

/// Where instances keep their state.
pub fn states() -> Result<PathBuf, Failure> {
    let folder = platform::state_folder().map(|path| path.join("harmony"));
    folder.ok_or_else(|| {
        let (home, state) = (advice::HOME_VARIABLE, advice::STATE_VARIABLE);
        Failure::new(
            Exit::Failed,
            "noHome",
            "there is no place for our own files",
        )
        .why(format!("neither {home} nor {state} is set"))
        .fix(format!("set {home}"))
    })
}

/// Where the development certificate is kept; one for all instances, so that it is trusted once.
pub fn certificates() -> Result<PathBuf, Failure> {
    Ok(states()?.join(CERTIFICATES))
}

/// The flags that a command in a hint must repeat to mean the same installation.
pub fn repeated_flags(global: &Global) -> String {
    let mut flags = String::new();
    if global.instance != DEFAULT_INSTANCE {
        flags.push_str(&format!(" --instance {}", global.instance));
    }
    if let Some(checkout) = &global.checkout {
        flags.push_str(&format!(" --checkout '{}'", checkout.display()));
    }
    flags
}
