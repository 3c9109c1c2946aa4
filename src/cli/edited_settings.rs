//! Settings that answers files hold beside the answers: by application and key.

use crate::appsettings::document::NewValue;
use crate::provision::request::SettingChange;
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
            Value::Number(number) => Some(match number.as_i64() {
                Some(number) => NewValue::Integer(number),
                None => NewValue::Text(number.to_string()),
            }),
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
