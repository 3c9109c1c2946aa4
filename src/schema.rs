//! Which settings each application has: JSON Schemas, and a document's violations of them.

use crate::appsettings::SettingsFile;
use crate::appsettings::document::Position;
use crate::appsettings::key_path::{KeyPath, same};
use jsonschema::Validator;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An application whose settings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Application {
    pub name: &'static str,
    pub schema: &'static str,
}

pub const APPLICATIONS: [Application; 2] = [
    Application { name: "Harmony.SignalR", schema: include_str!("../schemas/Harmony.SignalR.json") },
    Application { name: "Harmony.Client", schema: include_str!("../schemas/Harmony.Client.json") },
];

/// A value that its application could not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub key: String,
    pub message: String,
}

/// Settings that their application could not use; all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Violations(pub Vec<Violation>);

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}:{}: {}: {}", self.file.display(), self.line, self.column, self.key, self.message)
    }
}

/// The application that a settings file belongs to, by the folder that it is in.
fn application(path: &Path) -> Option<&'static Application> {
    let is_in = |name: &str| path.components().any(|part| part.as_os_str() == name);
    APPLICATIONS.iter().find(|application| is_in(application.name)).or_else(|| {
        // A publish folder has no such name; what starts there is the hub.
        path.parent().filter(|folder| folder.join("Harmony.SignalR.dll").exists()).map(|_| &APPLICATIONS[0])
    })
}

/// Checks a file against its application's schema.
pub fn check(file: &SettingsFile) -> Result<(), Violations> {
    let Some(application) = application(&file.path) else { return Ok(()) };
    let Ok(schema) = serde_json::from_str::<Value>(application.schema) else { return Ok(()) };
    let Ok(validator) = jsonschema::options().build(&schema) else { return Ok(()) };
    let violations = violations(&validator, &schema, file);
    if violations.is_empty() { Ok(()) } else { Err(Violations(violations)) }
}

fn violations(validator: &Validator, schema: &Value, file: &SettingsFile) -> Vec<Violation> {
    let mut document = file.document.to_json();
    spell_as(schema, &mut document);
    let mut violations: Vec<_> = validator
        .iter_errors(&document)
        .map(|error| {
            let key = error.instance_path().as_str().trim_start_matches('/').replace('/', ":");
            let Position { line, column } = file.document.position(&KeyPath::new(&key)).unwrap_or(Position { line: 1, column: 1 });
            let message = message(schema, &key, error.instance());
            Violation { file: file.path.clone(), line, column, key, message }
        })
        .collect();
    // Two keywords may object to one value; it is told once.
    violations.dedup_by(|left, right| left.key == right.key);
    violations
}

/// What was found and what is allowed, from the schema's own words; never a secret's value.
fn message(schema: &Value, key: &str, found: &Value) -> String {
    let property = property(schema, key);
    let secret = property.is_some_and(|property| property["writeOnly"] == true);
    let found = if secret { "a value".to_owned() } else { found.to_string() };
    let allowed = property.and_then(|property| property["x-allowed"].as_str()).unwrap_or("something else");
    format!("{found} was found where {allowed} is expected")
}

/// The schema of a key.
pub fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let mut place = schema;
    for name in key.split(':') {
        let named = place["properties"].as_object().and_then(|all| all.iter().find(|(known, _)| same(known, name)));
        place = match named {
            Some((_, property)) => property,
            None => place.get("additionalProperties").filter(|other| other.is_object())?,
        };
    }
    Some(place)
}

/// Spells a document's keys as the schema does: .NET matches them without regard to case.
fn spell_as(schema: &Value, document: &mut Value) {
    let (Some(known), Value::Object(members)) = (schema["properties"].as_object(), document) else { return };
    *members = std::mem::take(members)
        .into_iter()
        .map(|(name, mut value)| match known.iter().find(|(known, _)| same(known, &name)) {
            Some((known, schema)) => {
                spell_as(schema, &mut value);
                (known.clone(), value)
            }
            None => (name, value),
        })
        .collect();
}
