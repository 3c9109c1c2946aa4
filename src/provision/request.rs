//! What was asked for, as plain data.

use crate::appsettings::document::NewValue;
use crate::checkout::Checkout;
use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::containers::whereabouts::Surroundings;
use crate::instance::Instance;
use crate::project::Scope;
use crate::secret::{Secret, SecretsStore};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long services may take to become ready, unless the request says otherwise.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What is provisioned, and where from: one instance on this machine, by one Docker engine.
#[derive(Debug, Clone)]
pub struct Installation {
    pub instance: Instance,
    /// Where to look for the Docker engine.
    pub docker: Surroundings,
    /// The user's home, where .NET keeps its development certificate.
    pub home: Option<PathBuf>,
    /// Where our own development certificate is kept.
    pub certificates: PathBuf,
    /// The names of this process's environment variables.
    pub variables: Vec<String>,
}

/// One run of `up`.
#[derive(Debug, Clone)]
pub struct Request {
    pub installation: Installation,
    pub checkout: Checkout,
    pub scope: Scope,
    pub wanted: Wanted,
    pub timeout: Duration,
    /// The checkout belongs to another user, and the user trusts it.
    pub trusts_checkout: bool,
    /// Ends the run; what it did is rolled back.
    pub cancellation: CancellationToken,
}

impl Request {
    /// Everything as configured.
    pub fn new(installation: Installation, checkout: Checkout, scope: Scope) -> Self {
        Request {
            installation,
            checkout,
            scope,
            wanted: Wanted::default(),
            timeout: TIMEOUT,
            trusts_checkout: false,
            cancellation: CancellationToken::new(),
        }
    }
}

/// What is wanted of each service; `None` leaves it as it was, or to what is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub redis: Option<ServerChoice>,
    pub redis_password: Option<Secret>,
    pub redis_port: Option<u16>,
    pub redis_image: Option<String>,
    /// Redis keeps its data in a volume.
    pub redis_volume: Option<bool>,
    pub rabbitmq: Option<ServerChoice>,
    pub rabbitmq_user: Option<String>,
    pub rabbitmq_password: Option<Secret>,
    pub rabbitmq_vhost: Option<String>,
    pub rabbitmq_port: Option<u16>,
    pub rabbitmq_image: Option<String>,
    /// A registry that has the images, such as `localhost:5000`.
    pub image_registry: Option<String>,
    pub pull: Pull,
    /// The address of the engine's machine that ports are published on.
    pub bind: Option<IpAddr>,
    pub hub: Option<HubChoice>,
    pub hub_url: Option<Url>,
    pub log_level: Option<String>,
    /// Where passwords are kept.
    pub secrets: Option<SecretsStore>,
    /// Settings that are edited beside what the services need.
    pub settings: Vec<SettingChange>,
    /// Servers that do not respond yet, or refuse the credentials, will do.
    pub use_anyway: bool,
    /// Take the instance over from the checkout that it belongs to.
    pub adopt: bool,
    /// Give Redis and RabbitMQ new passwords.
    pub rotate_credentials: bool,
    /// The services whose passwords an answers file names: servers elsewhere are asked with them
    /// only after the plan was agreed to.
    pub passwords_from_file: Vec<Service>,
}

impl Wanted {
    /// Whether a container could be part of it.
    pub fn may_use_containers(&self) -> bool {
        let may =
            |choice: &Option<ServerChoice>| matches!(choice, None | Some(ServerChoice::Container));
        may(&self.redis) || may(&self.rabbitmq) || self.hub == Some(HubChoice::Container)
    }
}

/// One setting of an application, set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    pub application: String,
    pub key: String,
    /// `None` removes the key.
    pub value: Option<NewValue>,
}

/// Where Redis or RabbitMQ comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerChoice {
    /// A container of this instance.
    Container,
    /// Somebody else's server.
    Server(Endpoint),
    /// None: the hub does without. `none` for Redis, `embedded` for RabbitMQ.
    Without,
}

/// How the hub runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubChoice {
    Process,
    Container,
    None,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pull {
    #[default]
    Missing,
    Always,
    Never,
}

/// Whether `down` also deletes data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Kept,
    Deleted,
}
