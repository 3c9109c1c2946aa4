//! Steps with typed targets, each with its cause and with what must be done before it.

use crate::containers::{Service, container_name};
use crate::provision::exposure::Exposure;
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
    Container {
        service: Service,
        name: String,
    },
    /// The hub as a process.
    Hub,
}

impl Target {
    /// A service's container in an instance.
    pub fn container(instance: &str, service: Service) -> Self {
        Target::Container {
            service,
            name: container_name(instance, service),
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub action: Action,
    pub target: Target,
    pub cause: String,
    /// Data that was to be kept is deleted.
    pub destructive: bool,
    /// What is lost although nobody meant to keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loses: Option<String>,
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
            loses: None,
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
    /// Ports that are open once the plan is carried out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Exposure>,
}

impl Plan {
    pub fn new(exposed: Vec<Exposure>) -> Self {
        Plan {
            exposed,
            ..Plan::default()
        }
    }

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
    pub async fn carry_out<E>(&self, act: impl AsyncFn(&Step) -> Result<(), E>) -> Result<(), E> {
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
            Target::Container { name, .. } => write!(formatter, "container {name}"),
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

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step {
            action,
            target,
            cause,
            destructive,
            loses,
            needs: _,
        } = self;
        write!(formatter, "{action:<8}{target}  ({cause}")?;
        if *destructive {
            formatter.write_str("; its data is lost")?;
        }
        if let Some(loses) = loses {
            write!(formatter, "; {loses}")?;
        }
        formatter.write_str(")")
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return formatter.write_str("Nothing would change.");
        }
        let steps: Vec<_> = self.steps.iter().map(|step| format!("  {step}")).collect();
        formatter.write_str(&steps.join("\n"))?;
        if self.exposed.is_empty() {
            return Ok(());
        }
        formatter.write_str("\nOpen ports:")?;
        for Exposure {
            what,
            address,
            reach,
        } in &self.exposed
        {
            let (address, reach) = (address.to_string(), reach.words());
            write!(formatter, "\n  {what:<26}{address:<24}{reach}")?;
        }
        Ok(())
    }
}
