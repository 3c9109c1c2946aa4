//! A body as it was read, borrowed from it where it stays as it is, and its JSON as .NET writes it.

use crate::json::write_string;
use std::borrow::Cow;

/// A field's value: JSON text ready to be written, or an object whose fields are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue<'b> {
    Null,
    Text(Cow<'b, str>),
    /// Numbers, booleans, lists and maps, as JSON.
    Json(Cow<'b, [u8]>),
    Record(Record<'b>),
}

/// An object as read: every field of its shape, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'b>(pub(super) Vec<(&'static str, FieldValue<'b>)>);

static NULL: FieldValue<'static> = FieldValue::Null;

impl<'b> Record<'b> {
    /// The field's value; null where the shape has no such field.
    pub fn get(&self, name: &str) -> &FieldValue<'b> {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map_or(&NULL, |(_, value)| value)
    }
}

impl FieldValue<'_> {
    pub fn is_null(&self) -> bool {
        *self == FieldValue::Null
    }

    pub fn as_text(&self) -> Option<&str> {
        if let FieldValue::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub fn as_json(&self) -> &[u8] {
        if let FieldValue::Json(json) = self {
            json
        } else {
            b"null"
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            FieldValue::Null => out.extend_from_slice(b"null"),
            FieldValue::Text(text) => write_string(out, text),
            FieldValue::Json(json) => out.extend_from_slice(json),
            FieldValue::Record(Record(fields)) => {
                out.push(b'{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_member(out, name, value);
                }
                out.push(b'}');
            }
        }
    }
}

/// Appends `"camelCase":value`. Every name of the contract is camelCased by its first letter alone.
pub fn write_member(out: &mut Vec<u8>, name: &str, value: &FieldValue<'_>) {
    out.push(b'"');
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    out[start].make_ascii_lowercase();
    out.extend_from_slice(b"\":");
    value.write(out);
}
