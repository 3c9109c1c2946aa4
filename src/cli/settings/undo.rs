//! `undo`: go back over the last changes, after showing what that means.

use super::answer::Written;
use crate::appsettings::change::{self, UndoneFile};
use crate::cli::context::Context;
use crate::cli::difference::Difference;
use crate::cli::failure::{Exit, Failure};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct UndoArguments {
    /// How many changes to go back
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
}

pub(super) async fn run(context: &Context, arguments: &UndoArguments) -> Result<(), Failure> {
    let _lock = context.instance.lock()?;
    let backups = context.instance.backups();
    let steps = usize::from(arguments.steps);
    let plan = change::undo_plan(&backups, steps)?;
    if let Some(first) = plan.conflicts.first() {
        let message = format!(
            "{} was changed since; nothing was undone",
            first.path.display()
        );
        let means: Vec<_> = plan.conflicts.iter().map(shown).collect();
        return Err(Failure::new(Exit::Failed, "settingsChanged", message)
            .why(format!("undoing would now mean:\n{}", means.join("\n")))
            .fix("make the change by hand"));
    }
    let mut written = Written {
        changed: !plan.files.is_empty(),
        files: Vec::new(),
        differences: Vec::new(),
    };
    if context.dry_run {
        written.differences = plan.files.iter().map(difference).collect();
    } else if written.changed {
        agree(context, &plan.files, steps).await?;
        written.files = change::undo(&backups, steps)?;
    }
    context.terminal.result(&written);
    if context.dry_run {
        return context.pending(usize::from(written.changed));
    }
    Ok(())
}

/// Shows what will change and asks. One step is what the command says; a script that goes back
/// further has to say that it means it.
async fn agree(context: &Context, files: &[UndoneFile], steps: usize) -> Result<(), Failure> {
    let can_ask = !context.terminal.json && terminal::can_ask();
    if context.yes || !can_ask && steps == 1 {
        return Ok(());
    }
    for file in files {
        context.terminal.note(&shown(file));
    }
    let missing = Failure::new(
        Exit::Usage,
        "confirmationNeeded",
        format!("confirmation needed to undo {steps} changes"),
    )
    .fix("pass --yes");
    let question = match files.len() {
        1 => "Undo this change?".to_owned(),
        count => format!("Undo the changes of {count} files?"),
    };
    let declined = "nothing was undone";
    context.agree(&question, true, missing, declined).await
}

fn shown(file: &UndoneFile) -> String {
    difference(file).to_string()
}

fn difference(file: &UndoneFile) -> Difference {
    let bytes = |content: &Option<Vec<u8>>| content.clone().unwrap_or_default();
    Difference::of(&file.path, &bytes(&file.now), &bytes(&file.then))
}
