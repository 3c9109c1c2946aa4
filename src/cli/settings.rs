//! `harmony settings`: read, change and explain one application's settings.

mod answer;
mod edit;

use super::context::Context;
use super::difference::Difference;
use super::failure::{Exit, Failure};
use crate::appsettings::document::NewValue;
use crate::appsettings::key_path::{KeyPath, fold, same};
use crate::appsettings::layers::{Layers, Setting, Source, Started, file_names};
use crate::appsettings::{self, SettingsFile, change};
use crate::checkout::Checkout;
use crate::form::draft::FileDraft;
use crate::project::{ApplicationSettings, Scope};
use crate::schema::{self, APPLICATIONS};
use answer::{Layer, List, OneSetting, Secrets, Validation, Why, Written};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct SettingsArguments {
    /// Application whose settings to use
    #[arg(
        long,
        value_name = "NAME",
        default_value = "Harmony.SignalR",
        global = true
    )]
    app: String,
    /// Show secrets in clear text
    #[arg(long, global = true)]
    show_secrets: bool,
    #[command(subcommand)]
    command: SettingsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SettingsCommand {
    /// Print the value of a key
    Get { key: String },
    /// Set a key in appsettings.json, or with --environment in that environment's file
    Set { key: String, value: String },
    /// Choose a key, or name one, and answer a question made from its schema
    Edit {
        /// A key, or a section such as BrokerConfiguration [default: choose from a list]
        key: Option<String>,
    },
    /// Remove a key from the same file
    Unset { key: String },
    /// List every key, its value and where it comes from
    List,
    /// Show each layer's value of a key, and which one wins
    Why { key: String },
    /// Check the settings of every application
    Validate,
    /// Undo the last change
    Undo,
    /// Print the JSON Schema of an application's settings
    Schema {
        #[arg(value_name = "APP")]
        application: String,
    },
}

impl SettingsArguments {
    /// Whether the command asks questions.
    pub fn asks(&self) -> bool {
        matches!(self.command, SettingsCommand::Edit { .. })
    }
}

/// Runs the commands that ask questions.
pub async fn ask(context: &Context, arguments: SettingsArguments) -> Result<(), Failure> {
    let SettingsCommand::Edit { key } = &arguments.command else {
        return run(context, arguments);
    };
    let folder = folder(&context.known_checkout()?, &arguments.app)?;
    let schema = schema::Application::named(&arguments.app)
        .map(schema::Application::schema)
        .unwrap_or_default();
    let questions = edit::wanted(&schema, key.as_deref());
    if let ([], Some(key)) = (questions.as_slice(), key) {
        return Err(unknown_key(&arguments.app, key));
    }
    let layers = layers(context, &folder)?;
    let file = target(context, &folder)?;
    let draft = FileDraft::new(&arguments.app, schema, layers, file);
    edit::run(context, draft, &questions).await
}

