//! Checks settings and answers files against their schemas.

use super::application::{Application, answers};
use super::formats;
use super::lookup::{nearest, property};
use super::secrets::masked;
use super::violation::{Violation, Violations};
use crate::appsettings::SettingsFile;
use crate::appsettings::document::{Document, Position};
use crate::appsettings::key_path::{KeyPath, same};
use crate::connection_string::redis;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;

/// How many violations of a document are told: the place of each is looked for in its text.
const VIOLATIONS: usize = 1000;

/// Checks what an edit does to a file: a violation that was there before is no reason to refuse it.
pub fn check(file: &SettingsFile) -> Result<(), Violations> {
    let Some(application) = Application::of(&file.path).filter(|_| file.is_changed()) else {
        return Ok(());
    };
    let schema = application.schema();
    let is_edited = |section: &str| file.is_new() || file.document.is_edited(section);
    let mut violations = violations_in(&schema, &file.path, &file.document, is_edited);
    if violations.is_empty() {
        return Ok(());
    }
    if let Some(original) = file.original() {
        let before = violations_in(&schema, &file.path, &original, is_edited);
        let told = |violation: &Violation| (violation.key.clone(), violation.message.clone());
        let before: HashSet<_> = before.iter().map(told).collect();
        violations.retain(|violation| !before.contains(&told(violation)));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Violations(violations))
    }
}

/// Checks files whole: a violation that was there before counts too.
pub fn check_whole(files: &[SettingsFile]) -> Result<(), Violations> {
    let mut violations: Vec<_> = files.iter().flat_map(all_violations).collect();
    violations.retain(|violation| violation.severity == "error");
    if violations.is_empty() {
        return Ok(());
    }
    Err(Violations(violations))
}

/// Everything that can be said against a file, in its order.
pub fn all_violations(file: &SettingsFile) -> Vec<Violation> {
    let Some(application) = Application::of(&file.path) else {
        return Vec::new();
    };
    let schema = application.schema();
    let mut all = violations(&schema, &file.path, &file.document);
    all.extend(misspelt(&schema, file));
    all.extend(variables_spelling(file));
    all.extend(newer_keywords(&schema, file));
    all.sort_by_key(|violation| (violation.line, violation.column));
    all
}

/// What can be said against an answers file; other than in settings, every key must be known.
pub fn answers_violations(file: &SettingsFile) -> Vec<Violation> {
    let schema = answers();
    let unknown = file
        .document
        .entries()
        .into_iter()
        .filter(|entry| property(&schema, &entry.key).is_none());
    let mut all: Vec<_> = unknown
        .map(|entry| {
            let Position { line, column } = entry.at;
            let (message, suggestion) = (
                "no such answer is known".to_owned(),
                nearest(&schema, &entry.key),
            );
            Violation {
                file: file.path.clone(),
                line,
                column,
                key: entry.key,
                severity: "error",
                message,
                suggestion,
            }
        })
        .collect();
    all.extend(violations(&schema, &file.path, &file.document));
    all.sort_by_key(|violation| (violation.line, violation.column));
    all
}

/// Keys that nobody knows and that are nearly ones that are known; other unknown keys are nobody's
/// business.
fn misspelt(schema: &Value, file: &SettingsFile) -> Vec<Violation> {
    let unknown = file
        .document
        .entries()
        .into_iter()
        .filter(|entry| property(schema, &entry.key).is_none());
    unknown
        .filter_map(|entry| {
            let suggestion = nearest(schema, &entry.key)?;
            let Position { line, column } = entry.at;
            let message = "no such setting is known".to_owned();
            Some(Violation {
                file: file.path.clone(),
                line,
                column,
                key: entry.key,
                severity: "warning",
                message,
                suggestion: Some(suggestion),
            })
        })
        .collect()
}

/// Keys that are spelt like the names of variables: in a file `__` separates nothing.
fn variables_spelling(file: &SettingsFile) -> Vec<Violation> {
    let entries = file.document.entries().into_iter();
    entries
        .filter(|entry| entry.key.contains("__"))
        .map(|entry| Violation {
            file: file.path.clone(),
            line: entry.at.line,
            column: entry.at.column,
            suggestion: Some(entry.key.replace("__", ":")),
            key: entry.key,
            severity: "warning",
            message: "'__' separates names in variables only; in a file ':' does".to_owned(),
        })
        .collect()
}

