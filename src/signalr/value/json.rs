//! Values from and to JSON.

use super::instant::instant;
use super::{NamingPolicy, TIMESTAMP, Value};
use crate::json::{JsonError, JsonKind, Reader as JsonReader, write_string};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

impl Value {
    /// Reads one JSON value.
    pub fn from_json(bytes: &[u8]) -> Result<Self, JsonError> {
        read_json(&mut JsonReader::new(bytes))
    }

    pub fn to_json(&self, naming: NamingPolicy) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_json(&mut out, naming);
        out
    }

    pub fn write_json(&self, out: &mut Vec<u8>, naming: NamingPolicy) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Unsigned(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Float(number) if number.is_finite() => {
                out.extend_from_slice(number.to_string().as_bytes())
            }
            Value::Float(_) => out.extend_from_slice(b"null"),
            Value::Text(text) => write_string(out, text),
            Value::Extension(TIMESTAMP, bytes) if instant(bytes).is_some() => {
                write_string(out, &instant(bytes).unwrap_or_default())
            }
            Value::Binary(bytes) | Value::Extension(_, bytes) => {
                write_string(out, &STANDARD.encode(bytes))
            }
            Value::Array(items) => {
                out.push(b'[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    item.write_json(out, naming);
                }
                out.push(b']');
            }
            Value::Map(members) => write_members(
                out,
                members.iter().map(|(name, value)| (name.clone(), value)),
                naming,
            ),
            Value::Object(members) => {
                let named = |name: &str| {
                    if naming == NamingPolicy::Camel {
                        camel(name)
                    } else {
                        name.to_owned()
                    }
                };
                write_members(
                    out,
                    members.iter().map(|(name, value)| (named(name), value)),
                    naming,
                );
            }
        }
    }
}

fn write_members<'v>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (String, &'v Value)>,
    naming: NamingPolicy,
) {
    out.push(b'{');
    for (place, (name, value)) in members.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_string(out, &name);
        out.push(b':');
        value.write_json(out, naming);
    }
    out.push(b'}');
}

fn read_json(reader: &mut JsonReader<'_>) -> Result<Value, JsonError> {
    Ok(match reader.peek()? {
        JsonKind::String => Value::Text(reader.string()?.into_owned()),
        JsonKind::Number => number(reader.number()?),
        JsonKind::True | JsonKind::False => Value::Boolean(reader.boolean()?),
        JsonKind::Null => {
            reader.null()?;
            Value::Null
        }
        JsonKind::Array => {
            let mut items = Vec::new();
            reader.array(|reader| {
                items.push(read_json(reader)?);
                Ok::<_, JsonError>(())
            })?;
            Value::Array(items)
        }
        JsonKind::Object => {
            let mut members = Vec::new();
            reader.object(|reader, name| {
                members.push((name.into_owned(), read_json(reader)?));
                Ok::<_, JsonError>(())
            })?;
            Value::Map(members)
        }
    })
}

fn number(text: &str) -> Value {
    // Negative zero is a float: an integer would lose the sign.
    if let Some(number) = text.parse().ok().filter(|_| text != "-0") {
        return Value::Integer(number);
    }
    text.parse()
        .map(Value::Unsigned)
        .or_else(|_| text.parse().map(Value::Float))
        .unwrap_or(Value::Null)
}

/// System.Text.Json's camel case: lowers the capitals at the start, but not one that begins the
/// next word (`URLValue` becomes `urlValue`).
fn camel(name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    for place in 0..letters.len() {
        let capital = letters[place].is_uppercase();
        let before_small = place > 0
            && letters
                .get(place + 1)
                .is_some_and(|next| !next.is_uppercase());
        if !capital || before_small {
            break;
        }
        letters[place] = letters[place]
            .to_lowercase()
            .next()
            .unwrap_or(letters[place]);
    }
    letters.into_iter().collect()
}
