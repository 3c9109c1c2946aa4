//! `harmony settings`: read, change and explain one application's settings.

mod answer;
mod application;
mod edit;
mod read;
mod undo;
mod write;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::appsettings::key_path::same;
use crate::form::draft::FileDraft;
use crate::schema::{self, APPLICATIONS};
use answer::Secrets;
use application::{ChosenApplication, as_meant};
use undo::UndoArguments;
use write::{SetArguments, UnsetArguments};

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
    Set(SetArguments),
    /// Choose a key, or name one, and answer a question made from its schema
    Edit {
        /// A key, or a section such as BrokerConfiguration [default: choose from a list]
        key: Option<String>,
    },
    /// Remove a key from the same file
    Unset(UnsetArguments),
    /// List every key, its value and where it comes from
    List,
    /// Show each layer's value of a key, and which one wins
    Why {
        key: String,
        /// Launch profile of Properties/launchSettings.json, as Visual Studio and dotnet run use it
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
    /// Check the settings of every application
    Validate,
    /// Undo the last change, or several
    Undo(UndoArguments),
    /// Print the JSON Schema of an application's settings
    Schema {
        #[arg(value_name = "APP")]
        application: String,
    },
}

impl SettingsArguments {
    /// Whether the command asks questions.
    pub fn asks(&self) -> bool {
        matches!(
            self.command,
            SettingsCommand::Edit { .. } | SettingsCommand::Undo(_)
        )
    }
}

/// Runs the commands that ask questions.
pub async fn ask(context: &Context, arguments: SettingsArguments) -> Result<(), Failure> {
    match &arguments.command {
        SettingsCommand::Undo(arguments) => undo::run(context, arguments).await,
        SettingsCommand::Edit { key } => {
            let application = ChosenApplication::of(&context.known_checkout()?, &arguments.app)?;
            edit(context, application, key.as_deref()).await
        }
        _ => run(context, arguments),
    }
}

async fn edit(
    context: &Context,
    application: ChosenApplication,
    key: Option<&str>,
) -> Result<(), Failure> {
    let layers = application.layers(context)?;
    let key = key.map(|key| as_meant(&layers, key));
    let questions = edit::wanted(&application.schema, key.as_deref());
    if let ([], Some(key)) = (questions.as_slice(), key) {
        return Err(application.unknown_key(&layers, &key));
    }
    let file = application.read_or_plan(context)?;
    let draft = FileDraft::new(&application.name, application.schema, layers, file);
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
    let checkout = context.known_checkout()?;
    if let SettingsCommand::Validate = arguments.command {
        return read::validate(context, &checkout);
    }
    let application = ChosenApplication::of(&checkout, &arguments.app)?;
    let secrets = Secrets {
        schema: &application.schema,
        shown: arguments.show_secrets,
    };
    match &arguments.command {
        SettingsCommand::Get { key } => read::get(context, &application, &secrets, key),
        SettingsCommand::Set(arguments) => write::set(context, &application, arguments),
        SettingsCommand::Unset(arguments) => write::unset(context, &application, arguments),
        SettingsCommand::List => read::list(context, &application, &secrets),
        SettingsCommand::Why { key, profile } => {
            let layers = match profile {
                Some(profile) => application.layers_of_profile(context, profile)?,
                None => application.layers(context)?,
            };
            read::why(context, &application, &layers, &secrets, key)
        }
        SettingsCommand::Edit { .. }
        | SettingsCommand::Validate
        | SettingsCommand::Undo(_)
        | SettingsCommand::Schema { .. } => Ok(()),
    }
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
