//! One check of `doctor`: what was looked at, how it is, and the fix.

use crate::cli::failure::Failure;
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckStatus {
    Ok,
    /// It works, but not as well as it could, or not for long.
    Warning,
    Failed,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    pub category: &'static str,
    pub name: &'static str,
    pub status: CheckStatus,
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

impl Check {
    pub fn new(
        category: &'static str,
        name: &'static str,
        status: CheckStatus,
        message: impl Into<String>,
    ) -> Self {
        Check {
            category,
            name,
            status,
            message: message.into(),
            fix: String::new(),
        }
    }

    pub fn ok(category: &'static str, name: &'static str, message: impl Into<String>) -> Self {
        Check::new(category, name, CheckStatus::Ok, message)
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// A failure that a command would have ended with.
    pub fn failed(category: &'static str, name: &'static str, failure: &Failure) -> Self {
        let (message, fix) = failure.in_words();
        Check::new(category, name, CheckStatus::Failed, message).fix(fix)
    }
}
