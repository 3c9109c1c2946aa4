//! Settings that answers files hold beside the answers: by application and key.

use crate::appsettings::document::NewValue;
use crate::provision::request::SettingChange;
use crate::schema::{self, Application};
use serde_json::Value;
use std::collections::BTreeMap;

/// Values by application and key; null removes a key.
pub type EditedSettings = BTreeMap<String, BTreeMap<String, Value>>;

/// Edited settings, one by one; values that no settings file holds are left out.
pub fn changes(settings: &EditedSettings) -> Vec<SettingChange> {
    let change = |application: &str, (key, value): (&String, &Value)| {
        let value = match value {
            Value::Null => None,
            Value::Bool(value) => Some(NewValue::Boolean(*value)),
            Value::String(text) => Some(NewValue::Text(text.clone())),
            Value::Number(number) => Some(NewValue::of_number(number, &number.to_string())),
            Value::Array(_) | Value::Object(_) => return None,
        };
        Some(SettingChange {
            application: application.to_owned(),
            key: key.clone(),
            value,
        })
    };
    settings
        .iter()
        .flat_map(|(application, edits)| {
            edits
                .iter()
                .filter_map(move |edit| change(application, edit))
        })
        .collect()
}

/// Takes out the values that must not be written down; their keys, with the application's.
pub fn take_secrets(settings: &mut EditedSettings) -> Vec<String> {
    let mut taken = Vec::new();
    for (application, edits) in settings.iter_mut() {
        let schema = Application::named(application).map(Application::schema);
        let schema = schema.unwrap_or_default();
        edits.retain(|key, value| {
            let is_secret = is_secret(&schema, key, value);
            if is_secret {
                taken.push(format!("{key} of {application}"));
            }
            !is_secret
        });
    }
    settings.retain(|_, edits| !edits.is_empty());
    taken
}

fn is_secret(schema: &Value, key: &str, value: &Value) -> bool {
    let is_below = |name: &str, value| is_secret(schema, &format!("{key}:{name}"), value);
    match value {
        // A removed key has no value.
        Value::Null => false,
        Value::String(text) => schema::masked(schema, key, text).is_some(),
        Value::Object(items) => items.iter().any(|(name, value)| is_below(name, value)),
        Value::Array(items) => (0..)
            .zip(items)
            .any(|(place, value): (usize, _)| is_below(&place.to_string(), value)),
        other => schema::masked(schema, key, &other.to_string()).is_some(),
    }
}
