//! `harmony man`: manual pages, one per command, made from the help.

use super::failure::{Exit, Failure};
use super::help;
use super::help::topics::{EXIT_CODES, TOPICS};
use crate::terminal::Terminal;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct ManArguments {
    /// Command to explain, such as: settings set
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write one page per command to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct ManPages {
    files: Vec<PathBuf>,
}

impl fmt::Display for ManPages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        formatter.write_str(&paths.join("\n"))
    }
}

pub fn run(root: Command, arguments: &ManArguments, terminal: Terminal) -> Result<(), Failure> {
    let mut root = help::documented(root).disable_help_subcommand(true);
    root.build();
    if let Some(folder) = &arguments.output {
        let files = write(&root, folder).map_err(|error| {
            let message = format!("cannot write manual pages to {}", folder.display());
            Failure::new(Exit::Failed, "man", message).why(error.to_string())
        })?;
        terminal.result(&ManPages { files });
        return Ok(());
    }
    let mut command = &root;
    for name in &arguments.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = names(command).collect();
            Failure::new(Exit::Usage, "noSuchCommand", format!("no command '{name}'"))
                .fix(format!("choose one of: {}", known.join(", ")))
        })?;
    }
    let text =
        page(command).map_err(|error| Failure::new(Exit::Failed, "man", error.to_string()))?;
    terminal.exact(text.trim_end());
    Ok(())
}

fn names(command: &Command) -> impl Iterator<Item = &str> {
    shown(command).map(Command::get_name)
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set())
}

/// Writes the pages of a command and of all below it.
fn write(command: &Command, folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}.1", page_name(command)));
    std::fs::write(&path, page(command)?)?;
    let mut files = vec![path];
    for child in shown(command) {
        files.extend(write(child, folder)?);
    }
    Ok(files)
}

fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .title(page_name(command).to_uppercase())
        .manual("Harmony".to_owned())
        .source(format!("harmony {}", env!("CARGO_PKG_VERSION")));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if shown(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::default();
    examples(&mut roff, command);
    roff.control("SH", ["EXIT STATUS"]);
    roff.text([roman(EXIT_CODES.trim_start_matches("Exit codes: "))]);
    see_also(&mut roff, command);
    roff.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn examples(roff: &mut Roff, command: &Command) {
    let path = page_name(command)
        .trim_start_matches("harmony")
        .trim_start_matches('-')
        .replace('-', " ");
    let Some(topic) = TOPICS.iter().find(|topic| topic.path == path) else {
        return;
    };
    let examples = topic.examples();
    if examples.is_empty() {
        return;
    }
    roff.control("SH", ["EXAMPLES"]);
    for (what, line) in examples {
        roff.control("PP", []);
        roff.text([roman(format!("{what}:"))]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([bold(line)]);
        roff.control("fi", []);
        roff.control("RE", []);
    }
}

/// The page above, which lists the others.
fn see_also(roff: &mut Roff, command: &Command) {
    let name = page_name(command);
    if let Some((above, _)) = name.rsplit_once('-') {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(above.to_owned()), roman("(1)")]);
    }
}
