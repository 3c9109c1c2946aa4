//! Wanted against found: what would change, step by step, each with its cause.

use serde::Serialize;
use std::fmt;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Create,
    Start,
    Replace,
    Edit,
    Launch,
    Stop,
    Remove,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub action: Action,
    pub target: String,
    pub cause: String,
    /// Data is lost by it.
    pub destructive: bool,
}

/// All steps, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub changes: usize,
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn add(&mut self, action: Action, target: impl Into<String>, cause: impl Into<String>) {
        self.steps.push(Step { action, target: target.into(), cause: cause.into(), destructive: false });
        self.changes = self.steps.len();
    }

    pub fn add_destructive(&mut self, action: Action, target: impl Into<String>, cause: impl Into<String>) {
        self.add(action, target, cause);
        if let Some(step) = self.steps.last_mut() {
            step.destructive = true;
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Action::Create => "create",
            Action::Start => "start",
            Action::Replace => "replace",
            Action::Edit => "edit",
            Action::Launch => "launch",
            Action::Stop => "stop",
            Action::Remove => "remove",
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return formatter.write_str("Nothing would change.");
        }
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            let Step { action, target, cause, destructive } = step;
            write!(formatter, "  {action:<8}{target}  ({cause}{})", if *destructive { "; its data is lost" } else { "" })?;
        }
        Ok(())
    }
}
