//! The flags of `up` and `setup`, and what provisioning is asked for by them.

use super::edited_settings::{EditedSettings, changes};
use super::flags::{HubFlag, PullFlag, SecretsFlag};
use crate::connection_string::Endpoint;
use crate::containers::Service;
use crate::project::parse_hub_url;
use crate::provision::request::{HubChoice, Pull, ServerChoice, Wanted};
use crate::secret::{Secret, SecretsStore};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::IpAddr;
use url::Url;

/// The flags of `up` and `setup`, and the keys of an answers file.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answers {
    /// The .NET environment, which `--environment` names on the command line.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Redis: container, HOST:PORT or none [default: the configured server if it responds, else a
    /// container]
    #[arg(long, value_name = "WHERE", value_parser = parse_redis)]
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_redis",
        deserialize_with = "read_redis"
    )]
    pub redis: Option<ServerChoice>,
    /// Environment variable with the password of Redis
    #[arg(long, value_name = "VARIABLE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_password_env: Option<String>,
    /// Environment variable that an answers file may name, beside those that begin with HARMONY_
    #[arg(long, value_name = "VARIABLE")]
    #[serde(skip)]
    pub allow_env: Vec<String>,
    /// Port to publish Redis on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_port: Option<u16>,
    /// Image of Redis [default: the version in use, else redis:8-alpine]
    #[arg(long, value_name = "IMAGE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_image: Option<String>,
    /// Keep the data of Redis in a volume; the hub does not need it [default: as before, at first
    /// false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_volume: Option<bool>,
    /// RabbitMQ: container, HOST:PORT or embedded [default: the configured server if it responds,
    /// else a container]
    #[arg(long, value_name = "WHERE", value_parser = parse_rabbitmq)]
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_rabbitmq",
        deserialize_with = "read_rabbitmq"
    )]
    pub rabbitmq: Option<ServerChoice>,
    /// User of RabbitMQ
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_user: Option<String>,
    /// Environment variable with the password of RabbitMQ
    #[arg(long, value_name = "VARIABLE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_password_env: Option<String>,
    /// Virtual host of RabbitMQ
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_vhost: Option<String>,
    /// Port to publish RabbitMQ on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_port: Option<u16>,
    /// Image of RabbitMQ [default: the version in use, else rabbitmq:4-management-alpine]
    #[arg(long, value_name = "IMAGE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_image: Option<String>,
    /// Registry to take the images from, such as localhost:5000
    #[arg(long, value_name = "REGISTRY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_registry: Option<String>,
    /// When to pull images [default: missing]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullFlag>,
    /// Address to publish Redis and RabbitMQ on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<IpAddr>,
    /// How to run the hub [default: as before, at first process]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubFlag>,
    /// Where clients find the hub; written to the client's settings, and where the hub listens
    #[arg(long, value_name = "URL", value_parser = parse_hub_url)]
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_url")]
    pub hub_url: Option<Url>,
    /// Where passwords go that are made for Redis and RabbitMQ [default: as before, at first files]
    #[arg(long, value_name = "WHERE", value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretsFlag>,
    /// Minimum log level of the hub
    #[arg(long, value_name = "LEVEL", value_parser = ["Verbose", "Debug", "Information", "Warning", "Error", "Fatal"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Accept servers that do not respond yet, or refuse the credentials
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub use_anyway: bool,
    /// Also show what changes in each settings file
    #[arg(long)]
    #[serde(skip)]
    pub diff: bool,
    /// Settings of each application by their keys; null removes one.
    #[arg(skip)]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: EditedSettings,
    /// Take the instance over from the checkout that it belongs to
    #[arg(long)]
    #[serde(skip)]
    pub adopt: bool,
    /// Give Redis and RabbitMQ new passwords, and write them into the settings
    #[arg(long)]
    #[serde(skip)]
    pub rotate_credentials: bool,
    /// The services whose passwords an answers file names.
    #[arg(skip)]
    #[serde(skip)]
    pub passwords_from_file: Vec<Service>,
    /// Typed, and never written down.
    #[arg(skip)]
    #[serde(skip)]
    pub redis_password: Option<Secret>,
    #[arg(skip)]
    #[serde(skip)]
    pub rabbitmq_password: Option<Secret>,
}