pub fn run(context: &Context, arguments: SettingsArguments) -> Result<(), Failure> {
    if let SettingsCommand::Schema { application } = &arguments.command {
        let found = match schema::Application::named(application) {
            Some(known) => known.schema(),
            None if same(application, "answers") => schema::answers(),
            None => return Err(unknown_application(application)),
        };
        context.terminal.exact(&format!("{found:#}"));
        return Ok(());
    }
    if let SettingsCommand::Undo = arguments.command {
        return undo(context);
    }
    let checkout = context.known_checkout()?;
    if let SettingsCommand::Validate = arguments.command {
        return validate(context, &checkout);
    }
    let folder = folder(&checkout, &arguments.app)?;
    let schema = schema::Application::named(&arguments.app)
        .map(schema::Application::schema)
        .unwrap_or_default();
    let secrets = Secrets {
        schema: &schema,
        shown: arguments.show_secrets,
    };
    match &arguments.command {
        SettingsCommand::Get { key } => {
            let layers = layers(context, &folder)?;
            let setting = layers
                .setting(&colons(key))
                .ok_or_else(|| unknown_key(&arguments.app, key))?;
            context.terminal.result(&OneSetting::of(setting, &secrets));
        }
        SettingsCommand::Set { key, value } => {
            let file = target(context, &folder)?;
            let value = typed(&schema, &file, key, value);
            change(context, file, |file| {
                Ok(file.document.set(&KeyPath::new(key), &value)?)
            })?;
        }
        SettingsCommand::Unset { key } => {
            let file = target(context, &folder)?;
            change(context, file, |file| {
                Ok(file.document.remove(&KeyPath::new(key)))
            })?;
        }
        SettingsCommand::List => {
            let layers = layers(context, &folder)?;
            let known = layers
                .effective()
                .into_iter()
                .filter(|setting| concerns(&schema, setting))
                .cloned();
            let unset = schema::defaults(&schema)
                .into_iter()
                .filter(|(key, _)| layers.setting(key).is_none());
            let defaults = unset.map(|(key, value)| Setting {
                key,
                value: Some(value),
                source: Source::Default,
            });
            let mut settings: Vec<_> = known
                .chain(defaults)
                .map(|setting| OneSetting::of(&setting, &secrets))
                .collect();
            for setting in &mut settings {
                setting.hidden = setting.value.is_none()
                    && layers
                        .all(&setting.key)
                        .iter()
                        .any(|layer| layer.value.is_some());
            }
            settings.sort_by_cached_key(|setting| fold(&setting.key));
            context.terminal.result(&List { settings });
        }
        SettingsCommand::Why { key } => {
            why(context, &folder, &secrets, &arguments.app, &colons(key))?
        }
        SettingsCommand::Edit { .. }
        | SettingsCommand::Validate
        | SettingsCommand::Undo
        | SettingsCommand::Schema { .. } => {}
    }
    Ok(())
}

fn colons(key: &str) -> String {
    KeyPath::new(key).to_string()
}

/// What the application reads that starts here and now, this shell's variables included.
fn layers(context: &Context, folder: &Path) -> Result<Layers, Failure> {
    Ok(Layers::load(
        folder,
        &context.environment,
        &Started::here(Vec::new()),
    )?)
}

fn folder(checkout: &Checkout, application: &str) -> Result<PathBuf, Failure> {
    let folders = std::iter::once(&checkout.hub)
        .chain(&checkout.client)
        .chain(&checkout.others);
    let is_it = |folder: &&PathBuf| {
        folder
            .components()
            .any(|part| same(&part.as_os_str().to_string_lossy(), application))
    };
    let publish_folder = Some(&checkout.hub).filter(|_| application == APPLICATIONS[0].name);
    folders
        .clone()
        .find(is_it)
        .or(publish_folder)
        .cloned()
        .ok_or_else(|| {
            let names = folders.filter_map(|folder| {
                folder
                    .components()
                    .find(|part| part.as_os_str().to_string_lossy().starts_with("Harmony."))
            });
            let names: Vec<_> = names
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            Failure::new(
                Exit::Usage,
                "unknownApplication",
                format!("no settings of '{application}' are in reach"),
            )
            .fix(format!("choose one of: {}", names.join(", ")))
        })
}

/// The file that is changed: the base, or the named environment's.
fn target(context: &Context, folder: &Path) -> Result<SettingsFile, Failure> {
    let [base, own] = file_names(&context.environment);
    let path = folder.join(if context.only_environment { own } else { base });
    match SettingsFile::read(&path)? {
        Some(file) => Ok(file),
        None => Ok(SettingsFile::planned(&path, "{\n}\n")?),
    }
}

fn change(
    context: &Context,
    mut file: SettingsFile,
    edit: impl FnOnce(&mut SettingsFile) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let _lock = context.instance.lock()?;
    edit(&mut file)?;
    schema::check(&file)?;
    let files = if context.dry_run {
        Vec::new()
    } else {
        appsettings::write(std::slice::from_ref(&file), &context.instance.backups())?
    };
    let changed = file.is_changed();
    context.terminal.result(&Written { changed, files });
    if context.dry_run {
        return context.pending(usize::from(changed));
    }
    Ok(())
}

