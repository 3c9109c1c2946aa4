//! Errors of settings, checkouts and our own files.

use crate::appsettings::SettingsError;
use crate::appsettings::document::{EditError, SyntaxError};
use crate::checkout::CheckoutError;
use crate::cli::failure::{Exit, Failure};
use crate::hub::settings::HubSettingsError;
use crate::instance::InstanceError;
use crate::platform::advice;
use crate::project::published::PublishedError;
use crate::project::{GatewayError, ProjectError};
use crate::schema::Violations;

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let message = error.to_string();
        match error {
            SettingsError::Syntax { path, error } => {
                let SyntaxError {
                    at,
                    message: why,
                    excerpt,
                } = error;
                let (line, column) = (at.line, at.column);
                let message = format!("{}:{line}:{column} is not valid JSON", path.display());
                Failure::new(Exit::SettingsInvalid, "settingsSyntax", message)
                    .why(format!("{why}\n  {}", excerpt.pointer(line)))
                    .fix("fix the JSON; .NET cannot read this file either")
                    .at(path, line, column)
            }
            SettingsError::Folder { .. } => {
                Failure::new(Exit::SettingsInvalid, "settingsFolder", message)
                    .fix("move the folder away, or name another checkout with --checkout")
            }
            SettingsError::Outside { .. } => {
                Failure::new(Exit::SettingsInvalid, "settingsOutside", message)
                    .why("a checkout that somebody else made could show and change your files")
                    .fix("put the file itself there")
            }
            SettingsError::NotAFile { .. } | SettingsError::TooLarge { .. } => {
                Failure::new(Exit::SettingsInvalid, "settingsUnreadable", message)
                    .fix("put a settings file there")
            }
            SettingsError::Read { .. } => {
                Failure::new(Exit::SettingsInvalid, "settingsUnreadable", message)
                    .fix("make it readable for this user")
            }
            SettingsError::Write { path, error } => Failure::new(
                Exit::Failed,
                "settingsNotWritable",
                format!("cannot write {}", path.display()),
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
            several => format!("{} settings are invalid", several.len()),
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

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        let (exit, fix) = match &error {
            EditError::PlainValue { .. } => {
                (Exit::SettingsInvalid, "make it an object, or remove it")
            }
            EditError::Replaces { .. } => (
                Exit::SettingsInvalid,
                "set one of the settings below it, or replace all of it with --force",
            ),
            EditError::Index { .. } => (Exit::SettingsInvalid, "append at the next index"),
            EditError::Unsafe { .. } => (Exit::Failed, "change the file by hand"),
        };
        Failure::new(exit, "settingsShape", error.to_string()).fix(fix)
    }
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Settings(error) => error.into(),
            ProjectError::Shape(error) => error.into(),
            ProjectError::Invalid(error) => error.into(),
            error @ ProjectError::NoApplication(_) => {
                Failure::new(Exit::Usage, "unknownApplication", error.to_string())
                    .fix("name an application of this checkout")
            }
            ProjectError::Gateway(error) => error.into(),
        }
    }
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        let fix = match &error {
            GatewayError::Edit(_) => "change the route by hand",
            GatewayError::CatchAll { .. } => {
                "add a route of its own for /signalRHub/{everything}, then run the command again"
            }
            GatewayError::Discovery { .. } => {
                "register the hub under that name, or give the route DownstreamHostAndPorts"
            }
            GatewayError::Path { .. } => "change the route by hand, or use a URL without a path",
        };
        Failure::new(Exit::Failed, "gatewayRoute", error.to_string()).fix(fix)
    }
}

impl From<PublishedError> for Failure {
    fn from(error: PublishedError) -> Self {
        match error {
            PublishedError::Settings(error) => error.into(),
            PublishedError::Edit(error) => error.into(),
            other => Failure::new(Exit::Failed, "publishedList", other.to_string())
                .fix("publish the client again; nothing was changed"),
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
                .why("it is not clear which one you mean")
                .fix("name one with --checkout DIR"),
            CheckoutError::NotACheckout(_) => Failure::new(Exit::Usage, "notACheckout", message)
                .fix(
                    "name the folder that holds Harmony.sln, \
                     a publish folder with Harmony.SignalR.dll, or an empty folder",
                ),
            CheckoutError::Missing(_) => Failure::new(Exit::Usage, "checkoutMissing", message)
                .fix("name an existing folder with --checkout DIR"),
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
                    .fix(format!("remove '{}'; it is made again", path.display()))
            }
        }
    }
}
