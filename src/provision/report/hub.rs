//! How the hub is: a process, a container, or not there.

use super::state::ServiceState;
use crate::containers::Service;
use crate::hub_process::{Running, now};
use crate::instance::State;
use crate::provision::decision::{Decision, HubDecision};
use crate::provision::world::{EngineLook, World};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubReport {
    pub state: ServiceState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Seconds since 1970; in JSON a time as RFC 3339 has it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::moment::serialize"
    )]
    pub started_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_url: Option<String>,
    /// The program that has the hub's port in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
}

impl HubReport {
    fn new(state: ServiceState) -> Self {
        HubReport {
            state,
            url: None,
            pid: None,
            container: None,
            version: None,
            started_at: None,
            admin_url: None,
            held_by: None,
        }
    }

    /// Another hub, which clients find at the URL.
    pub fn of_another(url: String, holder: String) -> Self {
        HubReport {
            url: Some(url),
            held_by: Some(holder),
            ..HubReport::new(ServiceState::External)
        }
    }

    fn of_process(running: &Running, known: &State) -> Self {
        HubReport {
            url: Some(url(known)),
            pid: Some(running.pid),
            version: Some(running.version.clone()),
            started_at: Some(running.started_at),
            admin_url: Some(running.admin_url.clone()),
            ..HubReport::new(ServiceState::Running)
        }
    }

    fn of_container(name: String, version: String, started_at: u64, known: &State) -> Self {
        HubReport {
            url: Some(url(known)),
            container: Some(name),
            version: Some(version),
            started_at: Some(started_at),
            admin_url: Some(known.admin_url()),
            ..HubReport::new(ServiceState::Running)
        }
    }

    /// What `up` brought about.
    pub fn of_decision(decision: &Decision, world: &World, running: Option<&Running>) -> Self {
        match (&decision.hub, running) {
            (HubDecision::Container { spec, .. }, _) => {
                let found = world.found(Service::Hub);
                let kept = found.filter(|found| found.hash == spec.hash());
                let started_at = kept.and_then(|found| u64::try_from(found.created).ok());
                let version = env!("CARGO_PKG_VERSION").to_owned();
                let started_at = started_at.unwrap_or_else(now);
                HubReport::of_container(spec.name(), version, started_at, &decision.state)
            }
            (_, Some(running)) => HubReport::of_process(running, &decision.state),
            (_, None) => HubReport::new(ServiceState::Absent),
        }
    }

    /// As it was found; whether it responds is the caller's to ask.
    pub fn of_world(world: &World) -> Self {
        let known = &world.known;
        if let Some(running) = &world.hub {
            return HubReport::of_process(running, known);
        }
        match (world.found(Service::Hub), &world.engine) {
            (Some(found), _) => {
                let started = u64::try_from(found.created).unwrap_or_default();
                let (name, version) = (found.name.clone(), found.version.clone());
                let mut report = HubReport::of_container(name, version, started, known);
                if !found.running {
                    report.state = ServiceState::Stopped;
                }
                report
            }
            (None, EngineLook::Unreachable(_)) if known.hub_in_container => {
                HubReport::new(ServiceState::Unknown)
            }
            (None, _) => HubReport::new(ServiceState::Absent),
        }
    }
}

fn url(known: &State) -> String {
    known.hub_url.trim_end_matches('/').to_owned()
}
