//! `doctor --fix`: does what is safe, each after a question.

use super::check::{Check, CheckStatus};
use super::settings::TRUST;
use crate::cli::arguments::Answers;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::{certs, up};

/// What can be done without knowing more than the user does.
pub async fn apply(context: &Context, checks: &[Check]) -> Result<(), Failure> {
    let has = |name: &str, status: CheckStatus| {
        checks
            .iter()
            .any(|check| check.name == name && check.status == status)
    };
    let mut done = 0;
    if has(TRUST, CheckStatus::Warning)
        && agreed(
            context,
            "Let the browsers of this user trust the development certificate?",
        )
        .await?
    {
        certs::trust(context)?;
        done += 1;
    }
    let is_down = ["Redis", "RabbitMQ", "hub"]
        .iter()
        .any(|name| has(name, CheckStatus::Failed));
    if is_down
        && agreed(
            context,
            "Start what does not respond, as 'harmony up' does?",
        )
        .await?
    {
        up::run(context, Answers::default()).await?;
        done += 1;
    }
    if done == 0 {
        context
            .terminal
            .note("Nothing was changed; the other problems need the fixes shown above.");
    }
    Ok(())
}

async fn agreed(context: &Context, question: &str) -> Result<bool, Failure> {
    if context.yes {
        return Ok(true);
    }
    let missing = Failure::new(
        Exit::Usage,
        "answerMissing",
        "confirmation needed: pass --yes",
    )
    .why(question);
    match context.agree(question, true, missing, "declined").await {
        Ok(()) => Ok(true),
        Err(failure) if failure.exit() == Exit::Failed => Ok(false),
        Err(failure) => Err(failure),
    }
}
