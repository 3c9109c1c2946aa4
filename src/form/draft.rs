//! Settings while a form edits them: read with the layer that wins, checked by their schema when
//! set.

use crate::appsettings::SettingsFile;
use crate::appsettings::document::NewValue;
use crate::appsettings::key_path::{KeyPath, same};
use crate::appsettings::layers::{Layers, Setting, Source};
use crate::schema;
use serde_json::Value;

/// One application's settings, as a form reads and edits them.
pub trait Draft {
    /// The application's name.
    fn application(&self) -> &str;
    fn schema(&self) -> &Value;
    /// The value in force and where it comes from; `None` where no layer has the key.
    fn in_force(&self, key: &str) -> Option<ValueInForce>;
    /// The names directly below a key.
    fn names_below(&self, key: &str) -> Vec<String>;
    /// Sets a key, or says why it cannot have the value.
    fn set(&mut self, key: &str, value: &NewValue) -> Result<(), String>;
    /// Removes a key from what is edited.
    fn unset(&mut self, key: &str) -> Result<(), String>;
    /// The keys that were edited.
    fn edited(&self) -> &[String];
}

/// A value with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueInForce {
    /// As .NET reads it; empty where the key is hidden by null.
    pub value: String,
    pub origin: String,
}

impl ValueInForce {
    /// A layer's setting.
    pub fn of(setting: &Setting) -> Self {
        ValueInForce {
            value: setting.value.clone().unwrap_or_default(),
            origin: short(&setting.source),
        }
    }

    /// What is in a draft and in no file yet.
    pub fn edited(value: Option<&str>) -> Self {
        ValueInForce {
            value: value.unwrap_or_default().to_owned(),
            origin: "edited".to_owned(),
        }
    }
}

/// A value as JSON has it.
pub fn json_of(value: &NewValue) -> Value {
    match value {
        NewValue::Text(text) | NewValue::Quoted(text) => Value::String(text.clone()),
        NewValue::Integer(number) => Value::from(*number),
        NewValue::Boolean(value) => Value::Bool(*value),
        NewValue::Number(number) => serde_json::from_str(number).unwrap_or(Value::Null),
    }
}

/// A source in few letters: the folder of a file is known, and so is how most names begin.
fn short(source: &Source) -> String {
    let Source::File { file, line } = source else {
        return source.to_string();
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match name.strip_prefix("appsettings.") {
        Some(environment) if environment != "json" => format!("{environment}:{line}"),
        _ => format!("{name}:{line}"),
    }
}

/// One file that is edited, below and above the other layers that count.
#[derive(Debug)]
pub struct FileDraft {
    application: String,
    schema: Value,
    layers: Layers,
    file: SettingsFile,
    edited: Vec<String>,
}

impl FileDraft {
    /// `layers` as the application reads them, the file as it is among them.
    pub fn new(application: &str, schema: Value, layers: Layers, file: SettingsFile) -> Self {
        FileDraft {
            application: application.to_owned(),
            schema,
            layers,
            file,
            edited: Vec::new(),
        }
    }

    pub fn file(&self) -> &SettingsFile {
        &self.file
    }

    /// The layer that still wins over an edited key.
    pub fn winner_above(&self, key: &str) -> Option<&Source> {
        let own = rank(&Source::File {
            file: self.file.path.clone(),
            line: 0,
        });
        let winner = &self.layers.setting(key)?.source;
        (rank(winner) > own).then_some(winner)
    }

    fn replace(&mut self, key: &str, file: SettingsFile) {
        self.file = file;
        if !self.edited.iter().any(|known| same(known, key)) {
            self.edited.push(key.to_owned());
        }
    }
}

/// A layer's place, the lowest first.
fn rank(source: &Source) -> u8 {
    match source {
        Source::Default => 0,
        Source::Host { .. } => 1,
        Source::File { file, .. } if file.ends_with("appsettings.json") => 2,
        Source::File { .. } => 3,
        Source::Environment { .. } => 4,
        Source::CommandLine { .. } => 5,
    }
}

impl Draft for FileDraft {
    fn application(&self) -> &str {
        &self.application
    }

    fn schema(&self) -> &Value {
        &self.schema
    }

    fn in_force(&self, key: &str) -> Option<ValueInForce> {
        let is_edited = self.edited.iter().any(|edited| same(edited, key));
        if !is_edited || self.winner_above(key).is_some() {
            return self.layers.setting(key).map(ValueInForce::of);
        }
        let path = KeyPath::new(key);
        self.file
            .document
            .has(&path)
            .then(|| ValueInForce::edited(self.file.document.get(&path)))
    }

    fn names_below(&self, key: &str) -> Vec<String> {
        let own = Layers::of_files([(self.file.path.as_path(), &self.file.document)]);
        let mut names = own.children(key);
        let known = names.len();
        for name in self.layers.children(key) {
            let gone = self
                .edited
                .iter()
                .any(|edited| same(edited, &format!("{key}:{name}")));
            if !gone && !names[..known].iter().any(|known| same(known, &name)) {
                names.push(name);
            }
        }
        names
    }

    fn set(&mut self, key: &str, value: &NewValue) -> Result<(), String> {
        let mut file = self.file.clone();
        file.document
            .set(&KeyPath::new(key), value)
            .map_err(|error| error.to_string())?;
        match objection(&self.schema, &file, key) {
            Some(objection) => Err(objection),
            None => {
                self.replace(key, file);
                Ok(())
            }
        }
    }

    fn unset(&mut self, key: &str) -> Result<(), String> {
        let mut file = self.file.clone();
        let removed = file.document.remove(&KeyPath::new(key));
        if !removed.map_err(|error| error.to_string())? {
            return Err(format!("{} does not set {key}", file.path.display()));
        }
        self.replace(key, file);
        Ok(())
    }

    fn edited(&self) -> &[String] {
        &self.edited
    }
}

/// What the schema has against a key's new value; faults elsewhere in the file were there before.
pub fn objection(schema: &Value, file: &SettingsFile, key: &str) -> Option<String> {
    let concerns = |at: &str| {
        same(at, key)
            || key
                .get(..at.len() + 1)
                .is_some_and(|head| same(head, &format!("{at}:")))
    };
    schema::violations(schema, &file.path, &file.document)
        .into_iter()
        .find(|violation| concerns(&violation.key))
        .map(|violation| violation.message)
}
