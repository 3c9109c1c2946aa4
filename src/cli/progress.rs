//! Shows what provisioning tells of its progress: spinners and step lines, or JSON lines.

use crate::platform::advice;
use crate::provision::progress::{Activity, ActivityOutcome, Notice, Progress};
use crate::terminal::{StepGuard, Terminal};
use std::sync::{Mutex, PoisonError};

pub struct TerminalProgress {
    terminal: Terminal,
    going: Mutex<Vec<(Activity, StepGuard)>>,
}

impl TerminalProgress {
    pub fn new(terminal: Terminal) -> Self {
        TerminalProgress {
            terminal,
            going: Mutex::default(),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<(Activity, StepGuard)>) -> T) -> T {
        work(&mut self.going.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for TerminalProgress {
    fn started(&self, activity: &Activity) {
        // A look takes a moment; there is nothing to wait for.
        if *activity != Activity::Looking {
            let guard = self.terminal.step(activity.to_string());
            self.with(|going| going.push((activity.clone(), guard)));
        }
    }

    fn amount(&self, activity: &Activity, current: u64, total: u64) {
        self.with(|going| {
            if let Some((_, guard)) = going.iter().find(|(known, _)| known == activity) {
                guard.amount(current, total);
            }
        });
    }

    fn ended(&self, activity: &Activity, outcome: ActivityOutcome) {
        let ended = self.with(|going| {
            let place = going.iter().position(|(known, _)| known == activity)?;
            Some(going.swap_remove(place).1)
        });
        if let Some(mut guard) = ended
            && outcome == ActivityOutcome::Failed
        {
            guard.fail();
        }
    }

    fn notice(&self, notice: &Notice) {
        match notice {
            Notice::CredentialsRepaired { user } => self.terminal.warn(&format!(
                "RabbitMQ's volume was made with other credentials; its user '{user}' gets those \
                 of the settings, and its data stays"
            )),
            Notice::DevelopmentCertificate {
                path,
                by_dotnet: true,
            } => self.terminal.note(&format!(
                "HTTPS with ASP.NET Core's development certificate {}; to trust it: dotnet \
                 dev-certs https --trust",
                path.display()
            )),
            Notice::DevelopmentCertificate { path, .. } => self.terminal.note(&format!(
                "HTTPS with a certificate made for localhost; to trust it: {}",
                advice::trust(path)
            )),
        }
    }
}
