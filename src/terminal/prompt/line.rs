//! A line of text while it is typed: what each key makes of it. Pure: nothing is read or shown
//! here.

use console::measure_text_width;

/// What a key, or a paste, asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    Insert(String),
    Enter,
    Escape,
    /// Ctrl-C.
    Leave,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Backspace,
    Delete,
    /// Ctrl-D.
    DeleteOrLeave,
    /// Ctrl-U.
    EraseToStart,
    /// Ctrl-K.
    EraseToEnd,
    /// Ctrl-W.
    EraseWord,
    Tab,
}

/// How a press left the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    Editing,
    Entered,
    Back,
    Left,
}

/// Text and a cursor, which stands before the character of its index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: Vec<char>,
    cursor: usize,
}

impl Line {
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text before the cursor.
    pub fn before_cursor(&self) -> String {
        self.text[..self.cursor].iter().collect()
    }

    pub fn press(&mut self, press: Press) -> LineState {
        match press {
            Press::Enter => return LineState::Entered,
            Press::Escape => return LineState::Back,
            Press::Leave => return LineState::Left,
            Press::DeleteOrLeave if self.is_empty() => return LineState::Left,
            Press::Insert(text) => self.insert(&text),
            Press::Left => self.cursor = self.left(self.cursor),
            Press::Right => self.cursor = self.right(self.cursor),
            Press::WordLeft => self.cursor = self.word_start(),
            Press::WordRight => self.cursor = self.word_end(),
            Press::Home => self.cursor = 0,
            Press::End => self.cursor = self.text.len(),
            Press::Backspace => self.erase(self.left(self.cursor), self.cursor),
            Press::Delete | Press::DeleteOrLeave => {
                self.erase(self.cursor, self.right(self.cursor))
            }
            Press::EraseToStart => self.erase(0, self.cursor),
            Press::EraseToEnd => self.erase(self.cursor, self.text.len()),
            Press::EraseWord => self.erase(self.word_start(), self.cursor),
            Press::Tab => {}
        }
        LineState::Editing
    }

    /// Puts text at the cursor; what cannot be shown on a line is left out.
    fn insert(&mut self, text: &str) {
        let letters: Vec<_> = text.chars().filter(|letter| !letter.is_control()).collect();
        let after = self.cursor + letters.len();
        self.text.splice(self.cursor..self.cursor, letters);
        self.cursor = after;
    }

    fn erase(&mut self, from: usize, to: usize) {
        self.text.drain(from..to);
        self.cursor = from;
    }

    /// The place before the character on the left; a mark belongs to the letter that carries it.
    fn left(&self, mut place: usize) -> usize {
        place = place.saturating_sub(1);
        while place > 0 && is_mark(self.text[place]) {
            place -= 1;
        }
        place
    }

    fn right(&self, mut place: usize) -> usize {
        place = (place + 1).min(self.text.len());
        while place < self.text.len() && is_mark(self.text[place]) {
            place += 1;
        }
        place
    }

    fn word_start(&self) -> usize {
        let before = &self.text[..self.cursor];
        let end = before
            .iter()
            .rposition(|letter| !letter.is_whitespace())
            .map_or(0, |last| last + 1);
        before[..end]
            .iter()
            .rposition(|letter| letter.is_whitespace())
            .map_or(0, |blank| blank + 1)
    }

    fn word_end(&self) -> usize {
        let after = self.text[self.cursor..].iter();
        let blanks = after.clone().take_while(|letter| letter.is_whitespace());
        let start = self.cursor + blanks.count();
        let word = self.text[start..]
            .iter()
            .take_while(|letter| !letter.is_whitespace());
        start + word.count()
    }
}

/// Takes no room of its own: it is drawn over the character before it.
fn is_mark(letter: char) -> bool {
    measure_text_width(letter.encode_utf8(&mut [0; 4])) == 0
}
