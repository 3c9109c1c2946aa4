//! What the settings say, and what they should: one application's files, edited together.

use super::failure::Failure;
use crate::appsettings::document::NewValue;
use crate::appsettings::key_path::KeyPath;
use crate::appsettings::layers::{Layers, file_names};
use crate::appsettings::{SettingsError, SettingsFile};
use crate::checkout::Checkout;
use crate::connection_string::Endpoint;
use crate::templates::{SETTINGS, Template};
use std::path::Path;
use url::Url;

/// The route by which the gateway reaches the hub.
const ROUTE: &str = "/signalRHub";

/// One application's settings files: the base first, then each environment's.
#[derive(Debug, Clone)]
pub struct Application {
    files: Vec<SettingsFile>,
    environment: String,
    only_environment: bool,
}

impl Application {
    /// Reads `appsettings.json` and every `appsettings.*.json` of a folder.
    pub fn read(folder: &Path, environment: &str, only_environment: bool) -> Result<Self, Failure> {
        let [base, own] = file_names(environment);
        let mut files: Vec<_> = SettingsFile::read(&folder.join(&base))?
            .into_iter()
            .collect();
        let entries = std::fs::read_dir(folder).map_err(|error| SettingsError::Read {
            path: folder.to_owned(),
            error,
        })?;
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        for name in names {
            if name.starts_with("appsettings.") && name.ends_with(".json") && name != base {
                files.extend(SettingsFile::read(&folder.join(name))?);
            }
        }
        if only_environment && !files.iter().any(|file| file.path.ends_with(&own)) {
            files.push(SettingsFile::planned(&folder.join(&own), "{\n}\n")?);
        }
        Ok(Application {
            files,
            environment: environment.to_owned(),
            only_environment,
        })
    }

    /// The files that a template makes below a root.
    fn planned(root: &Path, template: &Template, environment: &str) -> Result<Self, Failure> {
        let file = SettingsFile::planned(&root.join(template.path), template.text)?;
        Ok(Application {
            files: vec![file],
            environment: environment.to_owned(),
            only_environment: false,
        })
    }

    /// What an application reads that starts in the environment.
    pub fn layers(&self) -> Layers {
        let names = file_names(&self.environment);
        let files = names
            .iter()
            .filter_map(|name| self.files.iter().find(|file| file.path.ends_with(name)));
        Layers::of_files(files.map(|file| (file.path.as_path(), &file.document)))
    }

    /// Sets a key in the base and wherever an environment has it already; only in the environment's
    /// own file where that was asked for.
    pub fn set(&mut self, key: &str, value: NewValue) -> Result<(), Failure> {
        let key = KeyPath::new(key);
        let [base, own] = file_names(&self.environment);
        for file in &mut self.files {
            let concerned = if self.only_environment {
                file.path.ends_with(&own)
            } else {
                file.path.ends_with(&base) || file.document.has(&key)
            };
            if concerned {
                file.document.set(&key, &value)?;
            }
        }
        Ok(())
    }

    /// Whether the application keeps its cache in Redis, by an address of its own.
    pub fn caches_in_redis(&self) -> bool {
        self.layers()
            .get("CacheProvider")
            .eq_ignore_ascii_case("redis")
    }

    pub fn files(&self) -> &[SettingsFile] {
        &self.files
    }
}

/// Everything that is read and written together.
pub struct Settings {
    pub hub: Application,
    pub client: Option<Application>,
    pub others: Vec<Application>,
    gateway: Option<SettingsFile>,
    /// The gateway's routes inside Harmony's own compose file.
    docker_gateway: Option<SettingsFile>,
}

impl Settings {
    /// Reads a checkout's settings; from the templates where it is still to be made.
    pub fn read(
        checkout: &Checkout,
        exists: bool,
        environment: &str,
        only_environment: bool,
    ) -> Result<Self, Failure> {
        if !exists {
            let [hub, client] = &SETTINGS;
            return Ok(Settings {
                hub: Application::planned(&checkout.root, hub, environment)?,
                client: Some(Application::planned(&checkout.root, client, environment)?),
                others: Vec::new(),
                gateway: None,
                docker_gateway: None,
            });
        }
        let routes = |name: &str| {
            checkout
                .gateway
                .as_ref()
                .map_or(Ok(None), |folder| SettingsFile::read(&folder.join(name)))
        };
        let read = |folder: &Path| Application::read(folder, environment, only_environment);
        Ok(Settings {
            hub: read(&checkout.hub)?,
            client: checkout.client.as_deref().map(read).transpose()?,
            others: checkout
                .others
                .iter()
                .map(|folder| read(folder))
                .collect::<Result<_, _>>()?,
            gateway: routes("ocelot.json")?,
            docker_gateway: routes("ocelot.docker.json")?,
        })
    }

