//! `harmony ls`: the instances on this machine.

use super::context::{self, Context};
use super::failure::{Exit, Failure};
use crate::hub_client::HubClient;
use crate::hub_process;
use crate::instance::{Instance, State};
use crate::moment;
use futures_util::future::join_all;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

const ASK_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedInstance {
    instance: String,
    checkout: PathBuf,
    /// Of the hub: `running`, `unhealthy` or `stopped`.
    state: &'static str,
    hub_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct InstanceList {
    instances: Vec<ListedInstance>,
}

impl fmt::Display for InstanceList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.instances.is_empty() {
            return formatter.write_str("No instances. 'harmony up' makes one.");
        }
        let wide = |text: fn(&ListedInstance) -> &str| {
            let widths = self.instances.iter().map(|one| text(one).chars().count());
            widths.max().unwrap_or_default()
        };
        let (name, url) = (wide(|one| &one.instance), wide(|one| &one.hub_url));
        let lines: Vec<_> = self
            .instances
            .iter()
            .map(|one| {
                format!(
                    "{:<name$}  {:<9}  {:<url$}  {}",
                    one.instance,
                    one.state,
                    one.hub_url,
                    one.checkout.display()
                )
            })
            .collect();
        formatter.write_str(&lines.join("\n"))
    }
}

pub async fn run(context: &Context) -> Result<(), Failure> {
    let folder = context::states()?;
    let names = names(&folder)?;
    let looks = names.iter().filter_map(|name| {
        let instance = Instance::new(name, &folder).ok()?;
        // One whose state cannot be read is nobody's; 'doctor' names it.
        let state = instance.state().ok()?;
        Some(look(instance, state))
    });
    let instances = join_all(looks).await;
    context.terminal.result(&InstanceList { instances });
    Ok(())
}

/// The folders that hold an instance's state, in order.
pub fn names(folder: &std::path::Path) -> Result<Vec<String>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Failure::new(
                Exit::Failed,
                "stateUnusable",
                format!("cannot read {}", folder.display()),
            )
            .why(error.to_string()));
        }
    };
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().join("state.json").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

async fn look(instance: Instance, state: State) -> ListedInstance {
    let running = hub_process::find(&instance).ok().flatten();
    let is_up = running.is_some() || state.hub_in_container;
    let answers = match Url::parse(&state.hub_url) {
        Ok(url) if is_up => HubClient::connect(&url, ASK_WITHIN).await.is_ok(),
        _ => false,
    };
    let started = running.and_then(|running| i64::try_from(running.started_at).ok());
    ListedInstance {
        state: match (is_up, answers) {
            (_, true) => "running",
            (true, false) if !state.hub_in_container => "unhealthy",
            _ => "stopped",
        },
        instance: instance.name,
        checkout: state.checkout,
        hub_url: state.hub_url.trim_end_matches('/').to_owned(),
        started_at: started.and_then(moment::of_seconds),
    }
}
