//! A walk through the wizard that looks at every screen.

use crate::harness::terminal::{DOWN, ENTER, ESCAPE, Terminal};
use harmony::schema::question::{AnswerKind, SettingQuestion};
use std::fmt::Write;
use std::time::Instant;

/// A wizard whose every screen is looked at before a key is pressed.
pub struct Walk {
    pub terminal: Terminal,
    pub columns: u16,
    pub screens: String,
    pub presses: usize,
    pub began: Instant,
}

impl Walk {
    pub fn new(terminal: Terminal, columns: u16) -> Self {
        Walk {
            terminal,
            columns,
            screens: String::new(),
            presses: 0,
            began: Instant::now(),
        }
    }

    /// Waits until all texts are on one screen, checks it, and presses keys.
    pub fn step(&mut self, texts: &[&str], keys: &[&str]) {
        self.terminal.sees_all_words(texts);
        let screen = self.terminal.screen();
        let torn = (0..24).find(|row| screen.row_wrapped(*row));
        let text = self.terminal.text();
        assert_eq!(torn, None, "a row is wider than {}:\n{text}", self.columns);
        let ruler = "-".repeat(self.columns.into());
        let _ = writeln!(self.screens, "{}\n{ruler}", text.trim_end());
        self.presses += keys.len();
        self.terminal.press(&keys.concat());
    }

    /// Opens every question of a form and goes back from each.
    pub fn sweep(&mut self, questions: &[SettingQuestion]) {
        for (place, question) in questions.iter().enumerate() {
            let keys: &[&str] = if place == 0 { &[ENTER] } else { &[DOWN, ENTER] };
            // The list is there once its mark stands before the question that was left.
            let marked = questions[place.saturating_sub(1)].label();
            let marked = format!("> {}", marked.chars().take(8).collect::<String>());
            let hint = "Type to filter, Enter to edit, Esc when you are done.";
            self.step(&[hint, &marked], keys);
            let texts = seen(question);
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            self.step(&texts, &[ESCAPE]);
        }
        self.step(&["Type to filter"], &[ESCAPE]);
    }

    /// How it ended; prints the screens where that is wanted.
    pub fn end(self) -> i32 {
        let Walk {
            terminal,
            columns,
            screens,
            presses,
            began,
        } = self;
        let ended = terminal.end();
        if std::env::var_os("HARMONY_SCREENS").is_some() {
            let seconds = began.elapsed().as_secs_f64();
            eprintln!(
                "== {columns} columns\n{screens}{}\n",
                ended.screen.trim_end()
            );
            eprintln!("== {columns} columns: {presses} key presses, {seconds:.1} s\n");
        }
        ended.code
    }
}

/// What must be seen of a question: what it is about, what helps to answer it, what may be chosen.
fn seen(question: &SettingQuestion) -> Vec<String> {
    let mut texts = vec![question.description.clone()];
    match &question.kind {
        AnswerKind::List(_) | AnswerKind::Map(_) => texts.push("add".into()),
        kind => {
            let default = question
                .default
                .iter()
                .filter(|default| !default.is_empty());
            texts.extend(default.map(|default| format!("Default: {default}.")));
            if let AnswerKind::Choice { choices, .. } = kind {
                texts.extend(choices.iter().map(|choice| choice.label.clone()));
                texts.push("not set (default:".into());
            }
        }
    }
    texts.push(format!("? {}", question.label()));
    texts.retain(|text| !text.is_empty());
    texts
}
