//! The line of a fault, as it may be shown: cut, and without any value, which may be a secret.

use crate::secret::MASK;
use std::fmt;

/// Letters that are shown at most, and of them those before the fault.
const LONGEST: usize = 100;
const BEFORE: usize = 60;
const LONGEST_KEY: usize = 60;
/// Values, right and nearly right ones, that are no secret.
const LITERALS: [&str; 8] = ["true", "false", "null", "none", "yes", "no", "on", "off"];

/// A line without its values, and where in it the fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    text: String,
    /// Letters before the fault.
    caret: usize,
}

impl Excerpt {
    /// `before` is the text up to the line; `column` counts from 1.
    pub(super) fn new(before: &str, line: &str, column: usize) -> Self {
        let mut masking = Masking {
            letters: line.chars().collect(),
            at: 0,
            fault: column.saturating_sub(1),
            // What a line begins with depends on the lines above.
            last: before.trim_end().chars().next_back().unwrap_or('{'),
            is_lost: false,
            shown: Vec::new(),
            caret: None,
        };
        while masking.at < masking.letters.len() {
            masking.token();
        }
        let caret = masking.caret.unwrap_or(masking.shown.len());
        Self::cut(&masking.shown, caret)
    }

    fn cut(shown: &[char], caret: usize) -> Self {
        let start = match shown.len() > LONGEST {
            true => caret.saturating_sub(BEFORE),
            false => 0,
        };
        let end = shown.len().min(start + LONGEST);
        let mark = |is_cut: bool| if is_cut { "…" } else { "" };
        let (head, tail) = (mark(start > 0), mark(end < shown.len()));
        Excerpt {
            text: format!("{head}{}{tail}", String::from_iter(&shown[start..end])),
            caret: caret - start + head.chars().count(),
        }
    }

    /// The line behind its number, and a mark below the fault.
    pub fn pointer(&self, line: usize) -> impl fmt::Display {
        let margin = line.to_string().len() + 3 + self.caret;
        format!("{line} | {}\n  {:margin$}^", self.text, "")
    }
}

/// A walk through a line, token by token.
struct Masking {
    letters: Vec<char>,
    at: usize,
    fault: usize,
    /// The last letter that was no blank; `"` behind a text, `a` behind a word.
    last: char,
    /// Something stands where nothing may: what follows may be the rest of a value.
    is_lost: bool,
    shown: Vec<char>,
    caret: Option<usize>,
}

impl Masking {
    fn token(&mut self) {
        let first = self.letters[self.at];
        match first {
            letter if letter.is_whitespace() || letter.is_control() => self.put(1, Some(" ")),
            '{' | '}' | '[' | ']' | ':' | ',' => {
                self.put(1, None);
                self.last = first;
            }
            '/' if matches!(self.letters.get(self.at + 1), Some('/' | '*')) => self.comment(),
            '"' => self.text(),
            _ => self.word(),
        }
    }

    /// Shows the next letters, or another text in their place.
    fn put(&mut self, count: usize, instead: Option<&str>) {
        let shown = self.shown.len();
        if (self.at..self.at + count).contains(&self.fault) {
            let offset = if instead.is_some() {
                0
            } else {
                self.fault - self.at
            };
            self.caret = Some(shown + offset);
        }
        match instead {
            Some(text) => self.shown.extend(text.chars()),
            None => self.shown.extend(&self.letters[self.at..self.at + count]),
        }
        self.at += count;
    }

    fn comment(&mut self) {
        let rest = &self.letters[self.at..];
        let ends = |pair: &[char]| pair == ['*', '/'];
        let end = match rest[1] {
            '*' => rest[2..].windows(2).position(ends).map(|end| end + 4),
            _ => None,
        };
        let instead = format!("/{}{MASK}", rest[1]);
        self.put(end.unwrap_or(rest.len()), Some(&instead));
    }

    fn text(&mut self) {
        let mut end = self.at + 1;
        while end < self.letters.len() && self.letters[end] != '"' {
            end += if self.letters[end] == '\\' { 2 } else { 1 };
        }
        let end = (end + 1).min(self.letters.len());
        let count = end - self.at;
        let is_key = self.stands_as_key(end) || self.opens_the_line_as_key(end);
        let is_key = is_key && count <= LONGEST_KEY;
        let masked = format!("\"{MASK}\"");
        self.put(count, (!is_key).then_some(masked.as_str()));
        self.passed('"', end);
    }

    fn word(&mut self) {
        let is_end = |letter: &char| letter.is_whitespace() || "{}[]:,\"".contains(*letter);
        let length = self.letters[self.at..].iter().position(is_end);
        let count = length.unwrap_or(self.letters.len() - self.at).max(1);
        let end = self.at + count;
        let word: String = self.letters[self.at..end].iter().collect();
        let is_plain = word
            .chars()
            .all(|letter| letter.is_alphanumeric() || "_'-".contains(letter));
        let is_key = self.stands_as_key(end) && is_plain && count <= LONGEST_KEY;
        let is_literal = LITERALS
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known));
        let is_shown = !self.is_lost && (is_key || is_literal);
        self.put(count, (!is_shown).then_some(MASK));
        self.passed('a', end);
    }

    /// Whether what ends here is a name: a colon follows, and no value is awaited.
    fn stands_as_key(&self, end: usize) -> bool {
        !self.is_lost && matches!(self.last, '{' | ',') && self.next(end) == Some(':')
    }

    /// Whether it is the name behind a comma that is missing at the end of the line above.
    fn opens_the_line_as_key(&self, end: usize) -> bool {
        let opens = self.shown.iter().all(|letter| letter.is_whitespace());
        opens && !matches!(self.last, ':' | '[') && self.next(end) == Some(':')
    }

    fn next(&self, from: usize) -> Option<char> {
        let mut rest = self.letters.get(from..)?.iter();
        rest.find(|letter| !letter.is_whitespace()).copied()
    }

    /// Behind a text or a word only a sign may follow.
    fn passed(&mut self, kind: char, end: usize) {
        let is_right = matches!(self.next(end), None | Some(',' | ':' | '}' | ']' | '/'));
        self.is_lost |= !is_right || matches!(self.last, '"' | 'a');
        self.last = kind;
    }
}
