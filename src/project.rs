//! One checkout's settings, edited together: hub URL, gateway route, servers, log level, shared
//! cache.

mod application;
mod error;
mod gateway;
mod hub_url;
mod launch_profile;
mod log_level;
pub mod published;

pub use application::{ApplicationSettings, EditedFiles, Scope};
pub use error::ProjectError;
pub use gateway::GatewayError;
pub use hub_url::{HUB_URL, parse_hub_url};
pub use launch_profile::LaunchProfile;
pub use log_level::log_level;

use crate::appsettings::document::{EditError, NewValue};
use crate::appsettings::{self, Links, SettingsError, SettingsFile};
use crate::checkout::Checkout;
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::{RedisOptions, without_password};
use crate::schema::{self, APPLICATIONS, Violations};
use crate::templates::SETTINGS;
use std::collections::HashSet;
use std::path::Path;
use url::Url;

const HUB: &str = "Harmony.SignalR";
const CLIENT: &str = "Harmony.Client";

/// The settings of a checkout's applications, read and written together.
#[derive(Debug, Clone)]
pub struct Project {
    pub hub: ApplicationSettings,
    pub client: Option<ApplicationSettings>,
    /// The other applications that use the broker.
    pub others: Vec<ApplicationSettings>,
    gateway: Option<SettingsFile>,
    /// The gateway's routes inside Harmony's own compose file.
    docker_gateway: Option<SettingsFile>,
    /// How F5 starts the hub of .NET, where a file says it.
    pub profile: Option<LaunchProfile>,
}

/// Where the address of the hub was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubUrlPlace {
    Client,
    GatewayRoute,
    /// The client asks the gateway, which has no route to the hub.
    Nowhere,
}

/// Whether Harmony's caches could be given the address of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheAddress {
    Written,
    /// They read `HOST:PORT` only: no password, TLS or IPv6.
    NotExpressible,
}

impl Project {
    /// Reads a checkout's settings; from the templates where the checkout is still to be made.
    pub fn read(checkout: &Checkout, scope: &Scope) -> Result<Self, SettingsError> {
        if !checkout.exists {
            let [hub, client] = &SETTINGS;
            return Ok(Project {
                hub: ApplicationSettings::planned(&checkout.root, hub, scope)?,
                client: Some(ApplicationSettings::planned(&checkout.root, client, scope)?),
                others: Vec::new(),
                gateway: None,
                docker_gateway: None,
                profile: None,
            });
        }
        let routes = |name: &str| {
            let folder = checkout.gateway.as_ref();
            folder.map_or(Ok(None), |folder| {
                let links = Links::Within(checkout.boundary(folder));
                SettingsFile::read(&folder.join(name), links)
            })
        };
        let read = |folder: &Path| ApplicationSettings::of(checkout, folder, scope);
        // Ours are the hub's, which has all that others have.
        let without_own = Scope {
            own_secrets: None,
            ..scope.clone()
        };
        let others = checkout
            .others
            .iter()
            .map(|folder| ApplicationSettings::of(checkout, folder, &without_own));
        Ok(Project {
            hub: read(&checkout.hub)?,
            client: checkout.client.as_deref().map(read).transpose()?,
            others: others.collect::<Result<_, _>>()?,
            gateway: routes("ocelot.json")?,
            docker_gateway: routes("ocelot.docker.json")?,
            profile: LaunchProfile::read(
                &checkout.hub,
                Links::Within(checkout.boundary(&checkout.hub)),
            )
            .ok()
            .and_then(|profiles| LaunchProfile::default(&profiles).cloned()),
        })
    }

