//! `harmony up`: start everything as configured.

use super::answers_file::{gather, record};
use super::arguments::Answers;
use super::context::Context;
use super::difference::Difference;
use super::failure::{Exit, Failure};
use super::progress::TerminalProgress;
use super::render::Shown;
use super::render::plan::PlanText;
use super::tracked::{is_tracked, secret_among};
use crate::appsettings::{self, SettingsFile};
use crate::provision::report::{Report, ServiceState};
use crate::provision::{self, Proposal};
use crate::terminal::prompt::{self, Question, Reply};

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let answers = gather(context, flags)?;
    let context = context.in_environment(answers.environment.as_deref());
    Ok(bring_up(&context, &answers).await?)
}

/// Why nothing was brought up.
#[derive(Debug)]
pub enum Stopped {
    /// The user said no.
    Declined,
    Failed(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Failed(failure)
    }
}

impl From<provision::error::Error> for Stopped {
    fn from(error: provision::error::Error) -> Self {
        Stopped::Failed(error.into())
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Declined => Failure::new(Exit::Failed, "declined", "nothing was changed"),
            Stopped::Failed(failure) => failure,
        }
    }
}

/// Decides, shows, asks, and does it.
pub async fn bring_up(context: &Context, answers: &Answers) -> Result<(), Stopped> {
    let request = context.request(answers.wanted())?;
    let progress = TerminalProgress::new(context.terminal);
    if context.dry_run {
        let proposal = provision::propose(&request, &progress).await?;
        show(context, &proposal, answers);
        context
            .terminal
            .result(&PlanText::of(&proposal, &request.checkout.root));
        return Ok(context.pending(proposal.plan.changes)?);
    }
    // Held from the agreement on: Ctrl-C waits until everything is done or undone.
    let mut working = None;
    let agree = async |proposal: &Proposal| {
        show(context, proposal, answers);
        record(context, answers)?;
        consent(context, &PlanText::of(proposal, &request.checkout.root)).await?;
        if working.is_none() {
            working = Some(context.working.clone().lock_owned().await);
        }
        Ok::<_, Stopped>(())
    };
    let report = provision::up_if(&request, &progress, agree).await?;
    finish(context, &report);
    Ok(())
}

fn show(context: &Context, proposal: &Proposal, answers: &Answers) {
    for warning in &proposal.decision.warnings {
        context.terminal.warn(&warning.to_string());
    }
    warn_of_tracked(context, proposal);
    if answers.diff {
        show_files(context, &proposal.decision.files);
    }
}

/// Says once that a password goes into a file which git tracks.
fn warn_of_tracked(context: &Context, proposal: &Proposal) {
    let root = &proposal.decision.state.checkout;
    let gets_secret = |file: &&SettingsFile| {
        let changed = file.changed_keys();
        secret_among(file, |key| changed.iter().any(|changed| changed == key)).is_some()
    };
    let mut files = proposal.decision.files.iter().filter(gets_secret);
    if let Some(file) = files.find(|file| is_tracked(root, &file.path)) {
        let path = file.path.display();
        context.terminal.warn(&format!(
            "git tracks {path}, which gets passwords: do not commit it, or keep them elsewhere \
             with --secrets user-secrets or --secrets environment"
        ));
    }
}

/// Shows what becomes of each file, line by line.
pub fn show_files(context: &Context, files: &[SettingsFile]) {
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
async fn consent(context: &Context, text: &PlanText<'_>) -> Result<(), Stopped> {
    if text.plan.changes == 0 {
        return Ok(());
    }
    let missing = Failure::new(
        Exit::Usage,
        "answerMissing",
        "confirmation needed: pass --yes",
    )
    .why("there is no terminal to ask on")
    .fix("confirm with --yes, or look first with --dry-run");
    let plan = text.to_string();
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
    if !context.can_ask() {
        return Err(missing.into());
    }
    match prompt::confirm(Question::new("Go ahead?", ""), true).await {
        Reply::Given(true) => Ok(()),
        Reply::Given(false) | Reply::Back => Err(Stopped::Declined),
        Reply::Left => Err(Failure::interrupted().into()),
    }
}
