//! `harmony doctor`: every check that tells why it would not work, cheap ones first, each with its fix.

mod checks;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::terminal::safe::neutral_lines;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    Ok,
    /// It works, but not as well as it could, or not for long.
    Warning,
    Failed,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    category: &'static str,
    name: &'static str,
    status: Status,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

impl Check {
    pub fn new(
        category: &'static str,
        name: &'static str,
        status: Status,
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
        Check::new(category, name, Status::Ok, message)
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// A failure that a command would have ended with.
    pub fn failed(category: &'static str, name: &'static str, failure: &Failure) -> Self {
        let (message, fix) = failure.in_words();
        Check::new(category, name, Status::Failed, message).fix(fix)
    }
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    checks: Vec<Check>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    ok: usize,
    warnings: usize,
    failed: usize,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut category = "";
        for Check {
            category: own,
            name,
            status,
            message,
            fix,
        } in &self.checks
        {
            if *own != category {
                writeln!(formatter, "{own}")?;
                category = own;
            }
            let (sign, colour) = match status {
                Status::Ok => ("ok     ", AnsiColor::Green),
                Status::Warning => ("warning", AnsiColor::Yellow),
                Status::Failed => ("FAILED ", AnsiColor::Red),
            };
            let style = Style::new().fg_color(Some(colour.into()));
            writeln!(
                formatter,
                "  {style}{sign}{style:#}  {name}: {}",
                neutral_lines(message)
            )?;
            if !fix.is_empty() {
                writeln!(formatter, "           fix: {}", neutral_lines(fix))?;
            }
        }
        let Summary {
            ok,
            warnings,
            failed,
        } = self.summary;
        write!(
            formatter,
            "{ok} ok, {warnings} {}, {failed} failed",
            if warnings == 1 { "warning" } else { "warnings" }
        )
    }
}

pub async fn run(context: &Context) -> Result<(), Failure> {
    let checks = {
        let _step = context.terminal.step("examining");
        checks::all(context).await
    };
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let summary = Summary {
        ok: count(Status::Ok),
        warnings: count(Status::Warning),
        failed: count(Status::Failed),
    };
    let failed = summary.failed;
    context.terminal.result(&Diagnosis { checks, summary });
    if failed > 0 {
        Err(Failure::new(Exit::Failed, "unhealthy", "something would not work").shown())
    } else {
        Ok(())
    }
}
