//! A field for text or a password: drawn, redrawn after each key, and reduced to one line when
//! answered.

use super::keys::{KeyDecoder, MARK_PASTES, UNMARK_PASTES};
use super::line::{Line, LineState, Press};
use super::question::{Question, Reply};
use crate::platform::{InputMode, has_input, is_followed};
use crate::terminal::safe::neutral;
use crate::terminal::wrap::wrapped;
use console::{Key, Term, measure_text_width};
use std::io;
use std::time::Duration;

/// The rest of an escape sequence comes at once; a finger takes longer.
const SEQUENCE_WITHIN: Duration = Duration::from_millis(40);
const MASK: char = '*';

/// What is asked for.
#[derive(Debug, Clone)]
pub struct InputField {
    pub question: Question,
    /// Taken where nothing is typed; shown, unless it is empty.
    pub default: String,
    pub echo: Echo,
}

/// What is shown of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    Shown,
    Masked,
}

/// A field as rows of text, and where the cursor is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldLayout {
    pub rows: Vec<String>,
    /// How many of the rows are the hint's.
    pub hint_rows: usize,
    pub cursor: (usize, usize),
}

impl InputField {
    /// Breaks everything into rows: words at spaces, what is typed at the edge. Nothing is cut.
    pub fn layout(&self, line: &Line, width: usize) -> FieldLayout {
        let mut rows = wrapped(&self.question.hint, width);
        let hint_rows = rows.len();
        let default = if self.default.is_empty() {
            String::new()
        } else {
            format!(" [{}]", neutral(&self.default))
        };
        rows.extend(wrapped(
            &format!("? {}{default}:", self.question.title),
            width,
        ));
        let mut typed = Typed::below(rows, width);
        typed.push_all(" ");
        typed.push_all(&self.shown(&line.before_cursor()));
        let cursor = (typed.rows.len() - 1, typed.column());
        let rest = line.text().split_off(line.before_cursor().len());
        typed.push_all(&self.shown(&rest));
        FieldLayout {
            rows: typed.rows,
            hint_rows,
            cursor,
        }
    }

    fn shown(&self, text: &str) -> String {
        match self.echo {
            Echo::Shown => text.to_owned(),
            Echo::Masked => text.chars().map(|_| MASK).collect(),
        }
    }

    /// Asks, key by key, until there is a reply.
    pub fn ask(&self) -> io::Result<Reply<String>> {
        let term = Term::buffered_stderr();
        let before = InputMode::now();
        if let Some(mode) = &before {
            mode.set_raw()?;
        }
        term.write_str(MARK_PASTES)?;
        let reply = self.edit(&term);
        term.write_str(UNMARK_PASTES)?;
        term.flush()?;
        if let Some(mode) = &before {
            mode.restore();
        }
        reply
    }

    fn edit(&self, term: &Term) -> io::Result<Reply<String>> {
        let mut line = Line::default();
        let mut decoder = KeyDecoder::default();
        let mut row = self.draw(term, &line)?;
        loop {
            let Some(press) = next_press(term, &mut decoder)? else {
                continue;
            };
            let state = match press {
                // More is waiting behind it: the newline was pasted, and the line is not finished.
                Press::Enter if !line.is_empty() && is_followed() => continue,
                Press::Tab if line.is_empty() => line.press(Press::Insert(self.default.clone())),
                press => line.press(press),
            };
            clear(term, row)?;
            match state {
                LineState::Editing => row = self.draw(term, &line)?,
                LineState::Entered => return self.entered(term, &line),
                LineState::Back => return Ok(Reply::Back),
                LineState::Left => return Ok(Reply::Left),
            }
        }
    }

    /// Draws the field from the cursor's row on; returns in which of its rows the cursor is then.
    fn draw(&self, term: &Term, line: &Line) -> io::Result<usize> {
        let layout = self.layout(line, width(term));
        let style = console::Style::new().for_stderr();
        let rows = layout.rows.iter().enumerate().map(|(place, row)| {
            if place < layout.hint_rows {
                style.clone().dim().apply_to(row).to_string()
            } else if let (true, Some(rest)) = (place == layout.hint_rows, row.strip_prefix('?')) {
                format!("{}{rest}", style.clone().cyan().apply_to('?'))
            } else {
                row.clone()
            }
        });
        term.write_str(&rows.collect::<Vec<_>>().join("\r\n"))?;
        let (row, column) = layout.cursor;
        term.move_cursor_up(layout.rows.len() - 1 - row)?;
        term.write_str("\r")?;
        term.move_cursor_right(column)?;
        term.flush()?;
        Ok(row)
    }

    fn entered(&self, term: &Term, line: &Line) -> io::Result<Reply<String>> {
        let text = match self.echo {
            Echo::Shown => line.text().trim().to_owned(),
            Echo::Masked => line.text(),
        };
        let text = if text.is_empty() {
            self.default.clone()
        } else {
            text
        };
        let shown = match (self.echo, text.is_empty()) {
            (Echo::Masked, false) => "(hidden)",
            _ => &text,
        };
        term.write_str(&answered(&self.question.title, shown, width(term)))?;
        Ok(Reply::Given(text))
    }
}

/// What stays of a question once it is answered.
pub fn answered(title: &str, answer: &str, width: usize) -> String {
    let colon = if title.ends_with('?') { "" } else { ":" };
    let rows = wrapped(&format!("+ {title}{colon} {answer}"), width);
    let plus = console::Style::new().for_stderr().green().apply_to('+');
    let text = rows.join("\r\n");
    format!("{plus}{}\r\n", text.strip_prefix('+').unwrap_or(&text))
}

/// The columns that are used: a row that fills the last one would wrap by itself on some terminals.
pub fn width(term: &Term) -> usize {
    usize::from(term.size().1).saturating_sub(1).max(10)
}

fn clear(term: &Term, row: usize) -> io::Result<()> {
    term.move_cursor_up(row)?;
    term.write_str("\r")?;
    term.clear_to_end_of_screen()
}

fn next_press(term: &Term, decoder: &mut KeyDecoder) -> io::Result<Option<Press>> {
    let key = term.read_key_raw()?;
    if key == Key::Escape && decoder.is_plain() && has_input(SEQUENCE_WITHIN) {
        let next = term.read_key_raw()?;
        return Ok(if decoder.feed_after_escape(&next) {
            None
        } else {
            Some(Press::Escape)
        });
    }
    Ok(decoder.feed(key))
}

/// Rows that grow by characters.
struct Typed {
    rows: Vec<String>,
    width: usize,
}

impl Typed {
    fn below(rows: Vec<String>, width: usize) -> Self {
        Typed { rows, width }
    }

    fn column(&self) -> usize {
        self.rows.last().map_or(0, |row| measure_text_width(row))
    }

    fn push_all(&mut self, text: &str) {
        for letter in text.chars() {
            let room = self.width.saturating_sub(self.column());
            if measure_text_width(letter.encode_utf8(&mut [0; 4])) > room {
                self.rows.push(String::new());
            }
            if let Some(row) = self.rows.last_mut() {
                row.push(letter);
            }
        }
    }
}
