//! What a schema says about one property, wherever it says it: in parts, choices or references.

use super::question::{AnswerKind, OfferedValue, OtherValues};
use crate::appsettings::document::NewValue;
use serde_json::Value;

/// A schema and what it is combined from: references followed, `allOf`, `anyOf` and `oneOf` spread.
pub struct Facets<'s>(pub Vec<&'s Value>);

/// Deeper references are a circle.
const DEPTH: usize = 16;

impl<'s> Facets<'s> {
    pub fn of(root: &'s Value, schema: &'s Value) -> Self {
        let mut facets = Vec::new();
        spread(root, schema, DEPTH, &mut facets);
        Facets(facets)
    }

    pub fn first<T>(&self, wanted: impl Fn(&'s Value) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|facet| wanted(facet))
    }

    pub fn text(&self, word: &str) -> Option<String> {
        self.first(|facet| facet[word].as_str()).map(str::to_owned)
    }

    pub fn types(&self) -> Vec<&'s str> {
        let named = |facet: &&'s Value| match &facet["type"] {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut types: Vec<_> = self.0.iter().flat_map(named).collect();
        types.retain(|name| *name != "null");
        types
    }

    pub fn kind(&self) -> AnswerKind {
        // Readers may take several types; the first is the one to write.
        let asked = self.types().first().copied();
        let choices = self.choices();
        let is_boolean = |choice: &OfferedValue| matches!(choice.value, NewValue::Boolean(_));
        if asked == Some("boolean") || (!choices.is_empty() && choices.iter().all(is_boolean)) {
            AnswerKind::YesNo
        } else if !choices.is_empty() {
            AnswerKind::Choice {
                choices,
                others: self.others(),
            }
        } else if asked == Some("integer") {
            self.integer()
        } else if asked == Some("number") {
            AnswerKind::Number
        } else if self.text("format").is_some_and(|format| format == "uri") {
            AnswerKind::Uri
        } else {
            AnswerKind::Text
        }
    }

    fn integer(&self) -> AnswerKind {
        let bound = |word: &str| self.first(|facet| facet[word].as_i64());
        let above = bound("exclusiveMinimum").map(|number| number.saturating_add(1));
        let below = bound("exclusiveMaximum").map(|number| number.saturating_sub(1));
        AnswerKind::Integer {
            minimum: bound("minimum").or(above),
            maximum: bound("maximum").or(below),
        }
    }

    /// The values that the schema names; one spelling of each, null left out.
    fn choices(&self) -> Vec<OfferedValue> {
        let mut choices: Vec<OfferedValue> = Vec::new();
        for facet in &self.0 {
            let named = facet["enum"].as_array().into_iter().flatten();
            for value in named.chain(facet.get("const")) {
                let Some(choice) = choice(value, facet) else {
                    continue;
                };
                let text = choice.value.as_read();
                let known =
                    |other: &OfferedValue| other.value.as_read().eq_ignore_ascii_case(&text);
                if !choices.iter().any(known) {
                    choices.push(choice);
                }
            }
        }
        choices
    }

    /// Whether a part of the schema takes values that are not named: a pattern, a format, a type.
    fn others(&self) -> OtherValues {
        let names = |facet: &Value| facet.get("enum").is_some() || facet.get("const").is_some();
        let combines = |facet: &Value| {
            ["anyOf", "oneOf"]
                .iter()
                .any(|word| facet.get(word).is_some())
        };
        let is_null = |facet: &Value| facet["type"] == "null";
        // Names beside the keywords that combine bind every part.
        let bound = self.0.first().is_some_and(|facet| names(facet));
        let open = self
            .0
            .iter()
            .any(|facet| !names(facet) && !combines(facet) && !is_null(facet));
        if open && !bound {
            OtherValues::Allowed
        } else {
            OtherValues::Refused
        }
    }
}

fn spread<'s>(root: &'s Value, schema: &'s Value, depth: usize, facets: &mut Vec<&'s Value>) {
    facets.push(schema);
    if depth == 0 {
        return;
    }
    let pointer = schema["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
    if let Some(target) = pointer.and_then(|pointer| root.pointer(pointer)) {
        spread(root, target, depth - 1, facets);
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        for part in schema[word].as_array().into_iter().flatten() {
            spread(root, part, depth - 1, facets);
        }
    }
}

fn choice(value: &Value, facet: &Value) -> Option<OfferedValue> {
    let value = match value {
        Value::Bool(value) => NewValue::Boolean(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => NewValue::Boolean(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => NewValue::Boolean(false),
        Value::String(text) => NewValue::Text(text.clone()),
        Value::Number(number) => NewValue::of_number(number, &number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    // A title stands beside a single value; beside several it is the property's.
    let title = facet.get("const").and_then(|_| facet["title"].as_str());
    let text = value.as_read();
    let label = title.map_or_else(|| text.clone(), |title| format!("{text}: {title}"));
    Some(OfferedValue { label, value })
}

/// A value as text; `None` for sections, lists and null.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(NewValue::Boolean(*value).as_read()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
