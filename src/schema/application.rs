//! The applications whose settings are known, and their schemas.

use crate::appsettings::key_path::same;
use serde_json::Value;
use std::path::Path;

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
        include_str!("../../schemas/Harmony.SignalR.json"),
    ),
    application(
        "Harmony.Client",
        include_str!("../../schemas/Harmony.Client.json"),
    ),
    application(
        "Harmony.Api",
        include_str!("../../schemas/Harmony.Api.json"),
    ),
    application(
        "Harmony.Automations",
        include_str!("../../schemas/Harmony.Automations.json"),
    ),
    application(
        "Harmony.Notifications",
        include_str!("../../schemas/Harmony.Notifications.json"),
    ),
    application(
        "Harmony.Integrations.SourceControl",
        include_str!("../../schemas/Harmony.Integrations.SourceControl.json"),
    ),
];

/// Folders of January 2024, and the applications that they have become.
const FORMER: [(&str, &str); 3] = [
    ("/Harmony/Harmony.Server.SignalR", "Harmony.SignalR"),
    ("/Harmony/Client/wwwroot", "Harmony.Client"),
    ("/Harmony/Server", "Harmony.Api"),
];

/// The parts that several schemas refer to.
const SHARED: [(&str, &str); 7] = [
    (
        "shared/AllowedHosts.json",
        include_str!("../../schemas/shared/AllowedHosts.json"),
    ),
    (
        "shared/BrokerConfiguration.json",
        include_str!("../../schemas/shared/BrokerConfiguration.json"),
    ),
    (
        "shared/CacheProvider.json",
        include_str!("../../schemas/shared/CacheProvider.json"),
    ),
    (
        "shared/CacheRedis.json",
        include_str!("../../schemas/shared/CacheRedis.json"),
    ),
    (
        "shared/ElasticConfiguration.json",
        include_str!("../../schemas/shared/ElasticConfiguration.json"),
    ),
    (
        "shared/Logging.json",
        include_str!("../../schemas/shared/Logging.json"),
    ),
    (
        "shared/Serilog.json",
        include_str!("../../schemas/shared/Serilog.json"),
    ),
];

impl Application {
    /// The application of a name, in any case.
    pub fn named(name: &str) -> Option<&'static Application> {
        APPLICATIONS.iter().find(|known| same(known.name, name))
    }

    /// The application that a settings file belongs to, by the folder that it is in.
    pub fn of(path: &Path) -> Option<&'static Application> {
        let named = path.components().rev().find_map(|part| {
            APPLICATIONS
                .iter()
                .find(|application| part.as_os_str() == application.name)
        });
        let former = || {
            let folder = path.parent()?.to_string_lossy().replace('\\', "/");
            let of = |(place, name): &(&str, &str)| {
                folder.ends_with(place).then(|| Application::named(name))
            };
            FORMER.iter().find_map(of).flatten()
        };
        // A publish folder may have any name; what starts there tells.
        named.or_else(former).or_else(|| {
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

/// The schema of answers files.
pub fn answers() -> Value {
    parse(include_str!("../../schemas/answers.json"))
}

/// The schema of the application that a file belongs to; null where it belongs to none.
pub fn schema_of(path: &Path) -> Value {
    Application::of(path)
        .map(Application::schema)
        .unwrap_or_default()
}
