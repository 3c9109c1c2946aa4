//! Which settings each application has: JSON Schemas, and a document's violations of them.

mod facets;
pub mod interview;
pub mod question;

use crate::appsettings::SettingsFile;
use crate::appsettings::document::Position;
use crate::appsettings::key_path::{KeyPath, same};
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An application whose settings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Application {
    pub name: &'static str,
    source: &'static str,
}

const fn application(name: &'static str, source: &'static str) -> Application {
    Application { name, source }
}

/// Every application whose settings are known; the hub first.
pub const APPLICATIONS: [Application; 6] = [
    application(
        "Harmony.SignalR",
        include_str!("../schemas/Harmony.SignalR.json"),
    ),
    application(
        "Harmony.Client",
        include_str!("../schemas/Harmony.Client.json"),
    ),
    application("Harmony.Api", include_str!("../schemas/Harmony.Api.json")),
    application(
        "Harmony.Automations",
        include_str!("../schemas/Harmony.Automations.json"),
    ),
    application(
        "Harmony.Notifications",
        include_str!("../schemas/Harmony.Notifications.json"),
    ),
    application(
        "Harmony.Integrations.SourceControl",
        include_str!("../schemas/Harmony.Integrations.SourceControl.json"),
    ),
];

/// The parts that several schemas refer to.
const SHARED: [(&str, &str); 7] = [
    (
        "shared/AllowedHosts.json",
        include_str!("../schemas/shared/AllowedHosts.json"),
    ),
    (
        "shared/BrokerConfiguration.json",
        include_str!("../schemas/shared/BrokerConfiguration.json"),
    ),
    (
        "shared/CacheProvider.json",
        include_str!("../schemas/shared/CacheProvider.json"),
    ),
    (
        "shared/CacheRedis.json",
        include_str!("../schemas/shared/CacheRedis.json"),
    ),
    (
        "shared/ElasticConfiguration.json",
        include_str!("../schemas/shared/ElasticConfiguration.json"),
    ),
    (
        "shared/Logging.json",
        include_str!("../schemas/shared/Logging.json"),
    ),
    (
        "shared/Serilog.json",
        include_str!("../schemas/shared/Serilog.json"),
    ),
];

impl Application {
    /// The application of a name, in any case.
    pub fn named(name: &str) -> Option<&'static Application> {
        APPLICATIONS.iter().find(|known| same(known.name, name))
    }

    /// The application that a settings file belongs to, by the folder that it is in.
    fn of(path: &Path) -> Option<&'static Application> {
        let named = path.components().rev().find_map(|part| {
            APPLICATIONS
                .iter()
                .find(|application| part.as_os_str() == application.name)
        });
        // A publish folder may have any name; what starts there tells.
        named.or_else(|| {
            APPLICATIONS
                .iter()
                .find(|known| path.with_file_name(format!("{}.dll", known.name)).exists())
        })
    }

    /// Its schema, whole: shared parts stand where they are referred to.
    pub fn schema(&self) -> Value {
        let mut schema = parse(self.source);
        for property in schema["properties"]
            .as_object_mut()
            .into_iter()
            .flatten()
            .map(|(_, property)| property)
        {
            let shared = property["$ref"]
                .as_str()
                .and_then(|name| SHARED.iter().find(|(known, _)| *known == name));
            if let Some((_, source)) = shared {
                *property = parse(source);
            }
        }
        schema
    }
}

/// A schema of ours; that each is one, a test shows.
fn parse(source: &str) -> Value {
    serde_json::from_str(source).unwrap_or_default()
}

