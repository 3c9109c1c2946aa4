//! Values that edits write.

use super::style::quoted;

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewValue {
    Text(String),
    /// A text that is written in quotes even where a bare value reads the same.
    Quoted(String),
    Integer(i64),
    /// Any other number, as JSON spells it.
    Number(String),
    Boolean(bool),
}

impl NewValue {
    /// A number, spelled as it was.
    pub fn of_number(number: &serde_json::Number, spelling: &str) -> Self {
        match number.as_i64() {
            Some(whole) if whole.to_string() == spelling => NewValue::Integer(whole),
            _ => NewValue::Number(spelling.to_owned()),
        }
    }

    /// The text that .NET reads back.
    pub fn as_read(&self) -> String {
        match self {
            NewValue::Text(text) | NewValue::Quoted(text) | NewValue::Number(text) => text.clone(),
            NewValue::Integer(number) => number.to_string(),
            NewValue::Boolean(true) => "True".into(),
            NewValue::Boolean(false) => "False".into(),
        }
    }

    pub(super) fn literal(&self) -> String {
        match self {
            NewValue::Text(text) | NewValue::Quoted(text) => quoted(text),
            NewValue::Number(text) => text.clone(),
            NewValue::Integer(number) => number.to_string(),
            NewValue::Boolean(value) => value.to_string(),
        }
    }
}
