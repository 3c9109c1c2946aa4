//! `harmony completions`: a script that asks this program for what may come next.
//!
//! The script sets HARMONY_COMPLETE to the shell's name and passes the words typed so far.

use super::commands::Cli;
use super::context::states;
use super::failure::{Exit, Failure};
use super::{help, ls};
use crate::hub::notification::NOTIFICATIONS;
use crate::schema::{APPLICATIONS, Application};
use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use serde_json::Value;
use std::ffi::OsString;

/// Names the shell that asks.
const VARIABLE: &str = "HARMONY_COMPLETE";
const NAME: &str = "harmony";

/// In bash words end at `:` and `=` too, which settings' keys contain.
const BASH: &str = r#"_harmony() {
    local line="${COMP_LINE:0:COMP_POINT}" words current prefix candidate
    read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]} - 1]}"
    prefix="${current%"${current##*[:=]}"}"
    COMPREPLY=()
    while IFS= read -r candidate; do
        [[ -n "$candidate" ]] && COMPREPLY+=("${candidate#"$prefix"}")
    done < <(HARMONY_COMPLETE=bash _CLAP_IFS=$'\n' \
        _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) harmony -- "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" == *[=/:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -F _harmony harmony
"#;

/// The script that a shell loads.
pub fn script(shell: Shell) -> Result<String, Failure> {
    if shell == Shell::Bash {
        return Ok(BASH.to_owned());
    }
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells
        .completer(&shell.to_string())
        .ok_or_else(|| Failure::new(Exit::Usage, "shell", format!("{shell} is not supported")))?;
    completer
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(|error| Failure::new(Exit::Failed, "completions", error.to_string()))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// What may come next, where a shell asks for it.
pub fn candidates(arguments: &[OsString]) -> Option<String> {
    let shell = std::env::var(VARIABLE).ok()?;
    let shells = Shells::builtins();
    let completer = shells.completer(&shell)?;
    let words: Vec<_> = arguments
        .iter()
        .skip_while(|argument| *argument != "--")
        .skip(1)
        .cloned()
        .collect();
    let folder = std::env::current_dir().ok();
    let mut found = Vec::new();
    let mut tree = tree(&words);
    // What cannot be completed is completed by nothing.
    let _ = completer.write_complete(&mut tree, words, folder.as_deref(), &mut found);
    Some(String::from_utf8_lossy(&found).trim_end().to_owned())
}

/// The command line, each argument with what it knows.
fn tree(words: &[OsString]) -> Command {
    let root = Cli::command()
        .mut_arg("instance", |argument| with(argument, instances))
        .mut_arg("environment", |argument| with(argument, environments));
    let application = chosen_application(words);
    let key = move |argument: Arg| argument.add(ArgValueCandidates::new(move || keys(application)));
    let settings = |command: Command| {
        let command = command
            .mut_arg("app", |argument| with(argument, applications))
            .mut_subcommand("schema", |command| {
                command.mut_arg("application", |argument| with(argument, schemas))
            });
        ["get", "set", "edit", "unset", "why"]
            .into_iter()
            .fold(command, |command, name| {
                command.mut_subcommand(name, |command| command.mut_arg("key", key))
            })
    };
    help::documented(root)
        .mut_subcommand("settings", settings)
        .mut_subcommand("publish", |command| {
            command.mut_arg("notification", |argument| with(argument, notifications))
        })
}

fn with(argument: Arg, candidates: fn() -> Vec<CompletionCandidate>) -> Arg {
    argument.add(ArgValueCandidates::new(candidates))
}

fn candidate(value: impl Into<OsString>, help: &str) -> CompletionCandidate {
    let help = Some(help)
        .filter(|help| !help.is_empty())
        .map(|help| StyledStr::from(help.to_owned()));
    CompletionCandidate::new(value).help(help)
}

fn plain(values: impl IntoIterator<Item = impl Into<OsString>>) -> Vec<CompletionCandidate> {
    values
        .into_iter()
        .map(|value| candidate(value, ""))
        .collect()
}

fn applications() -> Vec<CompletionCandidate> {
    plain(APPLICATIONS.iter().map(|known| known.name))
}

fn schemas() -> Vec<CompletionCandidate> {
    let mut all = applications();
    all.push(candidate("answers", "the file of --answers"));
    all
}

fn notifications() -> Vec<CompletionCandidate> {
    plain(NOTIFICATIONS.iter().map(|known| known.name))
}

fn environments() -> Vec<CompletionCandidate> {
    plain(["Development", "Staging", "Production"])
}

fn instances() -> Vec<CompletionCandidate> {
    let names = states().and_then(|folder| ls::names(&folder));
    plain(names.unwrap_or_default())
}

/// The application that `--app` names among the words, else the hub's.
fn chosen_application(words: &[OsString]) -> &'static Application {
    let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
    let joined = words.iter().find_map(|word| word.strip_prefix("--app="));
    let named = words
        .windows(2)
        .find_map(|pair| (pair[0] == "--app").then_some(pair[1]))
        .or(joined);
    named
        .and_then(Application::named)
        .unwrap_or(&APPLICATIONS[0])
}

/// Every key that a schema describes.
fn keys(application: &Application) -> Vec<CompletionCandidate> {
    let mut found = Vec::new();
    collect("", &application.schema(), &mut found);
    found
}

fn collect(prefix: &str, place: &Value, found: &mut Vec<CompletionCandidate>) {
    let Some(properties) = place["properties"].as_object() else {
        return;
    };
    for (name, property) in properties {
        let key = format!("{prefix}{name}");
        if property["properties"].is_object() {
            collect(&format!("{key}:"), property, found);
        } else {
            let title = property["title"].as_str().unwrap_or_default();
            found.push(candidate(key, title));
        }
    }
}
