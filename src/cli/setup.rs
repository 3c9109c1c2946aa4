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
use crate::provision;
use crate::terminal::prompt::Reply;
use crate::terminal::wrap::{hanging, result_columns};
use found::Findings;
use review::{Decided, decide};

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let mut answers = gather(context, flags)?;
    let unanswered = questions::unanswered(&answers);
    if context.yes || unanswered.is_none() {
        return Ok(bring_up(context, &answers).await?);
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
    let found = Findings::look(context).await?;
    let columns = result_columns();
    for row in found.to_string().lines() {
        context.terminal.note(&hanging(row, 2, columns).join("\n"));
    }
    let open = questions::open(&answers);
    given(questions::ask_all(&open, open.first(), &found, &mut answers).await)?;
    interview(context, &found, &mut answers).await
}

/// Goes round the review until it is left by starting, or by leaving everything as it is.
async fn interview(
    context: &Context,
    found: &Findings,
    answers: &mut Answers,
) -> Result<(), Failure> {
    loop {
        record(context, answers)?;
        match decide(answers).await {
            Reply::Given(Decided::Start) => match bring_up(context, answers).await {
                Err(Stopped::Declined) => {}
                ended => return Ok(ended?),
            },
            Reply::Given(Decided::More) => given(more::choose(context, answers).await?)?,
            Reply::Given(Decided::Change) => {
                given(questions::change(found, answers).await)?;
            }
            Reply::Given(Decided::Show) => {
                let request = context.request(answers.wanted())?;
                let proposal = provision::propose(&request, &()).await?;
                show_files(context, &proposal.decision.files);
            }
            Reply::Given(Decided::Leave) => {
                context.terminal.note("Nothing was changed.");
                return Ok(());
            }
            Reply::Back => {
                let open = questions::open(&Answers::default());
                given(questions::ask_all(&open, open.last(), found, answers).await)?;
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
