//! The values that hub methods receive and return, independent of the protocol.
//!
//! JSON has fewer types than MessagePack: in JSON, bytes and instants are strings, as
//! System.Text.Json writes them (protocol.md, "Messages").

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
    /// An extension type and its bytes; [`TIMESTAMP`] is an instant.
    Extension(i8, Vec<u8>),
    Array(Vec<Value>),
    /// The keys are data and never renamed.
    Map(Vec<(String, Value)>),
    /// The keys are declared members: in JSON a naming policy may change them.
    Object(Vec<(&'static str, Value)>),
}

/// How JSON spells the names of declared members.
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

    /// An integer, also if it was sent as a float.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// A member of a map or an object; names are compared without regard to case.
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