/// Whether a key's value must not be shown: its schema says so, or its name.
pub fn is_secret(schema: &Value, key: &str) -> bool {
    let said = property(schema, key).is_some_and(|property| property["writeOnly"] == true);
    let name = key
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    said || ["password", "secret", "token", "apikey", "connectionstring"]
        .iter()
        .any(|word| name.contains(word))
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

/// A value that its application could not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub key: String,
    /// `error`, or `warning` for what is legal and probably a mistake.
    pub severity: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// Settings that their application could not use; all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Violations(pub Vec<Violation>);

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Violation {
            file,
            line,
            column,
            key,
            severity,
            message,
            suggestion,
        } = self;
        let severity = if *severity == "error" {
            ""
        } else {
            "warning: "
        };
        write!(
            formatter,
            "{}:{line}:{column}: {severity}{key}: {message}",
            file.display()
        )?;
        suggestion.as_ref().map_or(Ok(()), |suggestion| {
            write!(formatter, "; did you mean {suggestion}?")
        })
    }
}

/// Checks a file against its application's schema; warnings do not count.
pub fn check(file: &SettingsFile) -> Result<(), Violations> {
    let Some(application) = Application::of(&file.path) else {
        return Ok(());
    };
    let violations = violations(&application.schema(), file);
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Violations(violations))
    }
}

/// Everything that can be said against a file, in its order.
pub fn all_violations(file: &SettingsFile) -> Vec<Violation> {
    let Some(application) = Application::of(&file.path) else {
        return Vec::new();
    };
    let schema = application.schema();
    let mut all = violations(&schema, file);
    all.extend(misspelt(&schema, file));
    all.sort_by_key(|violation| (violation.line, violation.column));
    all
}

/// The schema of answers files.
pub fn answers() -> Value {
    parse(include_str!("../schemas/answers.json"))
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
    all.extend(violations(&schema, file));
    all.sort_by_key(|violation| (violation.line, violation.column));
    all
}

/// The schema of the application that a file belongs to; null where it belongs to none.
pub fn schema_of(path: &Path) -> Value {
    Application::of(path)
        .map(Application::schema)
        .unwrap_or_default()
}

/// Keys that nobody knows and that are nearly ones that are known; other unknown keys are nobody's business.
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

/// The known key that differs in one name by a letter or two.
fn nearest(schema: &Value, key: &str) -> Option<String> {
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

/// What a schema objects to in a file.
pub fn violations(schema: &Value, file: &SettingsFile) -> Vec<Violation> {
    let Ok(validator) = jsonschema::options().build(schema) else {
        return Vec::new();
    };
    let known = |name: &str| {
        schema["properties"]
            .as_object()
            .is_some_and(|all| all.keys().any(|key| same(key, name)))
    };
    let mut document = file.document.to_json_of(known);
    spell_as(schema, &mut document);
    let mut violations: Vec<_> = validator
        .iter_errors(&document)
        .map(|error| {
            let key = error
                .instance_path()
                .as_str()
                .trim_start_matches('/')
                .replace('/', ":");
            let Position { line, column } = file
                .document
                .position(&KeyPath::new(&key))
                .unwrap_or(Position { line: 1, column: 1 });
            let message = message(schema, &key, error.instance());
            Violation {
                file: file.path.clone(),
                line,
                column,
                key,
                severity: "error",
                message,
                suggestion: None,
            }
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
    let found = if secret {
        "a value".to_owned()
    } else {
        found.to_string()
    };
    let allowed = property
        .and_then(|property| property["x-allowed"].as_str())
        .unwrap_or("something else");
    format!("{found} was found where {allowed} is expected")
}

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
            None => place
                .get("additionalProperties")
                .filter(|other| other.is_object() || **other == Value::Bool(true))?,
        };
    }
    Some(place)
}

/// Spells a document's keys as the schema does: .NET matches them without regard to case.
fn spell_as(schema: &Value, document: &mut Value) {
    let (Some(known), Value::Object(members)) = (schema["properties"].as_object(), document) else {
        return;
    };
    *members = std::mem::take(members)
        .into_iter()
        .map(
            |(name, mut value)| match known.iter().find(|(known, _)| same(known, &name)) {
                Some((known, schema)) => {
                    spell_as(schema, &mut value);
                    (known.clone(), value)
                }
                None => (name, value),
            },
        )
        .collect();
}
