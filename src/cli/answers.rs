//! Every answer that `up` and `setup` need: flags win over an answers file, the file over questions and defaults.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::appsettings::{self, SettingsFile};
use crate::connection_string::Endpoint;
use crate::project::parse_hub_url;
use crate::schema;
use crate::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::IpAddr;
use url::Url;

/// Where a typed password is looked for when recorded answers are replayed.
const REDIS_PASSWORD: &str = "HARMONY_REDIS_PASSWORD";
const RABBITMQ_PASSWORD: &str = "HARMONY_RABBITMQ_PASSWORD";

/// The flags of `up` and `setup`, and the keys of an answers file.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answers {
    /// Redis: container, HOST:PORT or none [default: what answers at the configured address, else a container]
    #[arg(long, value_name = "WHERE", value_parser = Asked::parse_redis)]
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "redis_word",
        deserialize_with = "parse_redis"
    )]
    pub redis: Option<Asked>,
    /// The environment variable that holds Redis's password
    #[arg(long, value_name = "VARIABLE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_password_env: Option<String>,
    /// The port that Redis is published on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_port: Option<u16>,
    /// [default: redis:7-alpine]
    #[arg(long, value_name = "IMAGE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_image: Option<String>,
    /// Whether Redis keeps its data in a volume; a backplane needs none [default: as before, at first false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_volume: Option<bool>,
    /// RabbitMQ: container, HOST:PORT or embedded [default: what answers at the configured address, else a container]
    #[arg(long, value_name = "WHERE", value_parser = Asked::parse_rabbitmq)]
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rabbitmq_word",
        deserialize_with = "parse_rabbitmq"
    )]
    pub rabbitmq: Option<Asked>,
    /// RabbitMQ's user
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_user: Option<String>,
    /// The environment variable that holds RabbitMQ's password
    #[arg(long, value_name = "VARIABLE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_password_env: Option<String>,
    /// RabbitMQ's virtual host
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_vhost: Option<String>,
    /// The port that RabbitMQ is published on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_port: Option<u16>,
    /// [default: rabbitmq:3-management-alpine]
    #[arg(long, value_name = "IMAGE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabbitmq_image: Option<String>,
    /// A registry that has the images, such as localhost:5000
    #[arg(long, value_name = "REGISTRY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_registry: Option<String>,
    /// When images are pulled [default: missing]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,
    /// The address of this machine that containers publish their ports on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<IpAddr>,
    /// The hub: process, container or none [default: process]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubChoice>,
    /// Where clients find the hub; changes the client's settings and where the hub listens
    #[arg(long, value_name = "URL", value_parser = parse_hub_url)]
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parse_url"
    )]
    pub hub_url: Option<Url>,
    /// The least level that the hub logs
    #[arg(long, value_name = "LEVEL", value_parser = ["Verbose", "Debug", "Information", "Warning", "Error", "Fatal"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Typed, and never written down.
    #[arg(skip)]
    #[serde(skip)]
    pub redis_password: Option<Secret>,
    #[arg(skip)]
    #[serde(skip)]
    pub rabbitmq_password: Option<Secret>,
}

/// What `--redis` and `--rabbitmq` take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Container,
    Server(Endpoint),
    /// `none` for Redis, `embedded` for RabbitMQ.
    Without,
}

impl Asked {
    pub fn parse_redis(text: &str) -> Result<Self, String> {
        Self::parse(text, "none", 6379)
    }

    pub fn parse_rabbitmq(text: &str) -> Result<Self, String> {
        Self::parse(text, "embedded", 5672)
    }

    fn parse(text: &str, without: &str, port: u16) -> Result<Self, String> {
        match text {
            "container" => Ok(Asked::Container),
            text if text == without => Ok(Asked::Without),
            text => match misspelt(text, ["container", without]) {
                Some(word) => Err(format!(
                    "did you mean '{word}'? A host of that name is written '{text}:{port}'"
                )),
                None => Endpoint::parse(text, port)
                    .map(Asked::Server)
                    .ok_or_else(|| format!("container, HOST:PORT or {without} is expected")),
            },
        }
    }

    /// As it was asked for.
    pub fn word(&self, without: &str) -> String {
        match self {
            Asked::Container => "container".into(),
            Asked::Server(endpoint) => endpoint.to_string(),
            Asked::Without => without.into(),
        }
    }
}