/// A value as the schema has it, else as the value that is there already, else as text.
fn typed(schema: &Value, file: &SettingsFile, key: &str, text: &str) -> NewValue {
    let kind = schema::property(schema, &colons(key)).map(|property| property["type"].to_string());
    let there = file.document.is_text(&KeyPath::new(key));
    let number = kind.as_ref().is_some_and(|kind| kind.contains("integer"))
        || (kind.is_none() && there == Some(false));
    match (text.parse::<i64>(), text) {
        (Ok(value), _) if number => NewValue::Integer(value),
        (_, "true" | "True") if kind.is_none() && there == Some(false) => NewValue::Boolean(true),
        (_, "false" | "False") if kind.is_none() && there == Some(false) => {
            NewValue::Boolean(false)
        }
        _ => NewValue::Text(text.to_owned()),
    }
}

fn undo(context: &Context) -> Result<(), Failure> {
    let _lock = context.instance.lock()?;
    let backups = context.instance.backups();
    let conflicts = change::conflicts(&backups)?;
    if let Some(first) = conflicts.first() {
        let differences: Vec<_> = conflicts
            .iter()
            .map(|conflict| {
                Difference::of(&conflict.path, &conflict.now, &conflict.then).to_string()
            })
            .collect();
        return Err(Failure::new(
            Exit::Failed,
            "settingsChanged",
            format!(
                "{} was changed since; nothing was undone",
                first.path.display()
            ),
        )
        .why(format!(
            "undoing would now mean:\n{}",
            differences.join("\n")
        ))
        .fix("make the change by hand"));
    }
    if context.dry_run {
        let changed = change::is_undoable(&backups)?;
        let files = Vec::new();
        context.terminal.result(&Written { changed, files });
        return context.pending(usize::from(changed));
    }
    let files = change::undo(&backups)?;
    context.terminal.result(&Written {
        changed: !files.is_empty(),
        files,
    });
    Ok(())
}

fn unknown_application(name: &str) -> Failure {
    let names: Vec<_> = APPLICATIONS.iter().map(|known| known.name).collect();
    Failure::new(
        Exit::Usage,
        "unknownApplication",
        format!("there is no schema of '{name}'"),
    )
    .fix(format!("choose one of: {}", names.join(", ")))
}

fn unknown_key(application: &str, key: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "unknownKey",
        format!("{application} has no setting '{key}'"),
    )
    .fix("'harmony settings list' shows every key")
}

/// Variables of this machine that are no settings of Harmony are left out of lists.
fn concerns(schema: &Value, setting: &Setting) -> bool {
    matches!(
        setting.source,
        Source::File { .. } | Source::CommandLine { .. }
    ) || schema::property(schema, &setting.key).is_some()
}

fn why(
    context: &Context,
    folder: &Path,
    secrets: &Secrets<'_>,
    application: &str,
    key: &str,
) -> Result<(), Failure> {
    let layers = layers(context, folder)?;
    let all = layers.all(key);
    let winner = layers
        .setting(key)
        .ok_or_else(|| unknown_key(application, key))?;
    let layer = |setting: &&Setting| Layer {
        source: setting.source.clone(),
        value: secrets.show(&setting.key, setting.value.as_deref()),
        wins: std::ptr::eq(*setting, winner),
    };
    let value = secrets.show(&winner.key, winner.value.as_deref());
    context.terminal.result(&Why {
        key: winner.key.clone(),
        value,
        layers: all.iter().map(layer).collect(),
    });
    Ok(())
}

fn validate(context: &Context, checkout: &Checkout) -> Result<(), Failure> {
    let mut violations = Vec::new();
    for folder in std::iter::once(&checkout.hub)
        .chain(&checkout.client)
        .chain(&checkout.others)
    {
        let application = ApplicationSettings::read(folder, &Scope::of(&*context.environment))?;
        for file in application.files() {
            violations.extend(schema::all_violations(file));
        }
    }
    let invalid = violations
        .iter()
        .any(|violation| violation.severity == "error");
    context.terminal.result(&Validation { violations });
    if invalid {
        Err(Failure::new(
            Exit::SettingsInvalid,
            "settingsInvalid",
            "settings are invalid",
        )
        .shown())
    } else {
        Ok(())
    }
}
