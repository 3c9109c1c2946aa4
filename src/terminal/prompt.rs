//! The only code that asks. Questions run on a thread of their own, so that Ctrl-C ends them at any
//! moment; the terminal is then as it was before.

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, Password, Select};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, Write};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What goes back a question where text is typed.
pub const BACK: &str = "<";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";

/// A question: what is asked, and a sentence that helps to answer it.
#[derive(Debug, Clone)]
pub struct Question {
    pub title: String,
    pub hint: String,
}

impl Question {
    pub fn new(title: impl Into<String>, hint: impl Into<String>) -> Self {
        Question {
            title: title.into(),
            hint: hint.into(),
        }
    }

    /// Shows the hint and returns what is left to ask.
    fn opened(self) -> String {
        let dim = anstyle::Style::new().dimmed();
        if !self.hint.is_empty() {
            // Where it can't be shown, the question can't be asked either.
            let _ = writeln!(anstream::stderr(), "{dim}{}{dim:#}", self.hint);
        }
        self.title
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<T> {
    Given(T),
    /// To the question before.
    Back,
    /// Ctrl-C, or the terminal went away.
    Left,
}

/// Puts the terminal back as it was, whatever a question left behind: no echo, no cursor, raw input.
struct Restored {
    before: Option<Termios>,
    /// The thread that asks, and will change the terminal when it comes to reading.
    asking: Option<JoinHandle<()>>,
}

/// How long a thread may take from being started to reading.
const READS_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Restored {
    /// After Ctrl-C the question's thread goes on. One that is only about to change the terminal would do so behind our
    /// back: it is put back once that has happened, or can't any more.
    fn await_change(&self, before: &Termios) {
        let Some(asking) = &self.asking else { return };
        let is_changed =
            || tcgetattr(io::stdin()).map_or(true, |now| now.local_modes != before.local_modes);
        let deadline = Instant::now() + READS_WITHIN;
        while !asking.is_finished() && !is_changed() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            self.await_change(before);
            // A terminal that is gone needs no care.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
        if !super::is_dumb() {
            let _ = io::stderr().write_all(SHOW_CURSOR);
        }
    }
}

/// Asks for a yes.
pub async fn confirm(question: &str, default: bool) -> Reply<bool> {
    let question = question.to_owned();
    asked(false, move || {
        if super::is_dumb() {
            let choice = if default { "Y/n" } else { "y/N" };
            let line = typed(&format!("{question} [{choice}] "))?;
            return Ok(Reply::Given(if line.is_empty() {
                default
            } else {
                line.eq_ignore_ascii_case("y") || line.eq_ignore_ascii_case("yes")
            }));
        }
        let answer = Confirm::with_theme(&theme())
            .with_prompt(question)
            .default(default)
            .interact_opt()?;
        Ok(answer.map_or(Reply::Left, Reply::Given))
    })
    .await
}

/// Asks for one of several; Escape goes back.
pub async fn select(question: Question, items: &[String], default: usize) -> Reply<usize> {
    let (question, items) = (question.opened(), items.to_vec());
    asked(false, move || {
        if super::is_dumb() {
            return select_by_number(&question, &items, default);
        }
        let items: Vec<_> = items.iter().map(|item| fitted(item)).collect();
        let answer = Select::with_theme(&theme())
            .with_prompt(fitted(&question))
            .items(&items)
            .default(default)
            .interact_opt()?;
        Ok(answer.map_or(Reply::Back, Reply::Given))
    })
    .await
}

/// Asks for a line of text; `<` goes back.
pub async fn input(question: Question, default: &str) -> Reply<String> {
    let (question, default) = (question.opened(), default.to_owned());
    asked(false, move || {
        let text = if super::is_dumb() {
            let line = typed(&format!("{question} [{default}] "))?;
            if line.is_empty() { default } else { line }
        } else {
            let theme = theme();
            let input = Input::<String>::with_theme(&theme)
                .with_prompt(question)
                .allow_empty(true);
            if default.is_empty() {
                input.interact_text()?
            } else {
                input.default(default).interact_text()?
            }
        };
        Ok(if text.trim() == BACK {
            Reply::Back
        } else {
            Reply::Given(text.trim().to_owned())
        })
    })
    .await
}

/// Asks for a secret, which is not shown; `<` goes back.
pub async fn password(question: Question) -> Reply<String> {
    let question = question.opened();
    asked(true, move || {
        let text = if super::is_dumb() {
            unseen(&question)?
        } else {
            Password::with_theme(&theme())
                .with_prompt(question)
                .allow_empty_password(true)
                .interact()?
        };
        Ok(if text == BACK {
            Reply::Back
        } else {
            Reply::Given(text)
        })
    })
    .await
}

/// Says why an answer can't be taken; the question comes again.
pub fn object(objection: &str) {
    let _ = writeln!(anstream::stderr(), "  {objection}");
}

/// Asks on a thread. A line that is typed where it is shown, on a poor terminal, leaves the terminal as it is.
async fn asked<T: Send + 'static>(
    secret: bool,
    ask: impl FnOnce() -> Result<Reply<T>, dialoguer::Error> + Send + 'static,
) -> Reply<T> {
    let mut restored = Restored {
        before: tcgetattr(io::stdin()).ok(),
        asking: None,
    };
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let asking = std::thread::spawn(move || {
        // Nobody waits any more after Ctrl-C.
        let _ = sender.send(ask().unwrap_or(Reply::Left));
    });
    restored.asking = (secret || !super::is_dumb()).then_some(asking);
    let reply = receiver.await;
    restored.asking = None;
    reply.unwrap_or(Reply::Left)
}

/// Without a terminal that can move its cursor: a numbered list, and a number typed.
fn select_by_number(
    question: &str,
    items: &[String],
    default: usize,
) -> Result<Reply<usize>, dialoguer::Error> {
    let mut out = io::stderr();
    writeln!(out, "{question}")?;
    for (place, item) in items.iter().enumerate() {
        writeln!(out, "  {}) {item}", place + 1)?;
    }
    loop {
        let line = typed(&format!("Number [{}] ", default + 1))?;
        match (line.as_str(), line.parse::<usize>()) {
            ("", _) => return Ok(Reply::Given(default)),
            (BACK, _) => return Ok(Reply::Back),
            (_, Ok(number)) if (1..=items.len()).contains(&number) => {
                return Ok(Reply::Given(number - 1));
            }
            _ => writeln!(out, "A number from 1 to {} is expected.", items.len())?,
        }
    }
}

fn typed(prompt: &str) -> io::Result<String> {
    let mut out = io::stderr();
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim().to_owned())
}

