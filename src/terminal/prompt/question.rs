//! What is asked, and what came of it.

use crate::terminal::safe::{neutral, neutral_lines};

/// A question: what is asked, and a sentence that helps to answer it.
#[derive(Debug, Clone)]
pub struct Question {
    pub title: String,
    pub hint: String,
}

impl Question {
    /// Both may hold text from files, which must not command the terminal.
    pub fn new(title: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Question {
            title: neutral(title.as_ref()).into_owned(),
            hint: neutral_lines(hint.as_ref()).into_owned(),
        }
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
