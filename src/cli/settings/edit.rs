//! `harmony settings edit`: choose a setting, answer its question, look at the difference, write
//! it.

use super::answer::Written;
use crate::appsettings;
use crate::appsettings::key_path::{KeyPath, same};
use crate::cli::context::Context;
use crate::cli::difference::Difference;
use crate::cli::failure::{Exit, Failure};
use crate::form::draft::{Draft, FileDraft};
use crate::form::{self, items};
use crate::schema::interview::questions;
use crate::schema::question::{AnswerKind, SettingQuestion};
use crate::terminal::prompt::{self, Question, Reply};
use serde_json::Value;

/// Asks the questions, or lets one be chosen where there are several.
pub async fn run(
    context: &Context,
    mut draft: FileDraft,
    questions: &[SettingQuestion],
) -> Result<(), Failure> {
    if context.terminal.json || !crate::terminal::can_ask() {
        return Err(Failure::new(
            Exit::Usage,
            "answerMissing",
            "'settings edit' asks questions",
        )
        .why("there is no terminal to ask on")
        .fix("use 'harmony settings set KEY VALUE'"));
    }
    loop {
        let reply = match questions {
            [one] => items::ask(one, &mut draft).await,
            several => form::edit(several, &mut draft).await,
        };
        if reply == Reply::Left {
            return Err(Failure::interrupted());
        }
        if !draft.file().is_changed() {
            context.terminal.result(&Written {
                changed: false,
                files: Vec::new(),
                differences: Vec::new(),
            });
            return Ok(());
        }
        show(context, &draft);
        if context.dry_run || context.yes {
            return write(context, &draft);
        }
        let asked = Question::new(format!("Write {}?", draft.file().path.display()), "");
        match prompt::confirm(asked, true).await {
            Reply::Given(true) => return write(context, &draft),
            Reply::Given(false) => {
                return Err(Failure::new(
                    Exit::Failed,
                    "declined",
                    "nothing was changed",
                ));
            }
            Reply::Back => {}
            Reply::Left => return Err(Failure::interrupted()),
        }
    }
}

/// The questions of a key or of a section; all of them where none is named.
pub fn wanted(schema: &Value, key: Option<&str>) -> Vec<SettingQuestion> {
    let mut all = questions(schema);
    let Some(key) = key.map(|key| KeyPath::new(key).to_string()) else {
        return all;
    };
    let is_below = |key: &str, section: &str| {
        key.get(..section.len() + 1)
            .is_some_and(|head| same(head, &format!("{section}:")))
    };
    let holder = all.iter().find_map(|question| match &question.kind {
        AnswerKind::Map(items) | AnswerKind::List(items) if is_below(&key, &question.key) => {
            let name = key[question.key.len() + 1..].split(':').next()?;
            let of_item = |item: &SettingQuestion| item.for_item(&question.key, name);
            Some(items.iter().map(of_item).collect())
        }
        _ => None,
    });
    all = holder.unwrap_or(all);
    all.retain(|question| same(&question.key, &key) || is_below(&question.key, &key));
    all
}

/// Shows what becomes of the file, and which layers still win over it.
fn show(context: &Context, draft: &FileDraft) {
    for replacement in appsettings::replacements(std::slice::from_ref(draft.file())) {
        let before = replacement.before.unwrap_or_default();
        let difference = Difference::of(&replacement.path, &before, &replacement.after);
        context.terminal.coloured_note(&difference.to_string());
    }
    for key in draft.edited() {
        if let Some(winner) = draft.winner_above(key) {
            let warning = format!("{winner} sets {key} too, and wins");
            context.terminal.warn(&warning);
        }
    }
}

fn write(context: &Context, draft: &FileDraft) -> Result<(), Failure> {
    let _lock = context.instance.lock()?;
    let files = if context.dry_run {
        Vec::new()
    } else {
        let files = std::slice::from_ref(draft.file());
        appsettings::write(files, &context.instance.backups())?
    };
    context.terminal.result(&Written {
        changed: true,
        files,
        differences: Vec::new(),
    });
    Ok(())
}