/// The word that was meant, where the text is nearly one of them.
fn misspelt<'w>(text: &str, words: [&'w str; 2]) -> Option<&'w str> {
    let text = text.to_ascii_lowercase();
    words
        .into_iter()
        .find(|word| strsim::damerau_levenshtein(&text, word) <= word.len() / 4)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HubChoice {
    Process,
    Container,
    None,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pull {
    #[default]
    Missing,
    Always,
    Never,
}

impl Answers {
    /// These flags over what `--answers` has; the passwords looked up in the environment.
    pub fn gather(self, context: &Context) -> Result<Self, Failure> {
        let mut answers = match &context.answers {
            Some(path) => self.over(read(path)?),
            None => self,
        };
        answers.redis_password = named_password(
            answers.redis_password_env.as_deref(),
            "--redis-password-env",
        )?;
        answers.rabbitmq_password = named_password(
            answers.rabbitmq_password_env.as_deref(),
            "--rabbitmq-password-env",
        )?;
        Ok(answers)
    }

    fn over(self, lower: Answers) -> Self {
        Answers {
            redis: self.redis.or(lower.redis),
            redis_password_env: self.redis_password_env.or(lower.redis_password_env),
            redis_port: self.redis_port.or(lower.redis_port),
            redis_image: self.redis_image.or(lower.redis_image),
            redis_volume: self.redis_volume.or(lower.redis_volume),
            rabbitmq: self.rabbitmq.or(lower.rabbitmq),
            rabbitmq_user: self.rabbitmq_user.or(lower.rabbitmq_user),
            rabbitmq_password_env: self.rabbitmq_password_env.or(lower.rabbitmq_password_env),
            rabbitmq_vhost: self.rabbitmq_vhost.or(lower.rabbitmq_vhost),
            rabbitmq_port: self.rabbitmq_port.or(lower.rabbitmq_port),
            rabbitmq_image: self.rabbitmq_image.or(lower.rabbitmq_image),
            image_registry: self.image_registry.or(lower.image_registry),
            pull: self.pull.or(lower.pull),
            bind: self.bind.or(lower.bind),
            hub: self.hub.or(lower.hub),
            hub_url: self.hub_url.or(lower.hub_url),
            log_level: self.log_level.or(lower.log_level),
            redis_password: self.redis_password.or(lower.redis_password),
            rabbitmq_password: self.rabbitmq_password.or(lower.rabbitmq_password),
        }
    }

    /// Writes what was answered to `--record-answers`; for a typed password the variable that a replay takes it from.
    pub fn record(&self, context: &Context) -> Result<(), Failure> {
        let Some(path) = &context.record_answers else {
            return Ok(());
        };
        let mut answers = self.clone();
        let note = |typed: bool, variable: &mut Option<String>, name: &str| {
            if typed && variable.is_none() {
                *variable = Some(name.to_owned());
                context.terminal.note(&format!(
                    "{} names {name} in place of the password: set it before replaying",
                    path.display()
                ));
            }
        };
        note(
            self.redis_password.is_some(),
            &mut answers.redis_password_env,
            REDIS_PASSWORD,
        );
        note(
            self.rabbitmq_password.is_some(),
            &mut answers.rabbitmq_password_env,
            RABBITMQ_PASSWORD,
        );
        let text = serde_json::to_string_pretty(&answers)
            .map_err(|error| Failure::new(Exit::Failed, "answersFile", error.to_string()))?;
        Ok(appsettings::save(path, format!("{text}\n").as_bytes())?)
    }
}

fn read(path: &std::path::Path) -> Result<Answers, Failure> {
    let missing = || {
        Failure::new(Exit::Usage, "answersMissing", format!("{} is not there", path.display())).fix("name a file that --record-answers made, or that 'harmony settings schema answers' describes")
    };
    let file = SettingsFile::read(path)?.ok_or_else(missing)?;
    let violations = schema::answers_violations(&file);
    if !violations.is_empty() {
        return Err(schema::Violations(violations).into());
    }
    serde_json::from_value(file.document.to_json()).map_err(|error| {
        Failure::new(
            Exit::SettingsInvalid,
            "settingsInvalid",
            format!("{} can't be used", path.display()),
        )
        .why(error.to_string())
    })
}

fn named_password(variable: Option<&str>, flag: &str) -> Result<Option<Secret>, Failure> {
    let Some(name) = variable else {
        return Ok(None);
    };
    match std::env::var(name) {
        Ok(password) => Ok(Some(Secret::new(password))),
        Err(_) => Err(Failure::new(
            Exit::Usage,
            "answerMissing",
            format!("the environment variable {name} holds no password"),
        )
        .why(format!("{flag} names it"))
        .fix(format!("set {name}, or name another variable with {flag}"))),
    }
}

fn redis_word<S: Serializer>(asked: &Option<Asked>, serializer: S) -> Result<S::Ok, S::Error> {
    asked
        .as_ref()
        .map(|asked| asked.word("none"))
        .serialize(serializer)
}

fn rabbitmq_word<S: Serializer>(asked: &Option<Asked>, serializer: S) -> Result<S::Ok, S::Error> {
    asked
        .as_ref()
        .map(|asked| asked.word("embedded"))
        .serialize(serializer)
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

fn parse_redis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Asked>, D::Error> {
    parsed(deserializer, Asked::parse_redis)
}

fn parse_rabbitmq<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Asked>, D::Error> {
    parsed(deserializer, Asked::parse_rabbitmq)
}

fn parse_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    parsed(deserializer, parse_hub_url)
}
