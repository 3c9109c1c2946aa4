//! `harmony up`: start everything as configured.

use super::answers_file::{gather, record};
use super::arguments::Answers;
use super::context::Context;
use super::difference::Difference;
use super::failure::{Exit, Failure};
use super::progress::TerminalProgress;
use super::render::Shown;
use crate::appsettings::{self, SettingsFile};
use crate::provision::report::{Report, ServiceState};
use crate::provision::{self, Proposal};

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let answers = gather(context, flags)?;
    bring_up(context, &answers, Showing::Plan).await
}

/// What is shown before the user agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    Plan,
    /// Also what becomes of each file, line by line.
    PlanAndFiles,
}

/// Decides, shows, asks, and does it.
pub async fn bring_up(
    context: &Context,
    answers: &Answers,
    showing: Showing,
) -> Result<(), Failure> {
    let request = context.request(answers.wanted())?;
    let progress = TerminalProgress::new(context.terminal);
    if context.dry_run {
        let proposal = provision::propose(&request, &progress).await?;
        show(context, &proposal, showing);
        context.terminal.result(&Shown(&proposal.plan));
        return context.pending(proposal.plan.changes);
    }
    // Held from the agreement on: Ctrl-C waits until everything is done or undone.
    let mut working = None;
    let agree = async |proposal: &Proposal| {
        show(context, proposal, showing);
        consent(context, proposal).await?;
        record(context, answers)?;
        if working.is_none() {
            working = Some(context.working.clone().lock_owned().await);
        }
        Ok::<_, Failure>(())
    };
    let report = provision::up_if(&request, &progress, agree).await?;
    finish(context, &report);
    Ok(())
}

fn show(context: &Context, proposal: &Proposal, showing: Showing) {
    for warning in &proposal.decision.warnings {
        context.terminal.warn(&warning.to_string());
    }
    if showing == Showing::PlanAndFiles {
        show_files(context, &proposal.decision.files);
    }
}

fn show_files(context: &Context, files: &[SettingsFile]) {
    for replacement in appsettings::replacements(files) {
        let before = replacement.before.unwrap_or_default();
        let difference = Difference::of(&replacement.path, &before, &replacement.after);
        context.terminal.coloured_note(&difference.to_string());
    }
}

fn finish(context: &Context, report: &Report) {
    context.terminal.result(&Shown(report));
    if [report.redis.state, report.rabbitmq.state] == [ServiceState::Embedded; 2] {
        context.terminal.note(&format!(
            "Embedded: one process, without Redis and RabbitMQ. To run with Redis and RabbitMQ, \
             start Docker, then run '{}'.",
            context.command("up --redis container --rabbitmq container")
        ));
    }
    if report.hub.url.is_some() {
        let already = match report.changes {
            0 => "Nothing had to change. ",
            _ => "",
        };
        let next = context.command("verify");
        context.terminal.note(&format!("{already}Next: {next}"));
    }
}

/// Shows the plan and asks for agreement.
async fn consent(context: &Context, proposal: &Proposal) -> Result<(), Failure> {
    if proposal.plan.changes == 0 {
        return Ok(());
    }
    let missing = Failure::new(
        Exit::Usage,
        "answerMissing",
        "confirmation needed: pass --yes",
    )
    .why("there is no terminal to ask on")
    .fix("confirm with --yes, or look first with --dry-run");
    let plan = proposal.plan.to_string();
    if context.yes || !context.can_ask() {
        if !context.terminal.json {
            context.terminal.note(&plan);
        }
    } else {
        context.terminal.before_question(&plan);
    }
    if context.yes {
        return Ok(());
    }
    context
        .agree("Go ahead?", true, missing, "nothing was changed")
        .await
}
