//! The command line: global flags, one variant per command, dispatch.

mod answers_file;
mod arguments;
mod certs;
mod commands;
mod completions;
mod context;
mod counters;
mod deferred;
mod difference;
mod doctor;
mod down;
mod edited_settings;
mod environment;
mod failure;
mod flags;
mod global;
mod help;
mod hub;
mod listen;
mod logs;
mod ls;
mod man;
mod progress;
mod publish;
mod rehost;
mod rejected;
mod render;
mod runtime;
mod settings;
mod setup;
mod source;
mod status;
mod tracked;
mod up;
mod usage;
mod variables;
mod verify;
mod version;
mod wait;

use crate::terminal::{Colour, Terminal};
use clap::CommandFactory;
use commands::{Cli, Command};
use context::{Context, repeated_flags};
use failure::{Exit, Failure};
use runtime::{following, interruptible};
use std::ffi::OsString;
use std::process::ExitCode;
use usage::Invocation;

/// Runs one command line to its end.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    if let Some(candidates) = completions::candidates(&arguments) {
        Terminal::new(false, false, false, Colour::Never).exact(&candidates);
        return ExitCode::SUCCESS;
    }
    let cli = match usage::read(&arguments) {
        Invocation::Command(cli) => cli,
        Invocation::Text(text) => {
            Terminal::new(false, false, false, Colour::Auto).text(&text);
            return ExitCode::SUCCESS;
        }
        Invocation::Version { json, verbose } => {
            version::show(&Terminal::new(json, false, verbose, Colour::Auto));
            return ExitCode::SUCCESS;
        }
        Invocation::Wrong {
            text,
            failure,
            json,
        } => {
            let terminal = Terminal::new(json, false, false, Colour::Auto);
            if json {
                failure.show(&terminal);
            } else {
                terminal.usage(&text);
            }
            return ExitCode::from(Exit::Usage as u8);
        }
    };
    let terminal = Terminal::new(
        cli.global.json,
        cli.global.quiet,
        cli.global.verbose,
        cli.global.color,
    );
    crate::tls::install_provider();
    let repeated = repeated_flags(&cli.global);
    match dispatch(*cli, terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let failure = failure.repeating(&repeated);
            failure.show(&terminal);
            ExitCode::from(failure.exit() as u8)
        }
    }
}

/// The command line with complete help: for manual pages, completions and tests.
pub fn command() -> clap::Command {
    help::complete(Cli::command())
}

fn dispatch(cli: Cli, terminal: Terminal) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let Some(command) = command else {
        return Ok(());
    };
    match command {
        // Both are shown before anything is dispatched.
        Command::Version => Ok(()),
        Command::Hub(arguments) => hub::run(&global, arguments, terminal),
        Command::Completions { shell } => {
            terminal.exact(completions::script(shell)?.trim_end());
            Ok(())
        }
        Command::Man(arguments) => man::run(Cli::command(), &arguments, terminal),
        Command::Rehost(arguments) => interruptible(&global, terminal, async |context| {
            rehost::run(context, arguments.0).await
        }),
        Command::Settings(arguments) if arguments.asks() => {
            interruptible(&global, terminal, async |context| {
                settings::ask(context, arguments).await
            })
        }
        Command::Settings(arguments) => {
            let context = Context::new(&global, terminal)?;
            environment::point_out(&context);
            settings::run(&context, arguments)
        }
        Command::Setup(answers) => interruptible(&global, terminal, async |context| {
            setup::run(context, answers.0).await
        }),
        Command::Up(arguments) => interruptible(&global, terminal, async |context| {
            up::run(context, arguments.0).await
        }),
        Command::Down(arguments) => interruptible(&global, terminal, async |context| {
            down::run(context, arguments.0).await
        }),
        Command::Status(arguments) => interruptible(&global, terminal, async |context| {
            status::run(context, arguments.0).await
        }),
        Command::Listen(arguments) => following(&global, terminal, async |context| {
            listen::run(context, arguments.0).await
        }),
        Command::Certs(arguments) => certs::run(&Context::new(&global, terminal)?, &arguments),
        Command::Wait => interruptible(&global, terminal, async |context| wait::run(context).await),
        Command::Ls => interruptible(&global, terminal, async |context| ls::run(context).await),
        Command::Logs(arguments) => following(&global, terminal, async |context| {
            logs::run(context, arguments.0).await
        }),
        Command::Doctor(arguments) => interruptible(&global, terminal, async |context| {
            doctor::run(context, &arguments.0).await
        }),
        Command::Rejected(arguments) => interruptible(&global, terminal, async |context| {
            rejected::run(context, arguments).await
        }),
        Command::Verify(arguments) => interruptible(&global, terminal, async |context| {
            verify::run(context, arguments.0).await
        }),
        Command::Publish(arguments) => interruptible(&global, terminal, async |context| {
            publish::run(context, arguments).await
        }),
    }
}