    /// The applications whose settings these are.
    pub fn names(&self) -> Vec<&'static str> {
        let known = APPLICATIONS.iter().map(|application| application.name);
        known
            .filter(|name| self.application(name).is_some())
            .collect()
    }

    /// One application's settings.
    pub fn application(&self, name: &str) -> Option<&ApplicationSettings> {
        match name {
            HUB => Some(&self.hub),
            CLIENT => self.client.as_ref(),
            _ => self.others.iter().find(|other| other.is_of(name)),
        }
    }

    /// Sets a key of an application's settings, or removes it where there is no value.
    pub fn change(
        &mut self,
        application: &str,
        key: &str,
        value: Option<&NewValue>,
    ) -> Result<(), ProjectError> {
        let found = match application {
            HUB => Some(&mut self.hub),
            CLIENT => self.client.as_mut(),
            _ => self
                .others
                .iter_mut()
                .find(|other| other.is_of(application)),
        };
        let Some(settings) = found else {
            return Err(ProjectError::NoApplication(application.to_owned()));
        };
        match value {
            Some(value) => settings.set(key, value.clone())?,
            None => settings.remove(key)?,
        }
        Ok(())
    }

    pub fn has_gateway(&self) -> bool {
        self.gateway.is_some()
    }

    /// Checks what was changed in every file against its schema.
    pub fn check(&self) -> Result<(), Violations> {
        self.files().iter().try_for_each(schema::check)
    }

    /// Checks the hub's files whole, also what was wrong in them before.
    pub fn check_hub(&self) -> Result<(), Violations> {
        schema::check_whole(self.hub.files())
    }

    /// Checks the changed files: valid against their schemas, and writable.
    pub fn check_changes(&self) -> Result<(), ProjectError> {
        for file in self.files().iter().filter(|file| file.is_changed()) {
            schema::check(file)?;
            appsettings::check_access(&file.path)?;
        }
        Ok(())
    }

    /// Where clients find the hub: as the client's settings or the gateway's route say.
    pub fn hub_url(&self) -> Option<Url> {
        let client = self
            .client
            .as_ref()
            .map(|client| client.layers().get("signalrHostUrl").to_owned());
        let direct = client
            .filter(|url| !url.is_empty())
            .and_then(|url| Url::parse(url.trim()).ok());
        direct.or_else(|| gateway::route_url(self.gateway.as_ref()?))
    }

    /// Sets where clients find the hub: in the client's own settings where they have the key or
    /// nothing else leads there, else in the gateway's routes.
    pub fn set_hub_url(&mut self, url: &Url) -> Result<HubUrlPlace, ProjectError> {
        if let Some(client) = &mut self.client {
            let layers = client.layers();
            let has_own = layers.setting("signalrHostUrl").is_some();
            if has_own || layers.setting("gatewayUrl").is_none() {
                let text = url.as_str().trim_end_matches('/').to_owned();
                client.set("signalrHostUrl", NewValue::Text(text))?;
                return Ok(HubUrlPlace::Client);
            }
        }
        match &mut self.gateway {
            Some(gateway) if gateway::has_route(gateway) => {
                gateway::set_route(gateway, url)?;
                Ok(HubUrlPlace::GatewayRoute)
            }
            _ => Ok(HubUrlPlace::Nowhere),
        }
    }

    /// Points the gateway inside Harmony's compose file at a hub, where that gateway can reach it:
    /// false where the URL means a machine's own loopback, which is another one in a container.
    pub fn set_docker_route(&mut self, url: &Url) -> Result<bool, GatewayError> {
        let loopback = Endpoint::new(url.host_str().unwrap_or_default(), 0).is_loopback();
        match &mut self.docker_gateway {
            Some(gateway) if !loopback => gateway::set_route(gateway, url).map(|()| true),
            found => Ok(found.is_none()),
        }
    }

    /// Sets the hub's log level where Serilog reads it.
    pub fn set_log_level(&mut self, level: &str) -> Result<(), EditError> {
        let layers = self.hub.layers();
        let (key, present) = log_level(&layers);
        if level == present {
            return Ok(());
        }
        self.hub.set(key, NewValue::Text(level.to_owned()))
    }

    /// Sets the hub's Redis.
    pub fn set_redis(&mut self, connection_string: &str) -> Result<(), EditError> {
        let harmless = without_password(connection_string);
        self.hub
            .set_secret("RedisConnectionString", connection_string, &harmless)
    }

    /// Whether an application keeps its cache in Redis.
    pub fn caches_in_redis(&self) -> bool {
        self.others.iter().any(ApplicationSettings::caches_in_redis)
    }

    /// Gives Harmony's caches the address of Redis, where it has a form that they can parse.
    pub fn share_cache(&mut self, redis: &RedisOptions) -> Result<CacheAddress, EditError> {
        let Some(endpoint) = redis.endpoints.first() else {
            return Ok(CacheAddress::Written);
        };
        if redis.password.is_some() || redis.tls || endpoint.host.contains(':') {
            return Ok(CacheAddress::NotExpressible);
        }
        for application in &mut self.others {
            if application.caches_in_redis() {
                let value = NewValue::Text(endpoint.to_string());
                application.set("RedisConnectionString", value)?;
            }
        }
        Ok(CacheAddress::Written)
    }

    /// Sets RabbitMQ's address and credentials in every application that uses the broker.
    pub fn set_broker(&mut self, address: &BrokerAddress) -> Result<(), EditError> {
        let text = |text: &str| NewValue::Text(text.to_owned());
        let mut values = vec![
            ("Host", text(&address.endpoint.host)),
            ("Port", NewValue::Integer(address.endpoint.port.into())),
            ("Username", text(&address.username)),
        ];
        if address.virtual_host != "/" {
            values.push(("VirtualHost", text(&address.virtual_host)));
        }
        for application in std::iter::once(&mut self.hub).chain(&mut self.others) {
            for (name, value) in &values {
                application.set(&format!("BrokerConfiguration:{name}"), value.clone())?;
            }
            let password = address.password.reveal();
            application.set_secret("BrokerConfiguration:Password", password, "")?;
        }
        Ok(())
    }

    /// All files, changed or not.
    pub fn files(&self) -> Vec<SettingsFile> {
        let applications = std::iter::once(&self.hub)
            .chain(&self.client)
            .chain(&self.others);
        let mut files: Vec<_> = applications
            .flat_map(ApplicationSettings::all_files)
            .chain(&self.gateway)
            .chain(&self.docker_gateway)
            .cloned()
            .collect();
        // Applications may share their user secrets; the hub, which is first, has them all.
        let mut known = HashSet::new();
        files.retain(|file| known.insert(file.path.clone()));
        files
    }
}
