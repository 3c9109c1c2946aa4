//! `down --everything`: every instance with its data, our certificate and our own files.

use crate::cli::certs;
use crate::cli::context::{Context, states};
use crate::cli::failure::{Exit, Failure};
use crate::cli::ls;
use crate::cli::progress::TerminalProgress;
use crate::containers::Service;
use crate::instance::Instance;
use crate::provision::plan::Step;
use crate::provision::request::{Data, Installation};
use crate::provision::{self, DownProposal};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What is, or would be, gone.
#[derive(Debug, Serialize)]
struct Removal {
    instances: Vec<InstanceRemoval>,
    folder: PathBuf,
    /// What was pulled for the containers; it stays with Docker.
    images: Vec<String>,
    changes: usize,
}

#[derive(Debug, Serialize)]
struct InstanceRemoval {
    instance: String,
    steps: Vec<Step>,
}

impl fmt::Display for Removal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes == 0 {
            return formatter.write_str("Nothing of ours is here.");
        }
        for InstanceRemoval { instance, steps } in &self.instances {
            writeln!(formatter, "instance {instance}")?;
            for step in steps {
                writeln!(formatter, "  {step}")?;
            }
        }
        let folder = self.folder.display();
        write!(
            formatter,
            "our own files in {folder}, with logs, backups and the certificate"
        )?;
        if self.images.is_empty() {
            return Ok(());
        }
        let images = self.images.join(" ");
        write!(
            formatter,
            "\nDocker keeps these images; delete them with: docker image rm {images}"
        )
    }
}

pub async fn run(context: &Context) -> Result<(), Failure> {
    let folder = states()?;
    let installations = installations(context, &folder)?;
    let mut proposals = Vec::new();
    for installation in &installations {
        proposals.push(provision::propose_down(installation, Data::Deleted).await?);
    }
    let removal = removal(&proposals, folder);
    if context.dry_run {
        context.terminal.result(&removal);
        return context.pending(removal.changes);
    }
    if removal.changes > 0 {
        agree(context, &removal).await?;
        let progress = TerminalProgress::new(context.terminal);
        for installation in &installations {
            provision::down(installation, Data::Deleted, &progress).await?;
        }
        certs::forget(context)?;
        delete(&removal.folder)?;
    }
    context.terminal.result(&removal);
    Ok(())
}

/// Every instance of this user; the one that was named too, which may have lost its files.
fn installations(context: &Context, folder: &Path) -> Result<Vec<Installation>, Failure> {
    let mut names = ls::names(folder)?;
    if !names.contains(&context.instance.name) {
        names.push(context.instance.name.clone());
    }
    let of = |name: &String| {
        Ok(Installation {
            instance: Instance::new(name, folder)?,
            ..context.installation()?
        })
    };
    names.iter().map(of).collect()
}

fn removal(proposals: &[DownProposal], folder: PathBuf) -> Removal {
    let instances: Vec<_> = proposals
        .iter()
        .map(|proposal| InstanceRemoval {
            instance: proposal.world.instance.clone(),
            steps: proposal.plan.steps.clone(),
        })
        .collect();
    let worlds = proposals.iter().map(|proposal| &proposal.world);
    let containers = worlds.filter_map(|world| Some(&world.contents()?.containers));
    let mut images: Vec<_> = containers
        .flatten()
        .filter(|found| found.service != Service::Hub.name())
        .map(|found| found.image.clone())
        .collect();
    images.sort();
    images.dedup();
    let steps: usize = instances.iter().map(|one| one.steps.len()).sum();
    Removal {
        changes: steps + usize::from(folder.exists()),
        instances,
        folder,
        images,
    }
}

async fn agree(context: &Context, removal: &Removal) -> Result<(), Failure> {
    if context.yes {
        return Ok(());
    }
    context.terminal.note(&removal.to_string());
    let message = "confirmation needed to delete everything: pass --yes";
    let missing = Failure::new(Exit::Usage, "answerMissing", message)
        .why("there is no terminal to ask on")
        .fix("look first with --dry-run, then confirm with --yes");
    context
        .agree("Delete all of this?", false, missing, "nothing was changed")
        .await
}

fn delete(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message = format!("cannot delete {}", folder.display());
            Err(Failure::new(Exit::Failed, "stateUnusable", message).why(error.to_string()))
        }
        _ => Ok(()),
    }
}
