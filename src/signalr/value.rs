//! A value as hub methods see it, whatever protocol carried it: from and to JSON and MessagePack.
//!
//! The two do not hold the same: bytes and instants are texts in JSON, as System.Text.Json writes
//! them, and of their own kind in MessagePack (protocol.md, "Messages").

use crate::json::{JsonError, JsonKind, Reader as JsonReader, write_string};
use crate::message_pack::{self, MessagePackError, MessagePackKind, MessagePackReader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// MessagePack's extension type for instants.
pub const TIMESTAMP: i8 = -1;

/// How deep values may lie inside one another, as in .NET.
const MAXIMUM_DEPTH: usize = 64;

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

    /// Reads one MessagePack value.
    pub fn from_message_pack(bytes: &[u8]) -> Result<Self, MessagePackError> {
        read_message_pack(&mut MessagePackReader::new(bytes), MAXIMUM_DEPTH)
    }

    pub fn write_message_pack(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => message_pack::write_nil(out),
            Value::Boolean(value) => message_pack::write_boolean(out, *value),
            Value::Integer(number) => message_pack::write_integer(out, *number),
            Value::Unsigned(number) => message_pack::write_unsigned(out, *number),
            Value::Float(number) => message_pack::write_float(out, *number),
            Value::Text(text) => message_pack::write_text(out, text),
            Value::Binary(bytes) => message_pack::write_binary(out, bytes),
            Value::Extension(kind, bytes) => message_pack::write_extension(out, *kind, bytes),
            Value::Array(items) => {
                message_pack::write_array(out, items.len());
                items.iter().for_each(|item| item.write_message_pack(out));
            }
            Value::Map(members) => {
                message_pack::write_map(out, members.len());
                for (name, value) in members {
                    message_pack::write_text(out, name);
                    value.write_message_pack(out);
                }
            }
            Value::Object(members) => {
                message_pack::write_map(out, members.len());
                for (name, value) in members {
                    message_pack::write_text(out, name);
                    value.write_message_pack(out);
                }
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
    // A zero below zero is none of the whole numbers.
    if let Some(number) = text.parse().ok().filter(|_| text != "-0") {
        return Value::Integer(number);
    }
    text.parse()
        .map(Value::Unsigned)
        .or_else(|_| text.parse().map(Value::Float))
        .unwrap_or(Value::Null)
}

fn read_message_pack(
    reader: &mut MessagePackReader<'_>,
    depth: usize,
) -> Result<Value, MessagePackError> {
    if depth == 0 {
        return Err(MessagePackError("a value less deep"));
    }
    Ok(match reader.kind()? {
        MessagePackKind::Nil => {
            reader.skip()?;
            Value::Null
        }
        MessagePackKind::Boolean => Value::Boolean(reader.boolean()?),
        MessagePackKind::Integer => match reader.unsigned()? {
            Ok(number) => i64::try_from(number).map_or(Value::Unsigned(number), Value::Integer),
            Err(number) => Value::Integer(number),
        },
        MessagePackKind::Float => Value::Float(reader.float()?),
        MessagePackKind::Text => Value::Text(reader.lenient_text()?.into_owned()),
        MessagePackKind::Binary => Value::Binary(reader.binary()?.to_vec()),
        MessagePackKind::Extension => {
            let (kind, bytes) = reader.extension()?;
            Value::Extension(kind, bytes.to_vec())
        }
        MessagePackKind::Array => {
            // The count comes from the wire: nothing is reserved by it.
            let mut items = Vec::new();
            for _ in 0..reader.array()? {
                items.push(read_message_pack(reader, depth - 1)?);
            }
            Value::Array(items)
        }
        MessagePackKind::Map => {
            let mut members = Vec::new();
            for _ in 0..reader.map()? {
                let key = match read_message_pack(reader, depth - 1)? {
                    Value::Text(key) => key,
                    // As a text within a text within a text they would grow without end.
                    Value::Array(_) | Value::Map(_) => {
                        return Err(MessagePackError("a key that is a plain value"));
                    }
                    other => String::from_utf8_lossy(&other.to_json(NamingPolicy::AsDeclared))
                        .into_owned(),
                };
                members.push((key, read_message_pack(reader, depth - 1)?));
            }
            Value::Map(members)
        }
    })
}

/// System.Text.Json's camel case: the first capital, and those that follow it up to the last before a small letter.
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

/// A timestamp's bytes as ISO 8601 in UTC; `None` where they are none.
fn instant(bytes: &[u8]) -> Option<String> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (i64::try_from(number(bytes)).ok()?, 0),
        8 => (
            i64::try_from(number(bytes) & 0x3_ffff_ffff).ok()?,
            number(bytes) >> 34,
        ),
        12 => (number(&bytes[4..]) as i64, number(&bytes[..4])),
        _ => return None,
    };
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days)?;
    let mut text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    if nanoseconds > 0 {
        // .NET keeps seven digits.
        text.push_str(
            format!(".{:07}", nanoseconds / 100)
                .trim_end_matches('0')
                .trim_end_matches('.'),
        );
    }
    text.push('Z');
    Some(text)
}

/// The date of a day counted from 1970, in years that .NET has (Howard Hinnant's algorithm).
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    let shifted = days.checked_add(719_468)?;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (1..=9999).contains(&year).then_some((
        year,
        month,
        day_of_year - (153 * shifted_month + 2) / 5 + 1,
    ))
}
