//! The only code that asks. Questions run on a thread of their own, so that Ctrl-C ends them at any
//! moment; the terminal is then as it was before. Lists and confirmations are dialoguer's; text is
//! edited by [`field`], since dialoguer's text fields know neither Esc nor pastes.

pub mod field;
pub mod keys;
pub mod line;
mod poor;
mod question;

use super::safe::neutral;
use super::wrap::wrapped;
use crate::platform::InputMode;
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, FuzzySelect, Select};
use field::{Echo, InputField, answered, width};
pub use question::{Question, Reply};
use std::io::{self, Write};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Ends a paste's marks and shows the cursor.
const AS_BEFORE: &str = "\x1b[?2004l\x1b[?25h";

/// Puts the terminal back as it was, whatever a question left behind: no echo, no cursor, raw
/// input.
struct Restored {
    before: Option<InputMode>,
    /// The thread that asks, and will change the terminal when it comes to reading.
    asking: Option<JoinHandle<()>>,
}

/// How long a thread may take from being started to reading.
const READS_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Restored {
    /// After Ctrl-C the question's thread goes on. One that is only about to change the terminal
    /// would do so behind our back: it is put back once that has happened, or cannot happen any
    /// more.
    fn await_change(&self, before: &InputMode) {
        let Some(asking) = &self.asking else { return };
        let deadline = Instant::now() + READS_WITHIN;
        while !asking.is_finished() && before.is_present() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            self.await_change(before);
            before.restore();
        }
        if !super::is_dumb() {
            let _ = io::stderr().write_all(AS_BEFORE.as_bytes());
        }
    }
}

/// Asks for a yes; Escape goes back.
pub async fn confirm(question: Question, default: bool) -> Reply<bool> {
    asked(Reading::Keys, move || {
        if super::is_dumb() {
            return poor::confirm(&question, default);
        }
        let term = console::Term::stderr();
        let hint_rows = show_hint(&term, &question.hint)?;
        let mut theme = theme();
        theme.prompt_suffix = console::Style::new().for_stderr().apply_to(">".into());
        let answer = Confirm::with_theme(&theme)
            .with_prompt(&question.title)
            .default(default)
            .report(false)
            .interact_opt()?;
        term.clear_last_lines(hint_rows)?;
        if let Some(yes) = answer {
            let yes = if yes { "yes" } else { "no" };
            term.write_str(&answered(&question.title, yes, width(&term)))?;
        }
        Ok(answer.map_or(Reply::Back, Reply::Given))
    })
    .await
}

/// Asks for one of several; Escape goes back.
pub async fn select(question: Question, items: &[String], default: usize) -> Reply<usize> {
    list(question, items, default, |title, items, default, rows| {
        Select::with_theme(&theme())
            .with_prompt(title)
            .report(false)
            .items(items)
            .default(default)
            .max_length(rows)
            .interact_opt()
    })
    .await
}

/// Asks for one of many; what is typed leaves the items that have it. Escape goes back.
pub async fn search(question: Question, items: &[String], default: usize) -> Reply<usize> {
    list(question, items, default, |title, items, default, rows| {
        // dialoguer begins with the first item, and would leave a default below out of sight.
        let visible = rows.saturating_sub(2).max(1);
        let first = default.saturating_sub(visible / 2);
        let first = if default < visible { 0 } else { first };
        let mut shown = items.to_vec();
        shown.rotate_left(first);
        let picked = FuzzySelect::with_theme(&theme())
            .with_prompt(title)
            .report(false)
            .items(&shown)
            .default(default - first)
            .max_length(visible)
            .interact_opt()?;
        Ok(picked.map(|place| (place + first) % items.len()))
    })
    .await
}

