//! A notification's body from a type and a few fields, complete as Harmony.Api would write it.

use super::notification::{NOTIFICATIONS, Notification};
use super::shape::{FieldShape, FieldType};
use serde_json::{Map, Value, json};

/// Why a body can't be composed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    #[error("there is no notification '{name}'{}", suggestion(.near))]
    Type {
        name: String,
        near: Option<&'static str>,
    },
    #[error("{notification} has no field '{field}'; it has {known}")]
    Field {
        notification: &'static str,
        field: String,
        known: String,
    },
    #[error("'{value}' is not {expected}, which {field} is")]
    Value {
        field: String,
        value: String,
        expected: &'static str,
    },
}

fn suggestion(near: &Option<&'static str>) -> String {
    near.map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default()
}

/// The notification of a name.
pub fn notification(name: &str) -> Result<&'static Notification, ComposeError> {
    NOTIFICATIONS
        .iter()
        .find(|known| known.name == name)
        .ok_or_else(|| {
            let distances = NOTIFICATIONS
                .iter()
                .map(|known| (strsim::damerau_levenshtein(known.name, name), known.name));
            let near = distances
                .min()
                .filter(|(distance, _)| *distance <= 6)
                .map(|(_, near)| near);
            ComposeError::Type {
                name: name.to_owned(),
                near,
            }
        })
}

/// The body, each field at its default but those given as `Name=Value`; `Card.Title` reaches into
/// objects.
pub fn body(
    notification: &Notification,
    board: Option<&str>,
    given: &[(String, String)],
) -> Result<Vec<u8>, ComposeError> {
    let mut body = defaults(notification.body());
    if let Some(board) = board {
        for name in ["BoardId", "SourceCardBoard.Id"] {
            // Which of the two a notification has, its table says.
            if field(notification.body(), name).is_some() {
                set(notification, &mut body, name, board)?;
            }
        }
    }
    for (name, value) in given {
        set(notification, &mut body, name, value)?;
    }
    Ok(Value::Object(body).to_string().into_bytes())
}

fn set(
    notification: &Notification,
    body: &mut Map<String, Value>,
    name: &str,
    value: &str,
) -> Result<(), ComposeError> {
    let unknown = || ComposeError::Field {
        notification: notification.name,
        field: name.to_owned(),
        known: notification
            .body()
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let (kind, names) = field(notification.body(), name).ok_or_else(unknown)?;
    let value = typed(kind, value).ok_or_else(|| ComposeError::Value {
        field: name.to_owned(),
        value: value.to_owned(),
        expected: expected(kind),
    })?;
    let mut fields = notification.body();
    let mut place = body;
    let (last, path) = names.split_last().ok_or_else(unknown)?;
    for name in path {
        let Some((_, FieldType::ObjectOf(inner))) = fields.iter().find(|(known, _)| known == name)
        else {
            return Err(unknown());
        };
        fields = inner;
        let object = place.entry(*name).or_insert(Value::Null);
        if object.is_null() {
            *object = Value::Object(defaults(inner));
        }
        place = object.as_object_mut().ok_or_else(unknown)?;
    }
    place.insert((*last).to_owned(), value);
    Ok(())
}

/// A field's kind and the names on the way to it.
fn field(fields: &'static [FieldShape], path: &str) -> Option<(FieldType, Vec<&'static str>)> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (name, kind) = fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(first))?;
    match (rest, kind) {
        (None, kind) => Some((*kind, vec![name])),
        (Some(rest), FieldType::ObjectOf(inner)) => {
            let (kind, mut names) = field(inner, rest)?;
            names.insert(0, name);
            Some((kind, names))
        }
        (Some(_), _) => None,
    }
}

fn defaults(fields: &'static [FieldShape]) -> Map<String, Value> {
    let default = |kind: &FieldType| match kind {
        FieldType::Guid => json!("00000000-0000-0000-0000-000000000000"),
        FieldType::Boolean => json!(false),
        FieldType::Int16 | FieldType::Int32 => json!(0),
        FieldType::Date => json!("0001-01-01T00:00:00"),
        _ => Value::Null,
    };
    fields
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), default(kind)))
        .collect()
}

/// Typed text as a field's value; what is not text is given as JSON.
fn typed(kind: FieldType, text: &str) -> Option<Value> {
    match kind {
        FieldType::Text
        | FieldType::Guid
        | FieldType::OptionalGuid
        | FieldType::Date
        | FieldType::OptionalDate => Some(json!(text)),
        _ => serde_json::from_str(text).ok(),
    }
}

fn expected(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Boolean | FieldType::OptionalBoolean => "true or false",
        FieldType::Int16
        | FieldType::OptionalInt16
        | FieldType::Int32
        | FieldType::OptionalInt32 => "a whole number",
        _ => "JSON",
    }
}
