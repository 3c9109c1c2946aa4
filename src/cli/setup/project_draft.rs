//! One application's settings in the wizard: edited in memory, written with everything else.

use crate::appsettings::document::NewValue;
use crate::appsettings::key_path::same;
use crate::form::draft::{Draft, ValueInForce, json_of, objection};
use crate::project::{ApplicationSettings, Project};
use crate::schema;
use serde_json::Value;
use std::collections::BTreeMap;

pub struct ProjectDraft {
    name: String,
    schema: Value,
    settings: ApplicationSettings,
    edited: Vec<String>,
    edits: BTreeMap<String, Value>,
}

impl ProjectDraft {
    pub fn of(name: &str, project: &Project) -> Option<Self> {
        Some(ProjectDraft {
            name: name.to_owned(),
            schema: schema::Application::named(name)?.schema(),
            settings: project.application(name)?.clone(),
            edited: Vec::new(),
            edits: BTreeMap::new(),
        })
    }

    /// What was edited; null for a key that was removed.
    pub fn into_edits(self) -> BTreeMap<String, Value> {
        self.edits
    }

    fn replace(&mut self, key: &str, settings: ApplicationSettings, value: Value) {
        self.settings = settings;
        self.edits.insert(key.to_owned(), value);
        if !self.edited.iter().any(|known| same(known, key)) {
            self.edited.push(key.to_owned());
        }
    }
}

impl Draft for ProjectDraft {
    fn application(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &Value {
        &self.schema
    }

    fn in_force(&self, key: &str) -> Option<ValueInForce> {
        self.settings.layers().setting(key).map(ValueInForce::of)
    }

    fn names_below(&self, key: &str) -> Vec<String> {
        self.settings.layers().children(key)
    }

    fn set(&mut self, key: &str, value: &NewValue) -> Result<(), String> {
        let mut settings = self.settings.clone();
        settings
            .set(key, value.clone())
            .map_err(|error| error.to_string())?;
        let changed = settings.files().iter().filter(|file| file.is_changed());
        let objection = changed
            .filter_map(|file| objection(&self.schema, file, key))
            .next();
        match objection {
            Some(objection) => Err(objection),
            None => {
                self.replace(key, settings, json_of(value));
                Ok(())
            }
        }
    }

    fn unset(&mut self, key: &str) -> Result<(), String> {
        let mut settings = self.settings.clone();
        settings.remove(key).map_err(|error| error.to_string())?;
        self.replace(key, settings, Value::Null);
        Ok(())
    }

    fn edited(&self) -> &[String] {
        &self.edited
    }
}
