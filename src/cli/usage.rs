//! From arguments to a command: help as text, a usage error in the format that was asked for.

use super::commands::{Cli, Command};
use super::failure::{Exit, Failure};
use super::global::Global;
use super::help;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches};
use std::ffi::OsString;

/// What the arguments ask for.
pub enum Invocation {
    Command(Box<Cli>),
    /// Help.
    Text(String),
    Version {
        json: bool,
        verbose: bool,
    },
    /// Nothing that can be run: what is wrong, for people and for scripts.
    Wrong {
        text: String,
        failure: Failure,
        json: bool,
    },
}

pub fn read(arguments: &[OsString]) -> Invocation {
    // Asked most often: it shows no command's own help, so none is prepared.
    if let [_, only] = arguments
        && (only == "--help" || only == "-h")
        && let Err(error) = help::overview(Cli::command())
            .mut_args(|argument| argument.global(false))
            .try_get_matches_from(arguments)
    {
        return shown(&error, arguments);
    }
    let read = called(arguments)
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match read {
        Ok(Cli {
            command: None,
            global,
        }) if !global.json => Invocation::Text(help::start_page()),
        Ok(Cli { command: None, .. }) => Invocation::Wrong {
            text: String::new(),
            failure: Failure::new(Exit::Usage, "usage", "no command given")
                .fix("'harmony --help' lists the commands"),
            json: true,
        },
        Ok(Cli {
            command: Some(Command::Version),
            global: Global { json, verbose, .. },
        }) => Invocation::Version { json, verbose },
        Ok(cli) => Invocation::Command(Box::new(cli)),
        // The full help is built only when it is shown: it costs as much as many a command.
        Err(_) => match help::complete(Cli::command()).try_get_matches_from(arguments) {
            Err(error) => shown(&error, arguments),
            Ok(_) => Invocation::Text(help::start_page()),
        },
    }
}

/// The command line without the commands that are not called: each would get a copy of every global
/// option, which takes longer than all the rest.
fn called(arguments: &[OsString]) -> clap::Command {
    let whole = Cli::command();
    let name = arguments.get(1).and_then(|name| name.to_str());
    match name.and_then(|name| whole.find_subcommand(name)) {
        Some(command) => {
            Global::augment_args(clap::Command::new("harmony")).subcommand(command.clone())
        }
        None => whole,
    }
}

fn shown(error: &clap::Error, arguments: &[OsString]) -> Invocation {
    let text = error.render().ansi().to_string();
    let text = text.trim_end().to_owned();
    // clap stops where it finds --help, --version or an error, so it has not read what follows.
    let has = |flags: &[&str]| {
        let mut given = arguments.iter().take_while(|argument| *argument != "--");
        given.any(|argument| flags.iter().any(|flag| argument == flag))
    };
    match error.kind() {
        ErrorKind::DisplayHelp => Invocation::Text(text),
        ErrorKind::DisplayVersion => Invocation::Version {
            json: has(&["--json"]),
            verbose: has(&["--verbose", "-v", "-vV", "-Vv"]),
        },
        _ => Invocation::Wrong {
            failure: failure(&error.render().to_string()),
            text,
            json: has(&["--json"]),
        },
    }
}

/// clap's error as data: its first paragraph is the message, its tips are the fix.
fn failure(text: &str) -> Failure {
    let mut paragraphs = text.split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let lines = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let tips: Vec<_> = paragraphs
        .flat_map(str::lines)
        .filter_map(|line| line.trim().strip_prefix("tip: "))
        .collect();
    let fix = if tips.is_empty() {
        "--help shows what is accepted".to_owned()
    } else {
        tips.join("; ")
    };
    Failure::new(Exit::Usage, "usage", lines.trim_start_matches("error: ")).fix(fix)
}
