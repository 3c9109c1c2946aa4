//! .NET's layering: the effective value of each key, and where it came from
//! (hub/contract.md, "Files").

mod setting;

use super::disk::{Links, read_bytes};
use super::document::{Document, Entry};
use super::error::SettingsError;
use super::key_path::{fold, same};
use super::user_secrets;
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

/// What the process was started with.
#[derive(Debug, Clone, Default)]
pub struct ProcessInputs {
    pub variables: Vec<(String, String)>,
    pub arguments: Vec<String>,
    /// A file of ours with the secrets of its settings.
    pub secrets: Option<PathBuf>,
}

impl ProcessInputs {
    /// The variables of this process, and the given arguments.
    pub fn here(arguments: Vec<String>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        ProcessInputs {
            variables,
            arguments,
            secrets: None,
        }
    }

    /// The .NET environment's name: command line, `DOTNET_ENVIRONMENT`, `ASPNETCORE_ENVIRONMENT`,
    /// else `Production`. One that is empty is a name too.
    pub fn environment(&self) -> String {
        let lowest_first = [
            prefixed(&self.variables, "ASPNETCORE_"),
            prefixed(&self.variables, "DOTNET_"),
            command_line(&self.arguments),
        ];
        lowest_first
            .into_iter()
            .flatten()
            .rfind(|setting| same(&setting.key, "environment"))
            .and_then(|setting| setting.value)
            .unwrap_or_else(|| "Production".into())
    }
}

impl Layers {
    /// Reads a folder's settings for an environment, as an application started there would.
    pub fn load(
        folder: &Path,
        links: Links<'_>,
        environment: &str,
        started: &ProcessInputs,
    ) -> Result<Self, SettingsError> {
        let mut layers = vec![
            host_variables(&started.variables),
            command_line(&started.arguments),
        ];
        for name in file_names(environment) {
            layers.extend(read_layer(&folder.join(name), links)?);
        }
        let secrets = user_secrets::find(folder, links, environment)?.ok();
        for path in secrets.iter().chain(&started.secrets) {
            layers.extend(read_layer(path, Links::Followed)?);
        }
        layers.push(variables(&started.variables));
        layers.push(command_line(&started.arguments));
        Ok(Self::new(layers))
    }

    /// The layers of files alone, lowest first.
    pub fn of_files<'f>(files: impl IntoIterator<Item = (&'f Path, &'f Document)>) -> Self {
        Self::new(
            files
                .into_iter()
                .map(|(path, document)| file_settings(path, document))
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
        for setting in self.layers.iter().flatten() {
            let (head, rest) = setting.key.split_at_checked(key.len()).unwrap_or_default();
            if let Some(rest) = rest.strip_prefix(':').filter(|_| same(head, key)) {
                let name = rest.split(':').next().unwrap_or_default();
                if !names.iter().any(|known| same(known, name)) {
                    names.push(name.to_owned());
                }
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

/// A file's settings, where it is there.
fn read_layer(path: &Path, links: Links<'_>) -> Result<Option<Vec<Setting>>, SettingsError> {
    let Some(bytes) = read_bytes(path, links)? else {
        return Ok(None);
    };
    let document = Document::parse(&bytes).map_err(|error| SettingsError::syntax(path, error))?;
    Ok(Some(file_settings(path, &document)))
}

fn file_settings(path: &Path, document: &Document) -> Vec<Setting> {
    let setting = |entry: Entry| Setting {
        source: Source::File {
            file: path.to_owned(),
            line: entry.at.line,
        },
        key: entry.key,
        value: entry.value,
    };
    document.entries().into_iter().map(setting).collect()
}

/// `ASPNETCORE_` then `DOTNET_` variables, without their prefix.
fn host_variables(all: &[(String, String)]) -> Vec<Setting> {
    [prefixed(all, "ASPNETCORE_"), prefixed(all, "DOTNET_")].concat()
}

fn prefixed(all: &[(String, String)], prefix: &str) -> Vec<Setting> {
    let setting = |(name, value): &(String, String)| {
        let key = name.replace("__", ":");
        let (head, rest) = key.split_at_checked(prefix.len())?;
        (same(head, prefix) && !rest.is_empty()).then(|| Setting {
            key: rest.to_owned(),
            value: Some(value.clone()),
            source: Source::Host {
                variable: name.clone(),
            },
        })
    };
    all.iter().filter_map(setting).collect()
}

/// Prefixes of connection strings, by which hosting services name them.
const CONNECTION_STRINGS: [&str; 4] = [
    "MYSQLCONNSTR_",
    "SQLCONNSTR_",
    "SQLAZURECONNSTR_",
    "CUSTOMCONNSTR_",
];

fn variables(all: &[(String, String)]) -> Vec<Setting> {
    let setting = |(name, value): &(String, String)| {
        let prefix = CONNECTION_STRINGS.into_iter().find(|prefix| {
            name.get(..prefix.len())
                .is_some_and(|head| same(head, prefix))
        });
        let key = match prefix {
            Some(prefix) => format!(
                "ConnectionStrings:{}",
                name[prefix.len()..].replace("__", ":")
            ),
            None => name.replace("__", ":"),
        };
        Setting {
            key,
            value: Some(value.clone()),
            source: Source::Environment {
                variable: name.clone(),
            },
        }
    };
    all.iter().map(setting).collect()
}

/// `--k=v`, `--k v`, `/k=v`, `/k v` and `k=v`; what has no value is passed over.
fn command_line(arguments: &[String]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let named = argument
            .strip_prefix("--")
            .or_else(|| argument.strip_prefix('/'));
        if named.is_none() && argument.starts_with('-') {
            continue;
        }
        let (key, value) = match (argument.split_once('='), named) {
            (Some((_, value)), Some(named)) => (
                named.split('=').next().unwrap_or_default(),
                value.to_owned(),
            ),
            (Some((key, value)), None) => (key, value.to_owned()),
            (None, Some(named)) => match rest.next() {
                Some(value) => (named, value.clone()),
                None => continue,
            },
            (None, None) => continue,
        };
        let source = Source::CommandLine {
            argument: format!("--{key}"),
        };
        settings.push(Setting {
            key: key.to_owned(),
            value: Some(value),
            source,
        });
    }
    settings
}
