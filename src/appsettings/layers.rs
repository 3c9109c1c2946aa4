//! .NET's layering: the effective value of each key, and where it came from
//! (hub/contract.md, "Files").

mod inputs;
mod setting;

use super::disk::{Links, read_bytes};
use super::document::{Document, Entry};
use super::error::SettingsError;
use super::key_path::{fold, holds, same};
use super::user_secrets;
pub use inputs::ProcessInputs;
use inputs::{command_line, host_variables, variables};
pub use setting::{Setting, Source};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// All layers, lowest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    layers: Vec<Vec<Setting>>,
    /// The winning setting of each folded key: layer and place.
    winners: HashMap<String, (usize, usize)>,
}

impl Layers {
    /// Reads a folder's settings for an environment, as an application started there would.
    pub fn load(
        folder: &Path,
        links: Links<'_>,
        environment: &str,
        started: &ProcessInputs,
    ) -> Result<Self, SettingsError> {
        let mut layers = Vec::new();
        for (path, links) in paths(folder, links, environment, started)? {
            layers.extend(read_layer(&path, links)?);
        }
        Ok(Self::with_inputs(layers, started))
    }

    /// What the application reads at a key and below it, from files that were read already: little
    /// of what may be large.
    pub fn at<'f>(
        key: &str,
        files: impl IntoIterator<Item = (&'f Path, &'f Document)>,
        started: &ProcessInputs,
    ) -> Self {
        let files = files.into_iter();
        let layers = files.map(|(path, document)| file_settings(path, document.entries_at(key)));
        Self::with_inputs(layers.collect(), started)
    }

    fn with_inputs(files: Vec<Vec<Setting>>, started: &ProcessInputs) -> Self {
        let mut layers = vec![
            host_variables(&started.variables),
            command_line(&started.arguments),
        ];
        layers.extend(files);
        layers.push(variables(&started.variables));
        layers.push(command_line(&started.arguments));
        Self::new(layers)
    }

    /// The layers of files alone, lowest first.
    pub fn of_files<'f>(files: impl IntoIterator<Item = (&'f Path, &'f Document)>) -> Self {
        Self::new(
            files
                .into_iter()
                .map(|(path, document)| file_settings(path, document.entries()))
                .collect(),
        )
    }

    fn new(layers: Vec<Vec<Setting>>) -> Self {
        let mut winners = HashMap::new();
        for (layer, settings) in layers.iter().enumerate() {
            for (place, setting) in settings.iter().enumerate() {
                winners.insert(fold(&setting.key), (layer, place));
            }
        }
        Layers { layers, winners }
    }

    /// The winning setting; one whose value is `None` where a layer hides the key.
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.winners
            .get(&fold(key))
            .map(|(layer, place)| &self.layers[*layer][*place])
    }

    /// Whether any layer has the key, or settings below it.
    pub fn has(&self, key: &str) -> bool {
        self.setting(key).is_some() || !self.children(key).is_empty()
    }

    /// The effective value; empty where there is none.
    pub fn get(&self, key: &str) -> &str {
        self.setting(key)
            .and_then(|setting| setting.value.as_deref())
            .unwrap_or_default()
    }

    /// A list's items, or the parts of a text at commas and semicolons; none of them empty.
    pub fn list(&self, key: &str) -> Vec<String> {
        let children = self.children(key);
        let items = children
            .iter()
            .map(|child| self.get(&format!("{key}:{child}")));
        std::iter::once(self.get(key))
            .chain(items)
            .flat_map(|text| text.split([';', ',']))
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// Every layer's setting for a key, lowest first.
    pub fn all(&self, key: &str) -> Vec<&Setting> {
        let all = self.layers.iter().flatten();
        all.filter(|setting| same(&setting.key, key)).collect()
    }

    /// Every effective setting, sorted by key.
    pub fn effective(&self) -> Vec<&Setting> {
        let sorted: BTreeMap<_, _> = self.winners.iter().collect();
        let winners = sorted.into_values();
        winners
            .map(|(layer, place)| &self.layers[*layer][*place])
            .collect()
    }

    /// The names directly below a key, in the order of their first appearance.
    pub fn children(&self, key: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let depth = key.split(':').count();
        for setting in self.layers.iter().flatten() {
            let name = setting.key.split(':').nth(depth);
            let Some(name) = name.filter(|_| holds(key, &setting.key)) else {
                continue;
            };
            if !names.iter().any(|known| same(known, name)) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

/// The files that count in an environment, lowest first.
pub fn file_names(environment: &str) -> [String; 2] {
    [
        "appsettings.json".to_owned(),
        format!("appsettings.{environment}.json"),
    ]
}

/// The files that an application reads, lowest first, and where each may lead.
pub fn paths<'l>(
    folder: &Path,
    links: Links<'l>,
    environment: &str,
    started: &ProcessInputs,
) -> Result<Vec<(PathBuf, Links<'l>)>, SettingsError> {
    let own = file_names(environment).map(|name| (folder.join(name), links));
    let secrets = user_secrets::find(folder, links, environment)?.ok();
    let apart = secrets.into_iter().chain(started.secrets.clone());
    Ok(own
        .into_iter()
        .chain(apart.map(|path| (path, Links::Followed)))
        .collect())
}

/// A file's settings, where it is there.
fn read_layer(path: &Path, links: Links<'_>) -> Result<Option<Vec<Setting>>, SettingsError> {
    let Some(bytes) = read_bytes(path, links)? else {
        return Ok(None);
    };
    let document = Document::parse(&bytes).map_err(|error| SettingsError::syntax(path, error))?;
    Ok(Some(file_settings(path, document.entries())))
}

fn file_settings(path: &Path, entries: Vec<Entry>) -> Vec<Setting> {
    let setting = |entry: Entry| Setting {
        source: Source::File {
            file: path.to_owned(),
            line: entry.at.line,
        },
        key: entry.key,
        value: entry.value,
    };
    entries.into_iter().map(setting).collect()
}
