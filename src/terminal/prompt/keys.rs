//! Keys as the terminal sends them: escape sequences put together, pastes told from typing.

use super::line::Press;
use console::Key;

/// Asks the terminal to mark what is pasted, and to stop doing so.
pub const MARK_PASTES: &str = "\x1b[?2004h";
pub const UNMARK_PASTES: &str = "\x1b[?2004l";

/// Puts single keys together. `console` knows short escape sequences; longer ones come in pieces.
#[derive(Debug, Default)]
pub struct KeyDecoder {
    state: DecoderState,
}

#[derive(Debug, Default)]
enum DecoderState {
    #[default]
    Plain,
    /// After `ESC [`, with what came since.
    Sequence(String),
    /// After `ESC O`, which some terminals send before a cursor key's letter.
    Letter,
    /// Between the marks around a paste, with its text so far and a sequence that has begun.
    Paste(String),
    PasteSequence(String, String),
}

impl KeyDecoder {
    /// Whether a lone Escape may be the beginning of more.
    pub fn is_plain(&self) -> bool {
        matches!(self.state, DecoderState::Plain)
    }

    /// Takes a key; `None` where it is a part of something, or means nothing here.
    pub fn feed(&mut self, key: Key) -> Option<Press> {
        match std::mem::take(&mut self.state) {
            DecoderState::Plain => self.plain(key),
            DecoderState::Letter => match key {
                Key::Char(letter) => cursor_key(letter),
                other => self.plain(other),
            },
            DecoderState::Sequence(so_far) => self.sequence(so_far, key),
            DecoderState::Paste(text) => {
                self.paste(text, key);
                None
            }
            DecoderState::PasteSequence(text, so_far) => self.paste_sequence(text, so_far, key),
        }
    }

    /// Takes what follows a lone Escape at once: the terminal sent one sequence in two pieces.
    pub fn feed_after_escape(&mut self, key: &Key) -> bool {
        self.state = match key {
            Key::Char('[') => DecoderState::Sequence(String::new()),
            Key::Char('O') => DecoderState::Letter,
            _ => return false,
        };
        true
    }

    fn plain(&mut self, key: Key) -> Option<Press> {
        Some(match key {
            Key::Enter => Press::Enter,
            Key::Escape => Press::Escape,
            Key::CtrlC => Press::Leave,
            Key::ArrowLeft => Press::Left,
            Key::ArrowRight => Press::Right,
            Key::Home => Press::Home,
            Key::End => Press::End,
            Key::Backspace => Press::Backspace,
            Key::Del => Press::Delete,
            Key::Tab => Press::Tab,
            Key::Char(letter) => return control_key(letter),
            Key::UnknownEscSeq(letters) => match letters.split_first() {
                Some(('[', rest)) => return self.sequence(rest.iter().collect(), Key::Unknown),
                Some(('O', [])) => {
                    self.state = DecoderState::Letter;
                    return None;
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Goes on with a sequence, which ends with its first letter or `~`.
    fn sequence(&mut self, mut so_far: String, key: Key) -> Option<Press> {
        match key {
            Key::Char(letter) => so_far.push(letter),
            Key::Unknown => {}
            other => return self.plain(other),
        }
        if !is_complete(&so_far) {
            self.state = DecoderState::Sequence(so_far);
            return None;
        }
        match so_far.as_str() {
            "200~" => self.state = DecoderState::Paste(String::new()),
            "1;5D" | "1;3D" => return Some(Press::WordLeft),
            "1;5C" | "1;3C" => return Some(Press::WordRight),
            _ => {
                let mut letters = so_far.chars();
                if let (Some(letter), None) = (letters.next(), letters.next()) {
                    return cursor_key(letter);
                }
            }
        }
        None
    }

    /// A pasted newline is left out: it answers nothing.
    fn paste(&mut self, mut text: String, key: Key) {
        match key {
            Key::Char(letter) => text.push(letter),
            Key::Tab => text.push(' '),
            Key::UnknownEscSeq(letters) if letters.first() == Some(&'[') => {
                let so_far = letters[1..].iter().collect();
                self.state = DecoderState::PasteSequence(text, so_far);
                return;
            }
            _ => {}
        }
        self.state = DecoderState::Paste(text);
    }

    fn paste_sequence(&mut self, text: String, mut so_far: String, key: Key) -> Option<Press> {
        match key {
            Key::Char(letter) => so_far.push(letter),
            other => {
                self.paste(text, other);
                return None;
            }
        }
        if so_far == "201~" {
            return Some(Press::Insert(text));
        }
        self.state = if is_complete(&so_far) {
            DecoderState::Paste(text)
        } else {
            DecoderState::PasteSequence(text, so_far)
        };
        None
    }
}

fn is_complete(sequence: &str) -> bool {
    sequence
        .chars()
        .last()
        .is_some_and(|last| matches!(last, '@'..='~'))
}

fn cursor_key(letter: char) -> Option<Press> {
    Some(match letter {
        'C' => Press::Right,
        'D' => Press::Left,
        'H' => Press::Home,
        'F' => Press::End,
        'M' => Press::Enter,
        _ => return None,
    })
}

/// Control keys as readline has them; other characters stand for themselves.
fn control_key(letter: char) -> Option<Press> {
    Some(match letter {
        '\x02' => Press::Left,
        '\x04' => Press::DeleteOrLeave,
        '\x06' => Press::Right,
        '\x0b' => Press::EraseToEnd,
        '\x15' => Press::EraseToStart,
        '\x17' => Press::EraseWord,
        letter if letter.is_control() => return None,
        letter => Press::Insert(letter.to_string()),
    })
}
