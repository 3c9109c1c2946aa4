//! `harmony setup`: the wizard. It asks what can't be known, shows what becomes of every file, and does what `up` does.

mod found;
mod questions;

use super::answers::Answers;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::up::{Showing, bring_up};
use found::Found;

pub async fn run(context: &Context, flags: Answers) -> Result<(), Failure> {
    let _lock = if context.dry_run {
        None
    } else {
        Some(context.instance.lock()?)
    };
    let mut answers = flags.gather(context)?;
    if !context.yes {
        let unanswered = questions::unanswered(&answers);
        if context.terminal.json || !crate::terminal::can_ask() {
            if let Some(flag) = unanswered {
                return Err(Failure::new(
                    Exit::Usage,
                    "answerMissing",
                    format!("{flag} has to be answered"),
                )
                .why("there is no terminal to ask on")
                .fix(format!(
                    "give {flag}, a file with --answers, or take the defaults with --yes"
                )));
            }
        } else if unanswered.is_some() {
            let found = Found::look(context, &answers).await?;
            context.terminal.note(&found.to_string());
            questions::ask(&found, &mut answers).await?;
        }
    }
    bring_up(context, &answers, Showing::PlanAndFiles).await
}
