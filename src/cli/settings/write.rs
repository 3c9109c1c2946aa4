//! `set` and `unset`: one key in one file, with what an edit leads to said before and after.

use super::answer::Written;
use super::application::ChosenApplication;
use crate::appsettings::document::NewValue;
use crate::appsettings::key_path::KeyPath;
use crate::appsettings::layers::{Layers, Source, file_names};
use crate::appsettings::{self, SettingsFile};
use crate::cli::context::Context;
use crate::cli::difference::Difference;
use crate::cli::failure::{Exit, Failure};
use crate::platform;
use crate::schema::{self, ValueType};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct SetArguments {
    #[arg(index = 1)]
    key: String,
    /// The value; true, false and numbers get the type that the schema asks for
    #[arg(index = 2, required_unless_present = "stdin")]
    value: Option<String>,
    /// Read the value from stdin, for secrets
    #[arg(long, conflicts_with = "value")]
    stdin: bool,
    /// Write a text, also where a number or true and false are expected
    #[arg(long)]
    string: bool,
    /// Replace a whole section or list
    #[arg(long)]
    force: bool,
    /// Write to the file whose value wins
    #[arg(long)]
    where_it_wins: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct UnsetArguments {
    key: String,
    /// Remove the key from the file whose value wins
    #[arg(long)]
    where_it_wins: bool,
}

pub(super) fn set(
    context: &Context,
    application: &ChosenApplication,
    arguments: &SetArguments,
) -> Result<(), Failure> {
    let mut files = application.files(context)?;
    let (key, layers) = application.at(context, &files, &arguments.key);
    let text = match &arguments.value {
        Some(value) => value.clone(),
        None => read_line()?,
    };
    if let Some(near) = application.neighbour(context, &layers, &key)? {
        let message = format!("no setting {key} is known; did you mean {near}?");
        context.terminal.warn(&message);
    }
    let target = target(context, application, &layers, &key, arguments.where_it_wins)?;
    let mut file = take(&mut files, &target)?;
    let path = KeyPath::new(&key);
    let value = if arguments.string {
        NewValue::Quoted(text)
    } else {
        typed(application, &layers, (&file, &files), &key, text)
    };
    if arguments.force {
        file.document.replace(&path, &value)?;
    } else {
        file.document.set(&path, &value)?;
    }
    tell_who_wins(context, &layers, &key, &file.path);
    finish(context, &file)
}

pub(super) fn unset(
    context: &Context,
    application: &ChosenApplication,
    arguments: &UnsetArguments,
) -> Result<(), Failure> {
    let mut files = application.files(context)?;
    let (key, layers) = application.at(context, &files, &arguments.key);
    let target = target(context, application, &layers, &key, arguments.where_it_wins)?;
    let mut file = take(&mut files, &target)?;
    let removed = file.document.remove(&KeyPath::new(&key))?;
    if !removed && let Some(near) = application.neighbour(context, &layers, &key)? {
        let message = format!("there is no setting {key}; did you mean {near}?");
        context.terminal.warn(&message);
    }
    tell_who_wins(context, &layers, &key, &file.path);
    finish(context, &file)
}

/// Checks the edit, shows or makes it.
fn finish(context: &Context, file: &SettingsFile) -> Result<(), Failure> {
    let _lock = context.instance.lock()?;
    schema::check(file)?;
    let after = file.document.to_bytes();
    let mut written = Written {
        changed: file.is_changed(),
        files: Vec::new(),
        differences: Vec::new(),
    };
    if context.dry_run {
        let before = file.original_bytes().unwrap_or_default();
        let difference = || Difference::of(&file.path, before, &after);
        written.differences.extend(written.changed.then(difference));
    } else {
        let others = platform::other_names(&file.path);
        let backups = context.instance.backups();
        written.files = appsettings::write(std::slice::from_ref(file), &backups)?;
        if others > 0 && written.changed {
            context.terminal.warn(&format!(
                "{} had {others} more hard links; they keep the former content",
                file.path.display()
            ));
        }
    }
    context.terminal.result(&written);
    if context.dry_run {
        return context.pending(usize::from(written.changed));
    }
    Ok(())
}

/// The file to edit: the one that was asked for, or the one whose value wins.
fn target(
    context: &Context,
    application: &ChosenApplication,
    layers: &Layers,
    key: &str,
    where_it_wins: bool,
) -> Result<PathBuf, Failure> {
    let winner = layers.setting(key).filter(|_| where_it_wins);
    match winner.map(|setting| &setting.source) {
        Some(Source::File { file, .. }) => Ok(file.clone()),
        Some(Source::Environment { variable }) => {
            let message = format!("{key} comes from the variable {variable}");
            Err(Failure::new(Exit::Failed, "overridden", message)
                .why("no file wins over a variable")
                .fix(format!("unset {variable}")))
        }
        _ => Ok(application.edited(context)),
    }
}

/// One of the files that were read, or a new one.
fn take(files: &mut Vec<SettingsFile>, path: &Path) -> Result<SettingsFile, Failure> {
    match files.iter().position(|file| file.path == path) {
        Some(place) => Ok(files.swap_remove(place)),
        None => Ok(SettingsFile::empty(path)?),
    }
}

/// Says which layer hides what was written.
fn tell_who_wins(context: &Context, layers: &Layers, key: &str, written: &Path) {
    let Some(winner) = layers.all(key).pop() else {
        return;
    };
    let [base, _] = file_names(&context.environment);
    match &winner.source {
        Source::File { file, line } if file != written && written.ends_with(base) => {
            context.terminal.warn(&format!(
                "{}:{line} sets {key} too and wins in {}; edit it there with --where-it-wins",
                file.display(),
                context.environment
            ));
        }
        Source::Environment { variable } => {
            let message = format!("the variable {variable} sets {key} too and wins");
            context.terminal.warn(&message);
        }
        _ => {}
    }
}

/// A value of the type that the schema asks for, else that of the value that is there already: in
/// the file that is edited, or in another one that wins.
fn typed(
    application: &ChosenApplication,
    layers: &Layers,
    (edited, others): (&SettingsFile, &[SettingsFile]),
    key: &str,
    text: String,
) -> NewValue {
    let number = || {
        let parsed = serde_json::from_str::<serde_json::Number>(&text).ok()?;
        Some(NewValue::of_number(&parsed, &text))
    };
    let boolean = || match text.to_ascii_lowercase().as_str() {
        "true" => Some(NewValue::Boolean(true)),
        "false" => Some(NewValue::Boolean(false)),
        _ => None,
    };
    let value = match schema::value_type(&application.schema, key) {
        Some(ValueType::Number) => number(),
        Some(ValueType::Boolean) => boolean(),
        Some(ValueType::Text) => None,
        None if is_bare(layers, edited, others, key) => boolean().or_else(number),
        None => None,
    };
    value.unwrap_or(NewValue::Text(text))
}

/// Whether the value that is there is written without quotes.
fn is_bare(layers: &Layers, edited: &SettingsFile, others: &[SettingsFile], key: &str) -> bool {
    let path = KeyPath::new(key);
    let quoted = edited.document.is_text(&path).or_else(|| {
        let Source::File { file, .. } = &layers.setting(key)?.source else {
            return None;
        };
        let other = others.iter().find(|other| other.path == *file)?;
        other.document.is_text(&path)
    });
    quoted == Some(false)
}

/// What is on standard input, without the line's end.
fn read_line() -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, "stdin", error.to_string());
    let text = std::io::read_to_string(std::io::stdin()).map_err(failed)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
