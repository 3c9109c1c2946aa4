//! Help as people read it: commands in groups, the options that mean something, examples.

pub mod topics;

use anstyle::Style;
use clap::{Arg, ValueHint};
use topics::{EXIT_CODES, GROUPS, HelpTopic, TOPICS};

/// The commands that most people need.
const FIRST: [(&str, &str); 5] = [
    (
        "harmony up",
        "Start everything; return once clients can connect",
    ),
    ("harmony setup", "Answer a few questions first"),
    (
        "harmony verify",
        "Check that clients receive a notification",
    ),
    ("harmony status", "Show what runs, and where"),
    ("harmony down", "Stop everything; keep the data"),
];

/// Where a command's global options stand, in help and manual pages.
const BEHIND_ITS_OWN: usize = 1_000;

const HEADING: Style = Style::new().bold().underline();
const LITERAL: Style = Style::new().bold();

/// What `harmony` alone shows.
pub fn start_page() -> String {
    let mut page = format!(
        "Harmony's real-time hub in one command:\nsettings, Redis, RabbitMQ and a SignalR server.\n\n\
         {HEADING}Start here:{HEADING:#}\n"
    );
    for (line, about) in FIRST {
        page += &row(line, about, 16);
    }
    page += &format!(
        "\nIn a Harmony checkout, 'harmony up' edits Harmony's own settings;\n\
         elsewhere it makes ./harmony. A second run changes only what differs.\n\n  \
         {LITERAL}harmony --help{LITERAL:#}          lists all commands\n  \
         {LITERAL}harmony COMMAND --help{LITERAL:#}  explains one, with examples"
    );
    page
}

/// The same with the hub's flags, which .NET's way to read a command line hides from clap: for
/// manual pages and completions.
pub fn documented(command: clap::Command) -> clap::Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    complete(command).mut_subcommand("hub", |hub| {
        clap::Command::new("hub")
            .about(hub.get_about().cloned().unwrap_or_default())
            .args([
                option("settings", "DIR", "Folder of appsettings.json [default: .]")
                    .value_hint(ValueHint::DirPath),
                option("urls", "URLS", "Addresses to listen on, separated by ';'"),
                option("environment", "NAME", ".NET environment to use"),
                option(
                    "rabbitmq",
                    "embedded",
                    "Take notifications by HTTP, not from RabbitMQ",
                )
                .value_parser(["embedded"]),
                option("redis", "none", "Serve alone, without other hubs").value_parser(["none"]),
            ])
            .disable_help_flag(true)
    })
}

/// The command line with complete help.
pub fn complete(command: clap::Command) -> clap::Command {
    let globals: Vec<Arg> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .cloned()
        .collect();
    let command = TOPICS.iter().fold(command, |command, topic| {
        let path: Vec<_> = topic.path.split(' ').collect();
        at(command, &path, &|command| explain(command, topic, &globals))
    });
    overview(command)
}

/// The command line with the help of `harmony` itself.
pub fn overview(command: clap::Command) -> clap::Command {
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}{HEADING}Global options:{HEADING:#}\n\
         {{options}}{{after-help}}",
        groups(&command)
    );
    command
        .help_template(template)
        .override_usage("harmony [OPTIONS] <COMMAND>")
        .after_help(EXIT_CODES)
}

/// Changes one command of the tree.
fn at(
    command: clap::Command,
    path: &[&str],
    change: &dyn Fn(clap::Command) -> clap::Command,
) -> clap::Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => command.mut_subcommand(name, |command| at(command, rest, change)),
    }
}

/// Hides the global options that mean nothing to a command, and adds its examples.
fn explain(command: clap::Command, topic: &HelpTopic, globals: &[Arg]) -> clap::Command {
    let globals = globals.iter().zip(BEHIND_ITS_OWN..);
    let command = globals.fold(command, |command, (global, place)| {
        let hidden = !topic.takes(global.get_id().as_str());
        command.arg(global.clone().hide(hidden).display_order(place))
    });
    command.after_help(examples(topic))
}

fn examples(topic: &HelpTopic) -> String {
    let examples = topic.examples();
    if examples.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = examples
        .iter()
        .map(|(what, line)| format!("  # {what}\n  {LITERAL}{line}{LITERAL:#}"))
        .collect();
    format!("{HEADING}Examples:{HEADING:#}\n{}", lines.join("\n"))
}

/// All commands, a paragraph a group.
fn groups(command: &clap::Command) -> String {
    let mut text = String::new();
    for (group, names) in GROUPS {
        text += &format!("{HEADING}{group}:{HEADING:#}\n");
        for name in names {
            text += &row(name, &about_of(command, name), 12);
        }
        text.push('\n');
    }
    text
}

fn row(name: &str, about: &str, width: usize) -> String {
    format!("  {LITERAL}{name:<width$}{LITERAL:#} {about}\n")
}

fn about_of(command: &clap::Command, name: &str) -> String {
    let Some(found) = command.find_subcommand(name) else {
        // clap adds `help` only when it parses.
        return "Print the help of a command".to_owned();
    };
    let about = found.get_about().map(ToString::to_string);
    let aliases: Vec<_> = found.get_visible_aliases().collect();
    let about = about.unwrap_or_default();
    if aliases.is_empty() {
        about
    } else {
        format!("{about} [alias: {}]", aliases.join(", "))
    }
}
