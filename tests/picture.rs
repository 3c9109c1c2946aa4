//! The README's picture: a terminal in which `up`, `verify` and `status` really ran, as SVG.
//!
//! `cargo test -- --ignored picture::record` writes `.github/terminal.svg` anew.

use crate::command::checkouts::new_layout;
use crate::harness::program::{HARMONY, harmony};
use crate::harness::terminal::{Shape, Terminal};
use crate::harness::{Folder, free_port};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

const LETTER: (f32, f32) = (8.4, 18.0);
const MARGIN: f32 = 14.0;
const COMMANDS: [&str; 3] = ["harmony up --yes", "harmony verify", "harmony down"];

/// A shell as people have it, in a checkout, with `harmony` on its path.
fn shell(folder: &Folder) -> Command {
    let environment = harmony(folder.path());
    let program = Path::new(HARMONY).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a path");
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "--noprofile"])
        .current_dir(folder.path());
    for (name, value) in environment.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell
        .env("PATH", format!("{}:{path}", program.display()))
        .env("PS1", "$ ")
        .env("LANG", "C.UTF-8")
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    shell
}

#[test]
#[ignore = "writes the README's picture"]
fn record() {
    let folder = Folder::new();
    new_layout(&folder);
    let url = format!("http://localhost:{}", free_port());
    let shape = Shape {
        rows: 34,
        ..Shape::columns(92)
    };
    let mut terminal = Terminal::start(&shell(&folder), shape);
    terminal.sees("$ ");
    for command in COMMANDS {
        let (line, end) = match command {
            "harmony up --yes" => (
                format!("{command} --redis none --rabbitmq embedded --hub-url {url}"),
                "Next: harmony verify\n$",
            ),
            "harmony verify" => (command.to_owned(), "every client.\n$"),
            _ => (command.to_owned(), "1 step.\n$"),
        };
        terminal.press(&format!("{line}\r"));
        terminal.sees(end);
    }
    let picture = svg(terminal.screen());
    terminal.press("exit\r");
    terminal.end();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/terminal.svg");
    std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
    std::fs::write(target, picture).expect("the picture");
}

/// A screen as a picture: one text for each run of letters of one colour.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let used = (0..rows)
        .rev()
        .find(|row| (0..columns).any(|column| is_inked(screen, *row, column)));
    let used = used.map_or(1, |row| row + 1);
    let width = f32::from(columns) * LETTER.0 + 2.0 * MARGIN;
    let height = f32::from(used) * LETTER.1 + 2.0 * MARGIN;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for row in 0..used {
        let y = MARGIN + f32::from(row + 1) * LETTER.1 - 5.0;
        for (column, text, colour) in runs(screen, row, columns) {
            let x = MARGIN + f32::from(column) * LETTER.0;
            let text = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(
                picture,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\" xml:space=\"preserve\">{text}</text>"
            );
        }
    }
    picture + "</svg>\n"
}

fn is_inked(screen: &vt100::Screen, row: u16, column: u16) -> bool {
    let cell = screen.cell(row, column);
    cell.is_some_and(|cell| !cell.contents().trim().is_empty())
}

/// The runs of one colour in a row: where each begins, its text, its colour.
fn runs(screen: &vt100::Screen, row: u16, columns: u16) -> Vec<(u16, String, &'static str)> {
    let mut runs: Vec<(u16, String, &'static str)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else {
            continue;
        };
        let letter = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        let colour = colour(cell);
        match runs.last_mut() {
            Some((_, text, known)) if *known == colour => text.push_str(letter),
            _ => runs.push((column, letter.to_owned(), colour)),
        }
    }
    for (_, text, _) in &mut runs {
        text.truncate(text.trim_end().len());
    }
    runs.retain(|(_, text, _)| !text.is_empty());
    runs
}

fn colour(cell: &vt100::Cell) -> &'static str {
    match cell.fgcolor() {
        vt100::Color::Idx(1 | 9) => "#ff7b72",
        vt100::Color::Idx(2 | 10) => "#3fb950",
        vt100::Color::Idx(3 | 11) => "#d29922",
        vt100::Color::Idx(6 | 14) => "#39c5cf",
        _ => "#e6edf3",
    }
}
