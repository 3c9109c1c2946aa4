//! What a schema says of one key.

use crate::appsettings::key_path::same;
use serde_json::Value;

/// The schema of a key.
pub fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let mut place = schema;
    for name in key.split(':') {
        // Anything goes below.
        if *place == Value::Bool(true) {
            return Some(place);
        }
        let named = place["properties"]
            .as_object()
            .and_then(|all| all.iter().find(|(known, _)| same(known, name)));
        place = match named {
            Some((_, property)) => property,
            None => others(place)?,
        };
    }
    Some(place)
}

/// The schema of names that are not listed.
fn others(place: &Value) -> Option<&Value> {
    let patterns = place["patternProperties"].as_object();
    let pattern = patterns.and_then(|patterns| patterns.values().next());
    place
        .get("additionalProperties")
        .filter(|other| other.is_object() || **other == Value::Bool(true))
        .or(pattern)
}

/// What a value is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Text,
    Number,
    Boolean,
}

/// The type that a key's schema asks for first; `None` where nothing is known.
pub fn value_type(schema: &Value, key: &str) -> Option<ValueType> {
    first_type(property(schema, key)?)
}

fn first_type(property: &Value) -> Option<ValueType> {
    let named = match &property["type"] {
        Value::Array(types) => types.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    match (named, property["enum"][0].clone()) {
        (Some("string"), _) | (None, Value::String(_)) => Some(ValueType::Text),
        (Some("integer" | "number"), _) | (None, Value::Number(_)) => Some(ValueType::Number),
        (Some("boolean"), _) | (None, Value::Bool(_)) => Some(ValueType::Boolean),
        _ => property["anyOf"].as_array()?.iter().find_map(first_type),
    }
}

/// The keys that have a default in a schema, with its text as .NET would read it.
pub fn defaults(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        match &property["default"] {
            Value::String(text) => found.push((name.clone(), text.clone())),
            Value::Bool(value) => found.push((
                name.clone(),
                if *value {
                    "True".into()
                } else {
                    "False".into()
                },
            )),
            Value::Number(number) => found.push((name.clone(), number.to_string())),
            _ => found.extend(
                defaults(property)
                    .into_iter()
                    .map(|(below, text)| (format!("{name}:{below}"), text)),
            ),
        }
    }
    found
}

/// The known key that differs in one name by a letter or two.
pub fn nearest(schema: &Value, key: &str) -> Option<String> {
    let mut place = schema;
    let mut spelt = Vec::new();
    for name in key.split(':') {
        let known = place["properties"].as_object()?;
        let distance =
            |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase());
        let (best, property) = known.iter().min_by_key(|(known, _)| distance(known))?;
        if distance(best) > best.len() / 5 + 1 {
            return None;
        }
        spelt.push(best.clone());
        place = property;
    }
    Some(spelt.join(":"))
}