/// Keywords in connection strings that only newer versions of their reader know.
fn newer_keywords(schema: &Value, file: &SettingsFile) -> Vec<Violation> {
    let entries = file.document.entries().into_iter();
    let warnings = entries.flat_map(|entry| {
        let is_redis = property(schema, &entry.key)
            .is_some_and(|property| property["format"] == formats::REDIS);
        let value = entry.value.as_deref().filter(|_| is_redis);
        let messages = value.map(redis::newer_keywords).unwrap_or_default();
        messages.into_iter().map(move |message| Violation {
            file: file.path.clone(),
            line: entry.at.line,
            column: entry.at.column,
            key: entry.key.clone(),
            severity: "warning",
            message,
            suggestion: None,
        })
    });
    warnings.collect()
}

/// What a schema objects to in a document.
pub fn violations(schema: &Value, path: &Path, document: &Document) -> Vec<Violation> {
    violations_in(schema, path, document, |_| true)
}

/// The same in some of its sections.
fn violations_in(
    schema: &Value,
    path: &Path,
    document: &Document,
    is_concerned: impl Fn(&str) -> bool,
) -> Vec<Violation> {
    let known = |name: &str| {
        schema["properties"]
            .as_object()
            .is_some_and(|all| all.keys().any(|key| same(key, name)))
    };
    let mut json = document.to_json_of(known);
    spell_as(schema, &mut json);
    let is_needed = |section: &str| is_concerned(section) && json.get(section).is_some();
    let Ok(validator) = formats::validator(&only(schema, is_needed)) else {
        return Vec::new();
    };
    let mut violations: Vec<_> = validator
        .iter_errors(&json)
        .take(VIOLATIONS)
        .map(|error| {
            let key = decoded(error.instance_path().as_str());
            let Position { line, column } = document
                .position(&KeyPath::new(&key))
                .unwrap_or(Position { line: 1, column: 1 });
            Violation {
                file: path.to_owned(),
                line,
                column,
                message: message(schema, &key, error.instance()),
                key,
                severity: "error",
                suggestion: None,
            }
        })
        .collect();
    // Two keywords may object to one value; it is told once.
    violations.dedup_by(|left, right| left.key == right.key);
    violations
}

/// A schema without the sections that need no check: to compile them would take longer than all
/// else that an edit does.
fn only(schema: &Value, is_needed: impl Fn(&str) -> bool) -> Value {
    let mut schema = schema.clone();
    if let Some(sections) = schema["properties"].as_object_mut() {
        sections.retain(|name, _| is_needed(name));
    }
    schema
}

/// A JSON pointer as a key.
fn decoded(pointer: &str) -> String {
    let names = pointer.trim_start_matches('/').split('/');
    let names = names.map(|name| name.replace("~1", "/").replace("~0", "~"));
    names.collect::<Vec<_>>().join(":")
}

/// What was found and what is allowed, from the schema's own words or its parser's; never a
/// secret's value.
fn message(schema: &Value, key: &str, found: &Value) -> String {
    let property = property(schema, key).unwrap_or(&Value::Null);
    if let Some(why) = formats::explain(property, found) {
        return why;
    }
    let text = found
        .as_str()
        .map_or_else(|| found.to_string(), str::to_owned);
    let found = match masked(schema, key, &text) {
        Some(_) => "a value".to_owned(),
        None => found.to_string(),
    };
    let allowed = property["x-allowed"].as_str().unwrap_or("something else");
    format!("{found} was found where {allowed} is expected")
}

/// Spells a document's keys as the schema does: .NET matches them without regard to case, and takes
/// a name with a colon for several.
fn spell_as(schema: &Value, document: &mut Value) {
    let Value::Object(members) = document else {
        return;
    };
    let mut spelt = serde_json::Map::new();
    for (name, value) in std::mem::take(members) {
        let (name, value) = match name.split_once(':') {
            Some((first, rest)) => (first.to_owned(), serde_json::json!({ rest: value })),
            None => (name, value),
        };
        let known = schema["properties"].as_object().into_iter().flatten();
        let known = known
            .map(|(known, _)| known)
            .find(|known| same(known, &name));
        merge(&mut spelt, known.cloned().unwrap_or(name), value);
    }
    for (name, value) in &mut spelt {
        if let Some(below) = property(schema, name) {
            spell_as(below, value);
        }
    }
    *members = spelt;
}

/// Adds a member; sections that stand in several pieces become one.
fn merge(members: &mut serde_json::Map<String, Value>, name: String, value: Value) {
    match (members.get_mut(&name), value) {
        (Some(Value::Object(present)), Value::Object(more)) => {
            for (name, value) in more {
                merge(present, name, value);
            }
        }
        (_, value) => drop(members.insert(name, value)),
    }
}
