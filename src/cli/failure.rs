//! What users see when a command fails: what, why, what to do next, and the exit code.

mod docker;
mod hub;
pub mod port;
mod provision;
mod settings;

use crate::terminal::Terminal;
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

    /// One more reason, after the others.
    pub fn and_why(mut self, why: &str) -> Self {
        if !self.why.is_empty() {
            self.why.push('\n');
        }
        self.why.push_str(why);
        self
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    pub fn at(mut self, file: PathBuf, line: usize, column: usize) -> Self {
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

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Ctrl-C while something was being made.
    pub fn rolled_back() -> Self {
        Failure::new(
            Exit::Interrupted,
            "interrupted",
            "Interrupted; what this run had made was removed",
        )
    }

    pub fn interrupted() -> Self {
        Failure::new(Exit::Interrupted, "interrupted", "interrupted")
    }

    /// With the flags that led here in every command that its fix names.
    pub fn repeating(mut self, flags: &str) -> Self {
        const COMMANDS: [&str; 9] = [
            "up", "down", "status", "logs", "doctor", "verify", "rehost", "settings", "setup",
        ];
        for command in COMMANDS {
            let command = format!("harmony {command}");
            self.fix = self.fix.replace(&command, &format!("{command}{flags}"));
        }
        self
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