/// A line that is not echoed.
fn unseen(question: &str) -> io::Result<String> {
    use rustix::termios::LocalModes;
    let mut quiet = tcgetattr(io::stdin())?;
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
    let line = typed(&format!("{question} "));
    io::stderr().write_all(b"\n")?;
    line
}

/// Signs that every terminal can show.
fn theme() -> ColorfulTheme {
    if anstream::ColorChoice::global() == anstream::ColorChoice::Never {
        console::set_colors_enabled_stderr(false);
    }
    let mut theme = ColorfulTheme::default();
    let style = console::Style::new().for_stderr();
    theme.prompt_prefix = style.clone().cyan().apply_to("?".into());
    theme.prompt_suffix = style.clone().apply_to(":".into());
    theme.success_prefix = style.clone().green().apply_to("+".into());
    theme.success_suffix = style.clone().apply_to(":".into());
    theme.error_prefix = style.clone().red().apply_to("!".into());
    theme.active_item_prefix = style.clone().cyan().apply_to(">".into());
    theme.inactive_item_prefix = style.apply_to(" ".into());
    theme
}

/// A text that stays on one line: a list that wraps can't be redrawn.
fn fitted(text: &str) -> String {
    let width = usize::from(console::Term::stderr().size().1)
        .saturating_sub(6)
        .max(10);
    if text.chars().count() <= width {
        text.to_owned()
    } else {
        text.chars().take(width - 2).chain("..".chars()).collect()
    }
}
