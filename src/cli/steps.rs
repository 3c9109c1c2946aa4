//! What `up` would change: everything that is wanted against what was found, as steps with their causes.

use super::failure::{Failure, port_in_use};
use super::hosting::Hosting;
use super::up::Decided;
use crate::appsettings::SettingsFile;
use crate::containers::docker::ObservedContainer;
use crate::containers::{ContainerSpec, Service, container_name, network_name, ports};
use crate::provision::plan::{Action, Plan, Step, Target};

/// Names that are listed in one cause; of more only the number is said.
const LISTED: usize = 3;

/// The steps of what was decided, in an order that keeps each behind what it needs.
pub fn plan(decided: &Decided) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    plan_files(&mut plan, &decided.files);
    let settings: Vec<Target> = plan.steps.iter().map(|step| step.target.clone()).collect();
    let network = network_name(&decided.instance);
    let networks = decided
        .networks
        .iter()
        .filter(|name| **name == network)
        .count();
    let in_container = decided.hosting.container().is_some();
    if in_container && networks != 1 {
        let (action, cause) = match networks {
            0 => (
                Action::Create,
                "the hub's container finds Redis and RabbitMQ by it",
            ),
            _ => (Action::Replace, "there are several of that name"),
        };
        plan.add(
            Step::new(action, Target::Network(network.clone()), cause).after(settings.clone()),
        );
    }
    let before: Vec<_> = settings
        .iter()
        .cloned()
        .chain([Target::Network(network.clone())])
        .collect();
    let servers = [
        (
            Service::Redis,
            decided.redis.container.as_ref(),
            &decided.redis.moved,
        ),
        (
            Service::RabbitMq,
            decided.rabbitmq.container.as_ref(),
            &decided.rabbitmq.moved,
        ),
    ];
    for (service, wanted, moved) in servers {
        plan_container(
            &mut plan,
            decided,
            service,
            wanted,
            moved.as_deref(),
            &before,
        );
    }
    let target = |service| Target::Container(container_name(&decided.instance, service));
    let (servers, hub) = (
        [target(Service::Redis), target(Service::RabbitMq)],
        target(Service::Hub),
    );
    let ready: Vec<_> = before.into_iter().chain(servers.clone()).collect();
    // Whichever goes makes room for the one that comes.
    match &decided.hosting {
        Hosting::Container { image, spec } => {
            plan_process(&mut plan, decided, Vec::new())?;
            let target = Target::Image(image.name.clone());
            if !decided.has_own_image {
                plan.add(
                    Step::new(
                        Action::Create,
                        target.clone(),
                        "the hub's container is made of this very program",
                    )
                    .after(settings.clone()),
                );
            }
            let before: Vec<_> = ready.into_iter().chain([target, Target::Hub]).collect();
            plan_container(&mut plan, decided, Service::Hub, Some(spec), None, &before);
        }
        Hosting::Process(_) | Hosting::None => {
            plan_container(&mut plan, decided, Service::Hub, None, None, &settings);
            plan_process(
                &mut plan,
                decided,
                ready.into_iter().chain([hub.clone()]).collect(),
            )?;
        }
    }
    if !in_container && networks > 0 {
        let step = Step::new(
            Action::Remove,
            Target::Network(network),
            "no container needs it any more",
        );
        plan.add(step.after(settings).after(servers).after([hub]));
    }
    Ok(plan)
}

fn plan_files(plan: &mut Plan, files: &[SettingsFile]) {
    for file in files.iter().filter(|file| file.is_changed()) {
        let target = Target::File(file.path.clone());
        if file.is_new() {
            plan.add(Step::new(
                Action::Create,
                target,
                "there are no settings yet",
            ));
            continue;
        }
        let keys = file.changed_keys();
        let more = keys.len().saturating_sub(LISTED);
        let listed = keys.into_iter().take(LISTED).collect::<Vec<_>>().join(", ");
        let cause = if more > 0 {
            format!("{listed} and {more} more are to be set")
        } else {
            format!(
                "{listed} {} to be set",
                if listed.contains(", ") { "are" } else { "is" }
            )
        };
        plan.add(Step::new(Action::Edit, target, cause));
    }
}

/// `moved`: why it could not keep its port.
fn plan_container(
    plan: &mut Plan,
    decided: &Decided,
    service: Service,
    wanted: Option<&ContainerSpec>,
    moved: Option<&str>,
    before: &[Target],
) {
    let target = Target::Container(container_name(&decided.instance, service));
    let because =
        |cause: &str| moved.map_or_else(|| cause.to_owned(), |moved| format!("{cause}; {moved}"));
    let step = match (wanted, decided.found(service)) {
        (Some(_), None) => Step::new(Action::Create, target, because("it is not there")),
        (Some(spec), Some(found)) if found.hash != spec.hash() => {
            Step::new(Action::Replace, target, because(&difference(found, spec)))
        }
        (Some(_), Some(found)) if found.unfinished => {
            Step::new(Action::Replace, target, "it was never started")
        }
        (Some(_), Some(found)) if !found.running => {
            Step::new(Action::Start, target, "it is stopped")
        }
        (Some(spec), Some(found)) => match &spec.network {
            Some(network)
                if !found.networks.contains(network)
                    || plan.step(&Target::Network(network.clone())).is_some() =>
            {
                Step::new(
                    Action::Edit,
                    target,
                    format!(
                        "it is not in the network {network}, by which the hub's container finds it"
                    ),
                )
            }
            _ => return,
        },
        (None, Some(_)) => Step::new(Action::Remove, target, "it is no longer wanted"),
        (None, None) => return,
    };
    plan.add(step.after(before.iter().cloned()));
}

/// In words, why a container does not do as it is.
fn difference(found: &ObservedContainer, spec: &ContainerSpec) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if found.image != spec.image {
        return format!("image changed from {} to {}", found.image, spec.image);
    }
    for wanted in &spec.ports {
        // A container that does not run publishes nothing.
        let published = found
            .ports
            .iter()
            .filter(|port| port.inside == wanted.inside);
        if let Some(port) = published
            .clone()
            .next()
            .filter(|_| !published.clone().any(|port| port == wanted))
        {
            return format!(
                "its port changed from {}:{} to {}:{}",
                port.address, port.port, wanted.address, wanted.port
            );
        }
    }
    if found.version != version {
        return format!(
            "harmony's version changed from {} to {version}",
            found.version
        );
    }
    match spec.service {
        Service::Hub => "its settings changed".into(),
        _ => "its password or configuration changed".into(),
    }
}

fn plan_process(plan: &mut Plan, decided: &Decided, before: Vec<Target>) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let step = match (decided.hosting.process(), &decided.running) {
        (Some(launch), None) => {
            let port = launch.url.port_or_known_default().unwrap_or_default();
            // A container of the hub makes room first, however far it has come.
            if decided.found(Service::Hub).is_none() && !ports::is_free_on_localhost(port) {
                return Err(port_in_use(port, ports::holder(port).as_deref()));
            }
            Step::new(Action::Launch, Target::Hub, "none runs")
        }
        (Some(launch), Some(running)) if running.fingerprint != launch.fingerprint => {
            let cause = if running.version == version {
                "its settings changed".to_owned()
            } else {
                format!("version changed from {} to {version}", running.version)
            };
            Step::new(Action::Replace, Target::Hub, cause)
        }
        (None, Some(_)) => {
            let cause = if decided.hosting.container().is_some() {
                "it is to be a container"
            } else {
                "it is no longer wanted"
            };
            Step::new(Action::Stop, Target::Hub, cause)
        }
        _ => return Ok(()),
    };
    plan.add(step.after(before));
    Ok(())
}
