//! The shapes that notifications are made of, read as .NET reads them and written as .NET writes
//! them.
//!
//! Fields are matched by their exact name, unknown ones are passed over, missing ones take the
//! type's default, the last of two wins (contract.md, "RabbitMQ" and "Shapes").

mod budget;
pub mod objects;
mod record;

pub use budget::{Budget, Excess};
pub use record::{FieldValue, Record, write_member};

use crate::hub::date;
use crate::json::{JsonError, JsonKind, Reader};
use indexmap::IndexMap;
use std::borrow::Cow;

/// A field's name in the body, and what it holds.
pub type FieldShape = (&'static str, FieldType);

/// What a field holds. References may be null; values only where they are optional.
#[derive(Clone, Copy)]
pub enum FieldType {
    Text,
    Guid,
    OptionalGuid,
    Boolean,
    OptionalBoolean,
    Int16,
    OptionalInt16,
    Int32,
    OptionalInt32,
    Date,
    OptionalDate,
    /// A map from list id to position.
    Map,
    ObjectOf(&'static &'static [FieldShape]),
    ListOf(&'static FieldType),
    /// First and last name with a space between; never read.
    FullName,
}

use FieldType::{
    Boolean, Date, FullName, Guid, Int16, Int32, ListOf, Map, ObjectOf, OptionalBoolean,
    OptionalDate, OptionalGuid, OptionalInt16, OptionalInt32, Text,
};

/// The bytes that an entry of a map takes at least: a GUID, a digit and what stands around them.
const LEAST_ENTRY: usize = 41;

/// Why a body does not have its type's shape.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("{0}")]
    Json(#[from] JsonError),
    #[error(transparent)]
    Excess(#[from] Excess),
    #[error("{field}: {expected} is expected")]
    Mismatch {
        field: &'static str,
        expected: &'static str,
    },
}

/// Reads a whole body; `None` where it is `null`.
pub fn read_document<'b>(
    fields: &'static [FieldShape],
    body: &'b [u8],
    budget: &mut Budget,
) -> Result<Option<Record<'b>>, ShapeError> {
    let mut reader = Reader::new(body);
    let record = read_object(&mut reader, fields, "the body", budget)?;
    reader.end()?;
    Ok(record)
}

fn read_object<'b>(
    reader: &mut Reader<'b>,
    fields: &'static [FieldShape],
    field: &'static str,
    budget: &mut Budget,
) -> Result<Option<Record<'b>>, ShapeError> {
    if reader.null()? {
        return Ok(None);
    }
    budget.element()?;
    budget.output(fields.iter().map(least_size).sum())?;
    if reader.peek()? != JsonKind::Object {
        return Err(ShapeError::Mismatch {
            field,
            expected: "an object",
        });
    }
    let mut values: Vec<_> = fields
        .iter()
        .map(|(name, kind)| (*name, kind.default()))
        .collect();
    reader.object(|reader, name| {
        match fields.iter().position(|(field, _)| *field == name) {
            Some(place) if !matches!(fields[place].1, FullName) => {
                values[place].1 = read_value(reader, fields[place], budget)?;
            }
            _ => drop(reader.skip()?),
        }
        Ok::<_, ShapeError>(())
    })?;
    let mut record = Record(values);
    if let Some(place) = fields.iter().position(|(_, kind)| matches!(kind, FullName)) {
        let part = |name| record.get(name).as_text().unwrap_or_default();
        let name = format!("{} {}", part("FirstName"), part("LastName"));
        record.0[place].1 = FieldValue::Text(name.into());
    }
    Ok(Some(record))
}

/// The bytes that a field takes with its default.
fn least_size((name, kind): &FieldShape) -> usize {
    let punctuation = "\"\":,".len();
    let value = match kind {
        Guid => 38,
        Date => 21,
        Int16 | Int32 => 1,
        Boolean => 5,
        _ => 4,
    };
    name.len() + punctuation + value
}

