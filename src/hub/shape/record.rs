//! A body as it was read, and its JSON as .NET writes it.

use crate::json::write_string;

/// A field's value: JSON text ready to be written, or an object whose fields are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    Null,
    Text(String),
    /// Numbers, booleans, lists and maps, as JSON.
    Json(Vec<u8>),
    Record(Record),
}

/// An object as read: every field of its shape, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(pub(super) Vec<(&'static str, FieldValue)>);

static NULL: FieldValue = FieldValue::Null;

impl Record {
    /// The field's value; null where the shape has no such field.
    pub fn get(&self, name: &str) -> &FieldValue {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map_or(&NULL, |(_, value)| value)
    }
}

impl FieldValue {
    pub fn is_null(&self) -> bool {
        *self == FieldValue::Null
    }

    pub fn as_text(&self) -> Option<String> {
        if let FieldValue::Text(text) = self {
            Some(text.clone())
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
pub fn write_member(out: &mut Vec<u8>, name: &str, value: &FieldValue) {
    out.push(b'"');
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    out[start].make_ascii_lowercase();
    out.extend_from_slice(b"\":");
    value.write(out);
}
