//! `harmony down`: stop the hub and the containers; data only where that was asked for.

mod everything;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::progress::TerminalProgress;
use super::render::Shown;
use crate::provision::request::Data;
use crate::provision::{self, DownProposal};

#[derive(Debug, clap::Args)]
pub struct DownArguments {
    /// Also delete the data that is kept in volumes
    #[arg(long)]
    volumes: bool,
    /// Delete everything of ours: every instance with its data and logs, and our certificate
    #[arg(long)]
    everything: bool,
}

pub async fn run(context: &Context, arguments: DownArguments) -> Result<(), Failure> {
    if arguments.everything {
        return everything::run(context).await;
    }
    let installation = context.installation()?;
    let data = if arguments.volumes {
        Data::Deleted
    } else {
        Data::Kept
    };
    if context.dry_run {
        let proposal = provision::propose_down(&installation, data).await?;
        context.terminal.result(&Shown(&proposal.plan));
        return context.pending(proposal.plan.changes);
    }
    let progress = TerminalProgress::new(context.terminal);
    let agree = async |proposal: &DownProposal| agree_to_loss(context, proposal).await;
    let report = provision::down_if(&installation, data, &progress, agree).await?;
    context.terminal.result(&Shown(&report));
    Ok(())
}

async fn agree_to_loss(context: &Context, proposal: &DownProposal) -> Result<(), Failure> {
    let volumes = proposal.lost_volumes().join(", ");
    if volumes.is_empty() || context.yes {
        return Ok(());
    }
    let question = format!("All data in {volumes} will be lost. Delete it?");
    let message = "confirmation needed to delete data: pass --yes";
    let missing = Failure::new(Exit::Usage, "answerMissing", message)
        .why(format!(
            "{volumes} would be lost, and there is no terminal to ask on"
        ))
        .fix("confirm with --yes, or keep the data by leaving out --volumes");
    context
        .agree(&question, false, missing, "nothing was changed")
        .await
}
