//! Wanted against found: what would change, step by step, each with its cause and with what it needs done before.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

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

/// What a step is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    File(PathBuf),
    Network(String),
    Image(String),
    Volume(String),
    Container(String),
    /// The hub as a process.
    Hub,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub action: Action,
    pub target: Target,
    pub cause: String,
    /// Data is lost by it.
    pub destructive: bool,
    /// The targets of the steps that come before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Target>,
}

impl Step {
    pub fn new(action: Action, target: Target, cause: impl Into<String>) -> Self {
        Step {
            action,
            target,
            cause: cause.into(),
            destructive: false,
            needs: Vec::new(),
        }
    }

    pub fn destructive(self) -> Self {
        Step {
            destructive: true,
            ..self
        }
    }

    /// What must be done before, as far as anything is to be done to it.
    pub fn after(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.needs.extend(targets);
        self
    }
}

/// All steps, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub changes: usize,
    pub steps: Vec<Step>,
}

impl Plan {
    /// Adds a step, behind all that it needs: what is not in the plan by then needs nothing done.
    pub fn add(&mut self, mut step: Step) {
        step.needs.retain(|need| self.step(need).is_some());
        self.steps.push(step);
        self.changes = self.steps.len();
    }

    pub fn step(&self, target: &Target) -> Option<&Step> {
        self.steps.iter().find(|step| step.target == *target)
    }

    /// Does every step, each as soon as those that it needs are done. After a failure no more are
    /// begun, and those that were are let finish, so that nothing stays half-made.
    pub async fn apply<E>(&self, act: impl AsyncFn(&Step) -> Result<(), E>) -> Result<(), E> {
        let act = &act;
        let (mut waiting, mut done) = (self.steps.iter().collect::<Vec<_>>(), Vec::new());
        let (mut begun, mut result) = (FuturesUnordered::new(), Ok(()));
        loop {
            if result.is_ok() {
                let ready = waiting.extract_if(.., |step| {
                    step.needs.iter().all(|need| done.contains(&need))
                });
                begun.extend(ready.map(|step| async move { (step, act(step).await) }));
            }
            match begun.next().await {
                Some((step, Ok(()))) => done.push(&step.target),
                Some((_, Err(error))) => result = result.and(Err(error)),
                None => return result,
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::File(path) => write!(formatter, "{}", path.display()),
            Target::Network(name) => write!(formatter, "network {name}"),
            Target::Image(name) => write!(formatter, "image {name}"),
            Target::Volume(name) => write!(formatter, "volume {name}"),
            Target::Container(name) => write!(formatter, "container {name}"),
            Target::Hub => formatter.write_str("hub"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
            let Step {
                action,
                target,
                cause,
                destructive,
                needs: _,
            } = step;
            write!(
                formatter,
                "  {action:<8}{target}  ({cause}{})",
                if *destructive {
                    "; its data is lost"
                } else {
                    ""
                }
            )?;
        }
        Ok(())
    }
}
