//! `harmony setup`: the wizard. It asks what can't be known, shows what becomes of every file, and does what `up` does.

mod found;
mod questions;

use super::answers_file::gather;
use super::arguments::Answers;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::up::{Showing, bring_up};
use found::Findings;

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let mut answers = gather(context, flags)?;
    if !context.yes {
        let unanswered = questions::unanswered(&answers);
        if context.terminal.json || !crate::terminal::can_ask() {
            if let Some(flag) = unanswered {
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
        } else if unanswered.is_some() {
            let found = Findings::look(context).await?;
            context.terminal.note(&found.to_string());
            questions::ask(&found, &mut answers).await?;
        }
    }
    bring_up(context, &answers, Showing::PlanAndFiles).await
}
