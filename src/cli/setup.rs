//! `harmony setup`: the wizard. The short way first, then a review: start, more settings, or leave.

mod found;
mod more;
mod project_draft;
mod property;
mod questions;
mod request_draft;
mod review;
mod server;

use super::answers_file::{gather, record};
use super::arguments::Answers;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::up::{Stopped, bring_up, show_files};
use crate::appsettings::SettingsFile;
use crate::provision;
use crate::terminal::prompt::Reply;
use found::Findings;
use review::{Decided, decide};

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let mut answers = gather(context, flags)?;
    let unanswered = questions::unanswered(&answers);
    if context.yes || unanswered.is_none() {
        let context = context.in_environment(answers.environment.as_deref());
        return Ok(bring_up(&context, &answers).await?);
    }
    if let (Some(flag), false) = (unanswered, context.can_ask()) {
        return Err(Failure::new(
            Exit::Usage,
            "answerMissing",
            format!("answer needed: {flag}"),
        )
        .why("there is no terminal to ask on")
        .fix(format!(
            "give {flag}, a file with --answers, or take the defaults with --yes"
        )));
    }
    let found = look(context, &answers).await?;
    context.terminal.note(&found.to_string());
    let open = questions::open(&answers);
    given(questions::ask_all(&open, open.first(), &found, &mut answers).await)?;
    interview(context, found, &mut answers).await
}

/// What there is in the environment that was answered.
async fn look(context: &Context, answers: &Answers) -> Result<Findings, Failure> {
    Findings::look(&context.in_environment(answers.environment.as_deref())).await
}

/// Goes round the review until it is left by starting, or by leaving everything as it is.
async fn interview(
    context: &Context,
    mut found: Findings,
    answers: &mut Answers,
) -> Result<(), Failure> {
    loop {
        record(context, answers)?;
        let here = context.in_environment(answers.environment.as_deref());
        match decide(&found, answers).await {
            Reply::Given(Decided::Start) => match bring_up(&here, answers).await {
                Err(Stopped::Declined) => {}
                ended => return Ok(ended?),
            },
            Reply::Given(Decided::More) => {
                given(more::choose(context, &found, answers).await?)?;
                if answers
                    .environment
                    .as_deref()
                    .is_some_and(|name| name != here.environment)
                {
                    found = look(context, answers).await?;
                }
            }
            Reply::Given(Decided::Change) => {
                given(questions::change(&found, answers).await)?;
            }
            Reply::Given(Decided::Show) => {
                let request = here.request(answers.wanted())?;
                let proposal = provision::propose(&request, &()).await?;
                show_files(&here, &proposal.decision.files);
                if !proposal.decision.files.iter().any(SettingsFile::is_changed) {
                    context.terminal.note("No settings file changes.");
                }
            }
            Reply::Given(Decided::Leave) => {
                context.terminal.note("Nothing was changed.");
                return Ok(());
            }
            Reply::Back => {
                let open = questions::open(&Answers::default());
                given(questions::ask_all(&open, open.last(), &found, answers).await)?;
            }
            Reply::Left => return Err(Failure::interrupted()),
        }
    }
}

/// Ctrl-C ends the wizard; Esc only leads back.
fn given<T>(reply: Reply<T>) -> Result<(), Failure> {
    match reply {
        Reply::Left => Err(Failure::interrupted()),
        Reply::Given(_) | Reply::Back => Ok(()),
    }
}