/// Shows a hint and below it a list; both are gone once one item is chosen.
async fn list(
    question: Question,
    items: &[String],
    default: usize,
    pick: impl FnOnce(&str, &[String], usize, usize) -> dialoguer::Result<Option<usize>>
    + Send
    + 'static,
) -> Reply<usize> {
    let items: Vec<_> = items
        .iter()
        .map(|item| neutral(item).into_owned())
        .collect();
    asked(Reading::Keys, move || {
        if super::is_dumb() {
            return poor::select(&question, &items, default);
        }
        let term = console::Term::stderr();
        let columns = width(&term);
        let hint_rows = show_hint(&term, &question.hint)?;
        let shown: Vec<_> = items.iter().map(|item| fitted(item, columns)).collect();
        let rows = usize::from(term.size().0).saturating_sub(hint_rows);
        let title = fitted(&format!("{}:", question.title), columns);
        let picked = pick(&title, &shown, default, rows)?;
        term.clear_last_lines(hint_rows)?;
        if let Some(item) = picked.and_then(|place| items.get(place)) {
            // Of a table's row, its first column.
            let item = item.trim().split("  ").next().unwrap_or_default();
            term.write_str(&answered(&question.title, item, columns))?;
        }
        Ok(picked.map_or(Reply::Back, Reply::Given))
    })
    .await
}

/// Shows a question's hint; returns how many rows it takes.
fn show_hint(term: &console::Term, hint: &str) -> io::Result<usize> {
    let rows = wrapped(hint, width(term));
    let dim = console::Style::new().for_stderr().dim();
    for row in &rows {
        term.write_line(&dim.apply_to(row).to_string())?;
    }
    Ok(rows.len())
}

/// Asks for a line of text; Escape goes back.
pub async fn input(question: Question, default: &str) -> Reply<String> {
    text(InputField {
        question,
        default: default.to_owned(),
        echo: Echo::Shown,
    })
    .await
}

/// Asks for a secret, which is not shown; Escape goes back.
pub async fn password(question: Question) -> Reply<String> {
    text(InputField {
        question,
        default: String::new(),
        echo: Echo::Masked,
    })
    .await
}

async fn text(field: InputField) -> Reply<String> {
    let reading = match field.echo {
        Echo::Masked => Reading::Keys,
        Echo::Shown => Reading::for_lines(),
    };
    asked(reading, move || {
        if super::is_dumb() {
            return Ok(poor::text(&field)?);
        }
        Ok(field.ask()?)
    })
    .await
}

/// Says why an answer cannot be taken; the question comes again.
pub fn object(objection: &str) {
    let term = console::Term::stderr();
    let rows = wrapped(&format!("! {objection}"), width(&term));
    let _ = writeln!(anstream::stderr(), "{}", rows.join("\n"));
}

/// How a question reads its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Key by key, or unseen: the terminal's mode changes.
    Keys,
    /// A line that is typed where it is shown, on a poor terminal, which stays as it is.
    Lines,
}

impl Reading {
    fn for_lines() -> Self {
        if super::is_dumb() {
            Reading::Lines
        } else {
            Reading::Keys
        }
    }
}

/// Asks on a thread.
async fn asked<T: Send + 'static>(
    reading: Reading,
    ask: impl FnOnce() -> Result<Reply<T>, dialoguer::Error> + Send + 'static,
) -> Reply<T> {
    let mut restored = Restored {
        before: InputMode::now(),
        asking: None,
    };
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let asking = std::thread::spawn(move || {
        // Nobody waits any more after Ctrl-C.
        let _ = sender.send(ask().unwrap_or(Reply::Left));
    });
    restored.asking = (reading == Reading::Keys).then_some(asking);
    let reply = receiver.await;
    restored.asking = None;
    reply.unwrap_or(Reply::Left)
}

/// Signs that every terminal can show.
fn theme() -> ColorfulTheme {
    if anstream::ColorChoice::global() == anstream::ColorChoice::Never {
        console::set_colors_enabled_stderr(false);
    }
    let mut theme = ColorfulTheme::default();
    let style = console::Style::new().for_stderr();
    theme.prompt_prefix = style.clone().cyan().apply_to("?".into());
    theme.prompt_suffix = style.clone().apply_to(String::new());
    theme.success_prefix = style.clone().green().apply_to("+".into());
    theme.success_suffix = style.clone().apply_to(":".into());
    theme.error_prefix = style.clone().red().apply_to("!".into());
    theme.active_item_prefix = style.clone().cyan().apply_to(">".into());
    theme.inactive_item_prefix = style.apply_to(" ".into());
    theme
}

/// A text that stays on one line: a list that wraps cannot be redrawn.
fn fitted(text: &str, columns: usize) -> String {
    console::truncate_str(text, columns.saturating_sub(4), "..").into_owned()
}
