//! A value as hub methods see it, whatever protocol carried it: from and to JSON and MessagePack.
//!
//! The two do not hold the same: bytes and instants are texts in JSON, as System.Text.Json writes
//! them, and of their own kind in MessagePack (protocol.md, "Messages").

mod instant;
mod json;
mod message_pack;

/// MessagePack's extension type for instants.
pub const TIMESTAMP: i8 = -1;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Larger than an `i64`.
    Unsigned(u64),
    Float(f64),
    Text(String),
    Binary(Vec<u8>),
    /// A type and its bytes; instants are [`TIMESTAMP`].
    Extension(i8, Vec<u8>),
    Array(Vec<Value>),
    /// Keys are data: written as they are.
    Map(Vec<(String, Value)>),
    /// Keys are declared members: a naming policy may change them in JSON.
    Object(Vec<(&'static str, Value)>),
}

/// What JSON makes of declared members' names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamingPolicy {
    /// ASP.NET Core's default: `BoardId` becomes `boardId`.
    #[default]
    Camel,
    AsDeclared,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl Value {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number, also one that came as a float.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// A member of a map or an object, its name in any case.
    pub fn member(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(members) => members
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value),
            Value::Object(members) => members
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value),
            _ => None,
        }
    }
}