fn read_value<'b>(
    reader: &mut Reader<'b>,
    (field, kind): FieldShape,
    budget: &mut Budget,
) -> Result<FieldValue<'b>, ShapeError> {
    let token = reader.peek()?;
    if token == JsonKind::Null && kind.may_be_null() {
        reader.literal("null")?;
        return Ok(FieldValue::Null);
    }
    let mismatch = |expected| ShapeError::Mismatch { field, expected };
    Ok(match kind {
        Text if token == JsonKind::String => {
            let text = reader.string()?;
            budget.text(&text)?;
            FieldValue::Text(text)
        }
        Text => return Err(mismatch("a string")),
        Guid | OptionalGuid if token == JsonKind::String => FieldValue::Text(
            guid(reader.string()?).ok_or(mismatch("a GUID as 32 digits with hyphens"))?,
        ),
        Guid | OptionalGuid => return Err(mismatch("a GUID")),
        Boolean | OptionalBoolean if matches!(token, JsonKind::True | JsonKind::False) => {
            let spelling: &[u8] = if reader.boolean()? { b"true" } else { b"false" };
            FieldValue::Json(spelling.into())
        }
        Boolean | OptionalBoolean => return Err(mismatch("true or false")),
        Int16 | OptionalInt16 if token == JsonKind::Number => FieldValue::Json(
            integer::<i16>(reader.number()?).ok_or(mismatch("a whole number of 16 bits"))?,
        ),
        Int16 | OptionalInt16 => return Err(mismatch("a whole number of 16 bits")),
        Int32 | OptionalInt32 if token == JsonKind::Number => FieldValue::Json(
            integer::<i32>(reader.number()?).ok_or(mismatch("a whole number of 32 bits"))?,
        ),
        Int32 | OptionalInt32 => return Err(mismatch("a whole number of 32 bits")),
        Date | OptionalDate if token == JsonKind::String => FieldValue::Text(
            date::normalize(&reader.string()?)
                .ok_or(mismatch("a date by ISO 8601"))?
                .into(),
        ),
        Date | OptionalDate => return Err(mismatch("a date")),
        ObjectOf(fields) => {
            read_object(reader, fields, field, budget)?.map_or(FieldValue::Null, FieldValue::Record)
        }
        ListOf(_) if token != JsonKind::Array => return Err(mismatch("a list")),
        ListOf(item) => {
            let mut list = vec![b'['];
            reader.array(|reader| {
                if list.len() > 1 {
                    list.push(b',');
                }
                budget.element()?;
                read_value(reader, (field, *item), budget)?.write(&mut list);
                Ok::<_, ShapeError>(budget.check(&list)?)
            })?;
            list.push(b']');
            FieldValue::Json(list.into())
        }
        Map if token != JsonKind::Object => return Err(mismatch("a map")),
        Map => {
            // The last of two equal keys wins, in the place of the first, as in .NET's dictionary.
            let most = reader.left() / LEAST_ENTRY;
            let mut positions = IndexMap::with_capacity(most.min(budget.elements()));
            reader.object(|reader, key| {
                let key = guid(key).ok_or(mismatch("GUIDs as keys"))?;
                budget.element()?;
                budget.output(key.len())?;
                positions.insert(key, read_value(reader, (field, Int16), budget)?);
                Ok::<_, ShapeError>(())
            })?;
            let mut map = vec![b'{'];
            for (index, (key, position)) in positions.iter().enumerate() {
                if index > 0 {
                    map.push(b',');
                }
                map.push(b'"');
                map.extend_from_slice(key.as_bytes());
                map.extend_from_slice(b"\":");
                position.write(&mut map);
            }
            map.push(b'}');
            FieldValue::Json(map.into())
        }
        FullName => {
            reader.skip()?;
            FieldValue::Null
        }
    })
}

impl FieldType {
    fn may_be_null(self) -> bool {
        !matches!(self, Guid | Boolean | Int16 | Int32 | Date)
    }

    fn default(self) -> FieldValue<'static> {
        match self {
            Guid => FieldValue::Text("00000000-0000-0000-0000-000000000000".into()),
            Boolean => FieldValue::Json(b"false".into()),
            Int16 | Int32 => FieldValue::Json(b"0".into()),
            Date => FieldValue::Text("0001-01-01T00:00:00".into()),
            _ => FieldValue::Null,
        }
    }
}

/// .NET's "D" form only: 8-4-4-4-12 hexadecimal digits; in lower case.
fn guid(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let digits = [0..8, 9..13, 14..18, 19..23, 24..36];
    let valid = [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-')
        && digits
            .into_iter()
            .all(|group| bytes[group].iter().all(u8::is_ascii_hexdigit));
    let is_lower = !bytes.iter().any(u8::is_ascii_uppercase);
    valid.then(|| match is_lower {
        true => text,
        false => text.to_ascii_lowercase().into(),
    })
}

/// A whole number in plain digits; `1.0` and `1e0` are refused, `-0` is 0.
fn integer<T: std::str::FromStr>(text: &str) -> Option<Cow<'_, [u8]>> {
    text.parse::<T>().ok()?;
    let text = if text == "-0" { "0" } else { text };
    Some(text.as_bytes().into())
}
