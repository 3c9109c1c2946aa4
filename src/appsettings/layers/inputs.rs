//! What a process is started with: variables and arguments, as layers of settings.

use super::setting::{Setting, Source};
use crate::appsettings::key_path::same;
use std::path::PathBuf;

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

/// `ASPNETCORE_` then `DOTNET_` variables, without their prefix.
pub(super) fn host_variables(all: &[(String, String)]) -> Vec<Setting> {
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

pub(super) fn variables(all: &[(String, String)]) -> Vec<Setting> {
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
pub(super) fn command_line(arguments: &[String]) -> Vec<Setting> {
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
