//! The only code that prints: results on standard output, progress on standard error, as text or
//! JSON.

pub mod prompt;
pub mod safe;
pub mod wrap;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use wrap::{Stream, fitting};

/// Work that takes longer shows that it goes on.
const PATIENCE: Duration = Duration::from_millis(400);

/// The steps that go on at the same time, a line each; what else is printed goes above them.
static STEPS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    Always,
    Never,
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub json: bool,
    pub quiet: bool,
    /// Say of each step how long it took.
    pub verbose: bool,
}

impl Terminal {
    pub fn new(json: bool, quiet: bool, verbose: bool, colour: Colour) -> Self {
        match colour {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
        Terminal {
            json,
            quiet,
            verbose,
        }
    }

    /// The command's result.
    pub fn result(&self, result: &(impl Serialize + Display)) {
        if self.json {
            self.json_result(result);
        } else {
            self.text(&fitting(&result.to_string(), Stream::Results));
        }
    }

    /// The command's result as JSON, whatever was asked for.
    pub fn json_result(&self, result: &impl Serialize) {
        // What we serialize has string keys and no failing fields.
        if let Ok(text) = serde_json::to_string(result) {
            line(&mut anstream::stdout(), &safe::json(&text));
        }
    }

    /// Text that is itself the result. Colours in it are ours; what else a terminal would obey is
    /// shown and not sent.
    pub fn text(&self, text: &impl Display) {
        let text = text.to_string();
        let (mut out, mut shown) = (anstream::stdout(), safe::coloured(&text));
        if out.current_choice() == anstream::ColorChoice::Never {
            // At once: the stream would write what stands between two colours by itself.
            shown = anstream::adapter::strip_str(&shown).to_string().into();
        }
        line(&mut out, &shown);
    }

    /// Text that a program reads exactly as it is: a script, a schema, variables.
    pub fn exact(&self, text: &str) {
        let mut out = std::io::stdout();
        if out.is_terminal() {
            self.text(&text);
        } else {
            line(&mut out, &text);
        }
    }

    /// Something worth knowing beside the result.
    pub fn note(&self, note: &str) {
        if self.json {
            self.progress_json("note", note, None);
        } else if !self.quiet {
            line(
                &mut anstream::stderr(),
                &fitting(&safe::neutral_lines(note), Stream::Messages),
            );
        }
    }

    /// A warning, shown also where notes are not.
    pub fn warn(&self, warning: &str) {
        if self.json {
            return self.progress_json("warning", warning, None);
        }
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
        let text = format!("{style}warning:{style:#} {}", safe::neutral_lines(warning));
        line(&mut anstream::stderr(), &fitting(&text, Stream::Messages));
    }

    /// What is wrong with the arguments, as clap words it.
    pub fn usage(&self, text: &str) {
        line(&mut anstream::stderr(), &safe::coloured(text));
    }

    /// What has to be read before a question; shown also where notes are not.
    pub fn before_question(&self, text: &str) {
        let text = fitting(&safe::coloured(text), Stream::Messages);
        line(&mut anstream::stderr(), &text);
    }

    /// A note whose colours are ours.
    pub fn coloured_note(&self, note: &str) {
        if self.json {
            self.progress_json("note", note, None);
        } else if !self.quiet {
            // A difference shows lines as they are.
            line(&mut anstream::stderr(), &safe::coloured(note));
        }
    }

    /// An error as text.
    pub fn error(&self, message: &str, why: &str, fix: &str) {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let bold = Style::new().bold();
        let mut out = anstream::stderr();
        let message = safe::neutral_lines(message);
        let shown = |text: &str| fitting(text, Stream::Messages);
        line(&mut out, &shown(&format!("{red}error:{red:#} {message}")));
        for (label, text) in [("why", why), ("fix", fix)] {
            if !text.is_empty() {
                let text = safe::neutral_lines(text);
                line(
                    &mut out,
                    &shown(&format!("  {bold}{label}:{bold:#} {text}")),
                );
            }
        }
    }

    /// A line that stays: what a step was done to, what became of it, and how long it took.
    pub fn lasting(&self, mark: StepMark, name: &str, state: &str, milliseconds: Option<u64>) {
        if self.json || self.quiet {
            return;
        }
        let (sign, colour) = mark.shown();
        let style = Style::new().fg_color(Some(colour.into()));
        let seconds = milliseconds.map_or_else(String::new, |milliseconds| {
            format!("{:>6.1} s", milliseconds as f64 / 1e3)
        });
        let name = safe::neutral(name);
        let row =
            format!("  {style}{sign}{style:#} {name:<38} {style}{state:<8}{style:#}{seconds}");
        line(&mut anstream::stderr(), &row.trim_end());
    }

    /// Shows that a step goes on, until the returned guard is dropped or finished.
    pub fn step(&self, step: impl Into<String>) -> StepGuard {
        let step = safe::neutral(&step.into()).into_owned();
        let terminal = std::io::stderr().is_terminal() && !is_dumb();
        let bar = if self.json || self.quiet || !terminal {
            None
        } else {
            let bar = STEPS
                .add(ProgressBar::new_spinner())
                .with_message(step.clone());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})") {
                // Signs that every terminal can show.
                bar.set_style(style.tick_chars("|/-\\ "));
            }
            bar.enable_steady_tick(PATIENCE / 4);
            Some(bar)
        };
        if self.json {
            self.progress_json(&step, "started", None);
        } else if bar.is_none() && !self.quiet {
            line(&mut anstream::stderr(), &format!("  {step} …"));
        }
        StepGuard {
            terminal: *self,
            step,
            bar,
            began: Instant::now(),
            outcome: "finished",
        }
    }

    fn progress_json(&self, step: &str, status: &str, amount: Option<(u64, u64)>) {
        let mut progress = serde_json::json!({ "step": step, "status": status });
        if let Some((current, total)) = amount {
            progress["current"] = current.into();
            progress["total"] = total.into();
            progress["unit"] = "bytes".into();
        }
        line(&mut anstream::stderr(), &safe::json(&progress.to_string()));
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepMark {
    Done,
    Failed,
}

impl StepMark {
    /// Its sign, in ASCII where the terminal or the locale has no other, and its colour.
    fn shown(self) -> (&'static str, AnsiColor) {
        match (self, wrap::has_unicode()) {
            (StepMark::Done, true) => ("\u{2714}", AnsiColor::Green),
            (StepMark::Done, false) => ("+", AnsiColor::Green),
            (StepMark::Failed, true) => ("\u{2718}", AnsiColor::Red),
            (StepMark::Failed, false) => ("x", AnsiColor::Red),
        }
    }
}

/// A step that goes on.
pub struct StepGuard {
    terminal: Terminal,
    step: String,
    bar: Option<ProgressBar>,
    began: Instant,
    outcome: &'static str,
}

impl StepGuard {
    /// Says at the end that it failed.
    pub fn fail(&mut self) {
        self.outcome = "failed";
    }

    /// How many bytes of how many.
    pub fn amount(&self, current: u64, total: u64) {
        if let Some(bar) = &self.bar {
            let mega = |bytes: u64| bytes as f64 / 1e6;
            bar.set_message(format!(
                "{} {:.1} of {:.1} MB",
                self.step,
                mega(current),
                mega(total)
            ));
        } else if self.terminal.json {
            self.terminal
                .progress_json(&self.step, "running", Some((current, total)));
        }
    }
}

impl Drop for StepGuard {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            STEPS.remove(bar);
        } else if self.terminal.json {
            self.terminal.progress_json(&self.step, self.outcome, None);
        }
        if self.terminal.verbose && !self.terminal.json {
            line(
                &mut anstream::stderr(),
                &format!("  {}: {} ms", self.step, self.began.elapsed().as_millis()),
            );
        }
    }
}

/// Whether somebody can be asked.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn line(out: &mut impl Write, text: &impl Display) {
    // A reader that closed its end, as `head` does, wants no more; that is no failure.
    let _ = STEPS.suspend(|| writeln!(out, "{text}"));
}
