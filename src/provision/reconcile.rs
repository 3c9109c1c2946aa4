//! Compares what was decided with what is there: the steps that lead from one to the other. Pure.

mod down;

pub use down::down;

use crate::appsettings::SettingsFile;
use crate::containers::docker::ObservedContainer;
use crate::containers::{ContainerSpec, Service, network_name};
use crate::provision::decision::{Decision, HubDecision};
use crate::provision::plan::{Action, Plan, Step, Target};
use crate::provision::world::World;

/// Names that are listed in one cause; of more only the number is said.
const LISTED: usize = 3;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The steps of `up`, in an order that keeps each behind what it needs.
pub fn up(decision: &Decision, world: &World) -> Plan {
    let mut up = Up {
        plan: Plan::new(decision.exposed.clone()),
        decision,
        world,
        network: network_name(&world.instance),
        files: Vec::new(),
    };
    up.add_files();
    up.add_leftovers();
    up.add_network();
    up.add_servers();
    up.add_hub();
    up.remove_network();
    up.plan
}

struct Up<'u> {
    plan: Plan,
    decision: &'u Decision,
    world: &'u World,
    network: String,
    /// The settings files that change: everything waits for them.
    files: Vec<Target>,
}

impl Up<'_> {
    fn add_files(&mut self) {
        let files = self.decision.files.iter();
        for file in files.filter(|file| file.is_changed() && !file.is_nothing()) {
            let target = Target::File(file.path.clone());
            let step = match file.is_new() {
                true => Step::new(Action::Create, target.clone(), "no settings yet"),
                false => Step::new(Action::Edit, target.clone(), changed_keys(file)),
            };
            self.files.push(target);
            self.plan.add(step);
        }
    }

    /// Containers that a killed run set aside and could not remove.
    fn add_leftovers(&mut self) {
        for (service, found) in self.world.leftovers() {
            let target = Target::Container {
                service,
                name: found.name.clone(),
            };
            let step = Step::new(Action::Remove, target, "left over from an interrupted run");
            self.plan.add(step.after(self.files.clone()));
        }
    }

    fn networks(&self) -> usize {
        let networks = self.world.contents().map(|contents| &contents.networks);
        let named = networks.into_iter().flatten();
        named.filter(|name| **name == self.network).count()
    }

    fn add_network(&mut self) {
        if self.decision.hub.spec().is_none() {
            return;
        }
        let (action, cause) = match self.networks() {
            0 => (
                Action::Create,
                "the hub's container finds Redis and RabbitMQ in it",
            ),
            1 => return,
            _ => (Action::Replace, "several networks have this name"),
        };
        let target = Target::Network(self.network.clone());
        let step = Step::new(action, target, cause);
        self.plan.add(step.after(self.files.clone()));
    }

    /// What the containers of Redis and RabbitMQ wait for.
    fn before_servers(&self) -> Vec<Target> {
        let network = Target::Network(self.network.clone());
        let leftovers = self.world.leftovers().map(|(service, found)| {
            let name = found.name.clone();
            Target::Container { service, name }
        });
        let files = self.files.iter().cloned();
        files.chain(leftovers).chain([network]).collect()
    }

    fn server(&self, service: Service) -> Target {
        Target::container(&self.world.instance, service)
    }

    /// What the hub waits for.
    fn before_hub(&self) -> Vec<Target> {
        let servers = [Service::Redis, Service::RabbitMq].map(|service| self.server(service));
        self.before_servers().into_iter().chain(servers).collect()
    }

    fn add_servers(&mut self) {
        let before = self.before_servers();
        for service in [Service::Redis, Service::RabbitMq] {
            self.add_container(service, &before);
        }
    }

    /// Whichever kind of hub goes makes room for the one that comes.
    fn add_hub(&mut self) {
        match &self.decision.hub {
            HubDecision::Container { image, .. } => {
                self.add_process(Vec::new());
                let target = Target::Image(image.name.clone());
                if !self.world.has_own_image {
                    let cause = "the hub's container runs this program";
                    let step = Step::new(Action::Create, target.clone(), cause);
                    self.plan.add(step.after(self.files.clone()));
                }
                let mut before = self.before_hub();
                before.extend([target, Target::Hub]);
                self.add_container(Service::Hub, &before);
            }
            HubDecision::Process(_) | HubDecision::None => {
                self.add_container(Service::Hub, &self.files.clone());
                let mut before = self.before_hub();
                before.push(self.server(Service::Hub));
                self.add_process(before);
            }
        }
    }

    fn add_container(&mut self, service: Service, before: &[Target]) {
        let found = self.world.found(service);
        let Some((action, cause)) = self.container_change(service, found) else {
            return;
        };
        let cause = match (self.decision.moved(service), action) {
            (Some(moved), Action::Create | Action::Replace) => format!("{cause}; {moved}"),
            _ => cause,
        };
        let mut step = Step::new(action, self.server(service), cause);
        let loses = matches!(action, Action::Replace | Action::Remove)
            && service == Service::Redis
            && found.is_some_and(|found| found.running)
            && !self.world.known.redis_volume;
        if loses {
            step.loses = Some("what Redis holds in memory is lost".into());
        }
        self.plan.add(step.after(before.iter().cloned()));
    }

    /// What has to happen to a container, and why.
    fn container_change(
        &self,
        service: Service,
        found: Option<&ObservedContainer>,
    ) -> Option<(Action, String)> {
        let change = |action, cause: &str| Some((action, cause.to_owned()));
        match (self.decision.spec(service), found) {
            (None, None) => None,
            (None, Some(_)) => change(Action::Remove, "no longer wanted"),
            (Some(_), None) => change(Action::Create, "new"),
            (Some(spec), Some(found)) if found.hash != spec.hash() => {
                Some((Action::Replace, difference(found, spec)))
            }
            (Some(_), Some(found)) if found.unfinished => {
                change(Action::Replace, "was never started")
            }
            (Some(_), Some(found)) if !found.running => change(Action::Start, "stopped"),
            (Some(spec), Some(found)) => {
                let network = spec.network.as_ref()?;
                let renewed = self.plan.step(&Target::Network(network.clone())).is_some();
                (renewed || !found.networks.contains(network)).then(|| {
                    let cause = format!("joins the network {network}, where the hub finds it");
                    (Action::Edit, cause)
                })
            }
        }
    }

    fn add_process(&mut self, before: Vec<Target>) {
        let (action, cause) = match (self.decision.hub.launch(), &self.world.hub) {
            (Some(_), None) => (Action::Launch, "not running".to_owned()),
            (Some(launch), Some(running)) if running.fingerprint != launch.fingerprint => {
                let cause = match running.version.as_str() {
                    VERSION => "its settings changed".to_owned(),
                    version => format!("version changes from {version} to {VERSION}"),
                };
                (Action::Replace, cause)
            }
            (None, Some(_)) if self.decision.hub.spec().is_some() => {
                (Action::Stop, "it becomes a container".to_owned())
            }
            (None, Some(_)) => (Action::Stop, "no longer wanted".to_owned()),
            _ => return,
        };
        let step = Step::new(action, Target::Hub, cause);
        self.plan.add(step.after(before));
    }

    fn remove_network(&mut self) {
        if self.decision.hub.spec().is_some() || self.networks() == 0 {
            return;
        }
        let target = Target::Network(self.network.clone());
        let step = Step::new(Action::Remove, target, "no container needs it");
        let mut before = self.before_hub();
        before.push(self.server(Service::Hub));
        self.plan.add(step.after(before));
    }
}

fn changed_keys(file: &SettingsFile) -> String {
    let keys = file.changed_keys();
    let more = keys.len().saturating_sub(LISTED);
    let listed = keys.into_iter().take(LISTED).collect::<Vec<_>>().join(", ");
    match more {
        0 => format!("sets {listed}"),
        more => format!("sets {listed} and {more} more"),
    }
}

/// In words, why a container has to be another one.
fn difference(found: &ObservedContainer, spec: &ContainerSpec) -> String {
    if found.image != spec.image {
        return format!("image changes from {} to {}", found.image, spec.image);
    }
    for wanted in &spec.ports {
        let inside = |port: &&crate::containers::Published| port.inside == wanted.inside;
        let mut published = found.ports.iter().filter(inside).peekable();
        // A container that does not run publishes nothing.
        let Some(first) = published.peek().copied() else {
            continue;
        };
        if !published.any(|port| port == wanted) {
            return format!(
                "its port changes from {}:{} to {}:{}",
                first.address, first.port, wanted.address, wanted.port
            );
        }
    }
    if found.version != VERSION {
        return format!("version changes from {} to {VERSION}", found.version);
    }
    match spec.service {
        Service::Hub => "its settings changed".into(),
        _ => "its password or configuration changed".into(),
    }
}
