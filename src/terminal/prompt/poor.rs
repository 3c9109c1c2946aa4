//! Questions on a terminal that cannot move its cursor: numbered lists, and lines typed whole.

use super::field::{Echo, InputField};
use super::question::{Question, Reply};
use crate::platform::InputMode;
use std::io::{self, BufRead, Write};

/// What goes back a question, except where it may be the answer.
const BACK: &str = "<";
/// What the Escape key types here; it goes back everywhere.
const ESCAPE: char = '\x1b';

pub fn confirm(question: &Question, default: bool) -> Result<Reply<bool>, dialoguer::Error> {
    let choice = if default { "Y/n" } else { "y/N" };
    show_hint(question)?;
    let line = typed(&format!("{} [{choice}] ", question.title))?;
    Ok(match line.as_str() {
        "" => Reply::Given(default),
        line if is_back(line) => Reply::Back,
        line => Reply::Given(line.eq_ignore_ascii_case("y") || line.eq_ignore_ascii_case("yes")),
    })
}

pub fn select(
    question: &Question,
    items: &[String],
    default: usize,
) -> Result<Reply<usize>, dialoguer::Error> {
    let mut out = io::stderr();
    show_hint(question)?;
    writeln!(out, "{}", question.title)?;
    for (place, item) in items.iter().enumerate() {
        writeln!(out, "  {}) {item}", place + 1)?;
    }
    loop {
        let line = typed(&format!("Number [{}] ", default + 1))?;
        match (line.as_str(), line.parse::<usize>()) {
            ("", _) => return Ok(Reply::Given(default)),
            (line, _) if is_back(line) => return Ok(Reply::Back),
            (_, Ok(number)) if (1..=items.len()).contains(&number) => {
                return Ok(Reply::Given(number - 1));
            }
            _ => writeln!(out, "Type a number from 1 to {}.", items.len())?,
        }
    }
}

pub fn text(field: &InputField) -> io::Result<Reply<String>> {
    show_hint(&field.question)?;
    let title = &field.question.title;
    let line = match field.echo {
        Echo::Masked => unseen(title)?,
        Echo::Shown => typed(&format!("{title} [{}] ", field.default))?,
    };
    // A password may be any text.
    let back = line.contains(ESCAPE) || (field.echo == Echo::Shown && is_back(&line));
    Ok(if back {
        Reply::Back
    } else if line.is_empty() {
        Reply::Given(field.default.clone())
    } else {
        Reply::Given(line)
    })
}

fn show_hint(question: &Question) -> io::Result<()> {
    if question.hint.is_empty() {
        return Ok(());
    }
    writeln!(io::stderr(), "{}", question.hint)
}

fn is_back(line: &str) -> bool {
    line == BACK || line.contains(ESCAPE)
}

fn typed(prompt: &str) -> io::Result<String> {
    Ok(read_line(prompt)?.trim().to_owned())
}

fn read_line(prompt: &str) -> io::Result<String> {
    let mut out = io::stderr();
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

/// A line that is not echoed, kept as it is typed.
fn unseen(title: &str) -> io::Result<String> {
    if let Some(mode) = InputMode::now() {
        mode.set_quiet()?;
    }
    let line = read_line(&format!("{title} "));
    io::stderr().write_all(b"\n")?;
    Ok(line?.trim_end_matches(['\r', '\n']).to_owned())
}
