//! What is asked, and what came of it.

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
