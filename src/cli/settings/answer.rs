//! What `harmony settings` answers, as JSON and as text; secrets masked.

use crate::appsettings::layers::{Setting, Source};
use crate::cli::difference::Difference;
use crate::schema::{self, Violation};
use crate::terminal::safe::{Neutral, neutral_lines};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;

/// Which values are shown.
pub(super) struct Secrets<'a> {
    pub(super) schema: &'a Value,
    pub(super) shown: bool,
}

impl Secrets<'_> {
    pub(super) fn show(&self, key: &str, value: Option<&str>) -> Option<String> {
        let value = value?;
        let masked = schema::masked(self.schema, key, value).filter(|_| !self.shown);
        Some(masked.unwrap_or_else(|| value.to_owned()))
    }
}

#[derive(Serialize)]
pub(super) struct OneSetting {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) source: Source,
    pub(super) secret: bool,
    /// A layer hides with null what lower layers say.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) hidden: bool,
}

impl OneSetting {
    pub(super) fn of(setting: &Setting, secrets: &Secrets<'_>) -> Self {
        let value = setting.value.as_deref();
        OneSetting {
            hidden: setting.value.is_none(),
            value: secrets.show(&setting.key, setting.value.as_deref()),
            secret: schema::is_secret(secrets.schema, &setting.key)
                || value.is_some_and(|value| {
                    schema::masked(secrets.schema, &setting.key, value).is_some()
                }),
            key: setting.key.clone(),
            source: setting.source.clone(),
        }
    }
}

impl fmt::Display for OneSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&neutral_lines(self.value.as_deref().unwrap_or_default()))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Serialize)]
pub(super) struct List {
    pub(super) settings: Vec<OneSetting>,
}

impl fmt::Display for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .settings
            .iter()
            .map(|setting| setting.key.chars().count())
            .max()
            .unwrap_or_default();
        for (index, setting) in self.settings.iter().enumerate() {
            let end = if index + 1 == self.settings.len() {
                ""
            } else {
                "\n"
            };
            let value = if setting.hidden {
                "(hidden by null)"
            } else {
                setting.value.as_deref().unwrap_or_default()
            };
            let (key, value) = (Neutral(&setting.key), Neutral(value));
            write!(
                formatter,
                "{key:<width$}  {value}  ({}){end}",
                setting.source
            )?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
pub(super) struct Why {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) layers: Vec<Layer>,
}

#[derive(Serialize)]
pub(super) struct Layer {
    pub(super) source: Source,
    pub(super) value: Option<String>,
    pub(super) wins: bool,
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} = {}",
            Neutral(&self.key),
            Neutral(self.value.as_deref().unwrap_or("(hidden)"))
        )?;
        for layer in &self.layers {
            let mark = if layer.wins { "wins" } else { "" };
            write!(
                formatter,
                "\n  {mark:<5}{}  {}",
                Neutral(layer.value.as_deref().unwrap_or("null")),
                layer.source
            )?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
pub(super) struct Validation {
    pub(super) violations: Vec<Violation>,
}

impl fmt::Display for Validation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.violations.is_empty() {
            return formatter.write_str("All settings are valid.");
        }
        let lines: Vec<_> = self.violations.iter().map(ToString::to_string).collect();
        formatter.write_str(&neutral_lines(&lines.join("\n")))
    }
}

#[derive(Serialize)]
pub(super) struct Written {
    pub(super) changed: bool,
    pub(super) files: Vec<PathBuf>,
    /// What would be changed, in a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) differences: Vec<Difference>,
}

impl fmt::Display for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.differences.is_empty() {
            let shown: Vec<_> = self.differences.iter().map(ToString::to_string).collect();
            return formatter.write_str(&shown.join("\n"));
        }
        if self.files.is_empty() {
            return formatter.write_str(if self.changed {
                "Would be changed."
            } else {
                "Nothing had to change."
            });
        }
        let paths: Vec<_> = self
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        formatter.write_str(&paths.join("\n"))
    }
}
