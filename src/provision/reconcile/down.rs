//! The steps of `down`.

use crate::containers::Service;
use crate::provision::plan::{Action, Plan, Step, Target};
use crate::provision::request::Data;
use crate::provision::world::World;

/// The steps of `down`.
pub fn down(world: &World, data: Data) -> Plan {
    let mut plan = Plan::default();
    if world.hub.is_some() {
        plan.add(Step::new(Action::Stop, Target::Hub, "down"));
    }
    let Some(contents) = world.contents() else {
        return plan;
    };
    let containers: Vec<_> = contents
        .containers
        .iter()
        .filter_map(|found| {
            let service = Service::named(&found.service)?;
            let name = found.name.clone();
            Some((service, Target::Container { service, name }))
        })
        .collect();
    // The hub goes first, so that it can tell its clients while its servers still run.
    let (hubs, servers): (Vec<_>, Vec<_>) = containers
        .into_iter()
        .partition(|(service, _)| *service == Service::Hub);
    let mut hub = vec![Target::Hub];
    for (_, target) in hubs {
        plan.add(Step::new(Action::Remove, target.clone(), "down"));
        hub.push(target);
    }
    let mut all = hub.clone();
    for (_, target) in servers {
        let step = Step::new(Action::Remove, target.clone(), "down");
        plan.add(step.after(hub.clone()));
        all.push(target);
    }
    let mut networks = contents.networks.clone();
    networks.dedup();
    for network in networks {
        let step = Step::new(Action::Remove, Target::Network(network), "down");
        plan.add(step.after(all.clone()));
    }
    if data == Data::Deleted {
        for volume in &contents.volumes {
            let target = Target::Volume(volume.name.clone());
            let step = Step::new(Action::Remove, target, "down --volumes");
            plan.add(step.destructive().after(all.clone()));
        }
        for image in &contents.own_images {
            let target = Target::Image(image.clone());
            let cause = "down --volumes; it is made again when it is needed";
            plan.add(Step::new(Action::Remove, target, cause).after(all.clone()));
        }
    }
    plan
}
