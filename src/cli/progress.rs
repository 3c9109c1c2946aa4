//! Shows what provisioning tells of its progress: spinners and step lines, or JSON lines.

use crate::platform::advice;
use crate::provision::plan::{Action, Step, Target};
use crate::provision::progress::{Activity, ActivityOutcome, Notice, Progress};
use crate::terminal::{StepGuard, StepMark, Terminal};
use std::path::PathBuf;
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

    fn files_written(&self, written: &[PathBuf]) {
        match written.len() {
            0 => {}
            1 => self
                .terminal
                .lasting(StepMark::Done, "1 file", "written", None),
            files => {
                let files = format!("{files} files");
                self.terminal
                    .lasting(StepMark::Done, &files, "written", None);
            }
        }
    }

    fn step_ended(&self, step: &Step, outcome: ActivityOutcome, milliseconds: u64) {
        if matches!(step.target, Target::File(_)) {
            return;
        }
        let (mark, state) = match outcome {
            ActivityOutcome::Finished => (StepMark::Done, state(step.action)),
            ActivityOutcome::Failed => (StepMark::Failed, "failed"),
        };
        let target = step.target.to_string();
        self.terminal
            .lasting(mark, &target, state, Some(milliseconds));
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

/// What a target is once a step is done.
fn state(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Start => "started",
        Action::Replace => "replaced",
        Action::Edit => "written",
        Action::Launch => "running",
        Action::Stop => "stopped",
        Action::Remove => "removed",
    }
}
