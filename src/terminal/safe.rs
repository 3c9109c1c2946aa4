//! Text of others made harmless: a terminal obeys control characters, and bidirectional ones
//! reorder what people read.

use std::borrow::Cow;
use std::fmt;

/// Foreign text in one line: every control character is shown as its number.
pub fn neutral(text: &str) -> Cow<'_, str> {
    replaced(text, |letter| letter == '\t')
}

/// Foreign text that may have several lines.
pub fn neutral_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |letter| matches!(letter, '\t' | '\n'))
}

/// Text that we coloured ourselves: colours stay, other escape sequences do not.
pub fn coloured(text: &str) -> Cow<'_, str> {
    if is_harmless(text, |letter| matches!(letter, '\t' | '\n')) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        safe += &neutral_lines(&rest[..at]);
        let length = colour_length(&rest[at..]).unwrap_or_default();
        if length == 0 {
            push(&mut safe, '\u{1b}');
        }
        safe += &rest[at..at + length];
        rest = &rest[at + length.max(1)..];
    }
    safe += &neutral_lines(rest);
    Cow::Owned(safe)
}

/// JSON text with the control characters escaped that JSON itself allows: the same document.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_control(letter) {
            safe += &format!("\\u{:04x}", u32::from(letter));
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

/// The length of a sequence that only chooses colours, at the beginning of a text.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    parameters[end..].starts_with('m').then_some(2 + end + 1)
}

fn replaced(text: &str, keep: fn(char) -> bool) -> Cow<'_, str> {
    if is_harmless(text, keep) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if keep(letter) || !is_control(letter) {
            safe.push(letter);
        } else {
            push(&mut safe, letter);
        }
    }
    Cow::Owned(safe)
}

fn is_harmless(text: &str, keep: fn(char) -> bool) -> bool {
    text.chars()
        .all(|letter| keep(letter) || !is_control(letter))
}

fn push(safe: &mut String, letter: char) {
    safe.extend(letter.escape_unicode());
}

/// C0, C1, DEL, and what changes the direction of text or begins a line unseen.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Foreign text inside of ours: written in one line, without effect on the terminal.
pub struct Neutral<'t>(pub &'t str);

impl fmt::Display for Neutral<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` keeps the width that the format asks for.
        formatter.pad(&neutral(self.0))
    }
}
