//! How Visual Studio and `dotnet run` start an application: `Properties/launchSettings.json`.

use crate::appsettings::key_path::same;
use crate::appsettings::{Links, SettingsError, SettingsFile};
use serde_json::Value;
use std::path::Path;

const FILE: &str = "Properties/launchSettings.json";
/// What `applicationUrl` becomes.
const URLS: &str = "ASPNETCORE_URLS";

/// One way to start an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchProfile {
    pub name: String,
    /// It starts the application itself, not a web server in front of it.
    is_project: bool,
    /// What the application finds in its environment, its addresses included.
    pub variables: Vec<(String, String)>,
}

impl LaunchProfile {
    /// The profiles of an application's folder, in their order; none where it has no such file.
    pub fn read(folder: &Path, links: Links<'_>) -> Result<Vec<Self>, SettingsError> {
        let Some(file) = SettingsFile::read(&folder.join(FILE), links)? else {
            return Ok(Vec::new());
        };
        let settings = file.document.to_json();
        let profiles = settings["profiles"].as_object().into_iter().flatten();
        Ok(profiles
            .map(|(name, profile)| Self::of(name, profile))
            .collect())
    }

    fn of(name: &str, profile: &Value) -> Self {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let set = profile["environmentVariables"].as_object();
        let mut variables: Vec<_> = set
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let is_set = variables.iter().any(|(name, _)| same(name, URLS));
        if let (Some(urls), false) = (profile["applicationUrl"].as_str(), is_set) {
            variables.push((URLS.to_owned(), urls.to_owned()));
        }
        LaunchProfile {
            name: name.to_owned(),
            is_project: profile["commandName"] == "Project",
            variables,
        }
    }

    /// The profile that F5 and `dotnet run` take unless told otherwise.
    pub fn default(profiles: &[Self]) -> Option<&Self> {
        profiles.iter().find(|profile| profile.is_project)
    }
}