/// What stands for no server, and the usual port of one.
#[derive(Debug, Clone, Copy)]
struct Words {
    without: &'static str,
    port: u16,
}

const REDIS: Words = Words {
    without: "none",
    port: 6379,
};
const RABBITMQ: Words = Words {
    without: "embedded",
    port: 5672,
};

impl Words {
    fn parse(self, text: &str) -> Result<ServerChoice, String> {
        match text {
            "container" => Ok(ServerChoice::Container),
            text if text == self.without => Ok(ServerChoice::Without),
            text => match self.misspelt(text) {
                Some(word) => Err(format!(
                    "did you mean '{word}'? A host of that name is written '{text}:{}'",
                    self.port
                )),
                None => Endpoint::parse(text, self.port)
                    .map(ServerChoice::Server)
                    .ok_or_else(|| format!("expected container, HOST:PORT or {}", self.without)),
            },
        }
    }

    /// The word that was meant, where a text is nearly one.
    fn misspelt(self, text: &str) -> Option<&'static str> {
        let text = text.to_ascii_lowercase();
        ["container", self.without]
            .into_iter()
            .find(|word| strsim::damerau_levenshtein(&text, word) <= word.len() / 4)
    }

    fn serialize<S: Serializer>(
        self,
        choice: Option<&ServerChoice>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let word = |choice: &ServerChoice| match choice {
            ServerChoice::Container => "container".to_owned(),
            ServerChoice::Server(endpoint) => endpoint.to_string(),
            ServerChoice::Without => self.without.to_owned(),
        };
        choice.map(word).serialize(serializer)
    }
}

fn parse_redis(text: &str) -> Result<ServerChoice, String> {
    REDIS.parse(text)
}

fn parse_rabbitmq(text: &str) -> Result<ServerChoice, String> {
    RABBITMQ.parse(text)
}

impl Answers {
    /// What provisioning is asked for.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            redis: self.redis.clone(),
            redis_password: self.redis_password.clone(),
            redis_port: self.redis_port,
            redis_image: self.redis_image.clone(),
            redis_volume: self.redis_volume,
            rabbitmq: self.rabbitmq.clone(),
            rabbitmq_user: self.rabbitmq_user.clone(),
            rabbitmq_password: self.rabbitmq_password.clone(),
            rabbitmq_vhost: self.rabbitmq_vhost.clone(),
            rabbitmq_port: self.rabbitmq_port,
            rabbitmq_image: self.rabbitmq_image.clone(),
            image_registry: self.image_registry.clone(),
            pull: self.pull.map(Pull::from).unwrap_or_default(),
            bind: self.bind,
            hub: self.hub.map(HubChoice::from),
            hub_url: self.hub_url.clone(),
            log_level: self.log_level.clone(),
            settings: changes(&self.settings),
            use_anyway: self.use_anyway,
            adopt: self.adopt,
            rotate_credentials: self.rotate_credentials,
            secrets: self.secrets.map(SecretsStore::from),
            passwords_from_file: self.passwords_from_file.clone(),
        }
    }
}

fn write_redis<S: Serializer>(
    choice: &Option<ServerChoice>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    REDIS.serialize(choice.as_ref(), serializer)
}

fn write_rabbitmq<S: Serializer>(
    choice: &Option<ServerChoice>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    RABBITMQ.serialize(choice.as_ref(), serializer)
}

fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .map(Some)
        .map_err(|error| serde::de::Error::custom(format!("'{text}': {error}")))
}

type MaybeChoice = Option<ServerChoice>;

fn read_redis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MaybeChoice, D::Error> {
    parsed(deserializer, parse_redis)
}

fn read_rabbitmq<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MaybeChoice, D::Error> {
    parsed(deserializer, parse_rabbitmq)
}

fn read_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    parsed(deserializer, parse_hub_url)
}