    /// Where the client's settings say that the hub is.
    pub fn hub_url(&self) -> Option<Url> {
        let client = self
            .client
            .as_ref()
            .map(|client| client.layers().get("signalrHostUrl").to_owned());
        let direct = client
            .filter(|url| !url.is_empty())
            .and_then(|url| Url::parse(url.trim()).ok());
        direct.or_else(|| self.route_url())
    }

    /// Sets where clients find the hub: in the client's own settings where they have the key or
    /// nothing else leads there, else in the gateway's route. True where it went into the route.
    pub fn set_hub_url(&mut self, url: &Url) -> Result<bool, Failure> {
        let route = self.gateway.as_ref().and_then(route_index).is_some();
        if let Some(client) = &mut self.client {
            let layers = client.layers();
            let has_own = layers.setting("signalrHostUrl").is_some();
            let by_gateway = route && layers.setting("gatewayUrl").is_some();
            if has_own || !by_gateway {
                client.set(
                    "signalrHostUrl",
                    NewValue::Text(url.as_str().trim_end_matches('/').to_owned()),
                )?;
                return Ok(false);
            }
        }
        self.gateway
            .as_mut()
            .map_or(Ok(()), |gateway| set_route(gateway, url))?;
        Ok(true)
    }

    /// Points the gateway inside Harmony's compose file at a hub, where that gateway can reach it: false
    /// where the URL means a machine's own loopback, which is another one in there.
    pub fn set_docker_route(&mut self, url: &Url) -> Result<bool, Failure> {
        let loopback = Endpoint::new(url.host_str().unwrap_or_default(), 0).is_loopback();
        match &mut self.docker_gateway {
            Some(gateway) if !loopback => set_route(gateway, url).map(|()| true),
            found => Ok(found.is_none()),
        }
    }

    /// Where the gateway's route leads.
    fn route_url(&self) -> Option<Url> {
        let gateway = self.gateway.as_ref()?;
        let index = route_index(gateway)?;
        let get = |name: &str| {
            gateway
                .document
                .get(&KeyPath::new(&format!("Routes:{index}:{name}")))
        };
        let scheme = if matches!(get("DownstreamScheme")?, "ws" | "http") {
            "http"
        } else {
            "https"
        };
        let (host, port) = (
            get("DownstreamHostAndPorts:0:Host")?,
            get("DownstreamHostAndPorts:0:Port")?,
        );
        Url::parse(&format!("{scheme}://{host}:{port}")).ok()
    }

    /// All files, changed or not.
    pub fn files(&self) -> Vec<SettingsFile> {
        let applications = std::iter::once(&self.hub)
            .chain(&self.client)
            .chain(&self.others);
        applications
            .flat_map(Application::files)
            .chain(&self.gateway)
            .chain(&self.docker_gateway)
            .cloned()
            .collect()
    }
}

fn set_route(gateway: &mut SettingsFile, url: &Url) -> Result<(), Failure> {
    let Some(index) = route_index(gateway) else {
        return Ok(());
    };
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    let port = i64::from(url.port_or_known_default().unwrap_or(443));
    let host = url.host_str().unwrap_or("localhost").to_owned();
    for (key, value) in [
        ("DownstreamScheme", NewValue::Text(scheme.into())),
        ("DownstreamHostAndPorts:0:Host", NewValue::Text(host)),
        ("DownstreamHostAndPorts:0:Port", NewValue::Integer(port)),
    ] {
        gateway
            .document
            .set(&KeyPath::new(&format!("Routes:{index}:{key}")), &value)?;
    }
    Ok(())
}

/// The place of the route that leads to the hub.
fn route_index(gateway: &SettingsFile) -> Option<usize> {
    let document = &gateway.document;
    (0..document.array_length(&KeyPath::new("Routes"))).find(|index| {
        let template = document.get(&KeyPath::new(&format!(
            "Routes:{index}:UpstreamPathTemplate"
        )));
        template.is_some_and(|template| {
            template
                .get(..ROUTE.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(ROUTE))
        })
    })
}
