//! Which generation of a server an image holds, and which generations can use its data.

use super::service::Service;

/// The variables in which official images say their version.
const VERSION_VARIABLES: [(&str, &str); 3] = [
    ("REDIS_VERSION", "redis"),
    ("VALKEY_VERSION", "valkey"),
    ("RABBITMQ_VERSION", "rabbitmq"),
];

/// A server and its major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    pub product: Product,
    pub major: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Redis,
    Valkey,
    RabbitMq,
}

/// Data that an image cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{volume} holds data of {data}, which {image} ({wanted}) cannot open")]
pub struct UnusableData {
    pub volume: String,
    pub data: Generation,
    pub image: String,
    pub wanted: Generation,
}

impl Product {
    fn named(name: &str) -> Option<Self> {
        match name {
            "redis" => Some(Product::Redis),
            "valkey" => Some(Product::Valkey),
            "rabbitmq" => Some(Product::RabbitMq),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Product::Redis => "Redis",
            Product::Valkey => "Valkey",
            Product::RabbitMq => "RabbitMQ",
        }
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.product.name(), self.major)
    }
}

impl Generation {
    /// The generation of an image: by the version that it declares (`redis 8.0.6`), where it is
    /// here; else by its name and tag.
    pub fn of(image: &str, server_version: &str) -> Option<Self> {
        Self::declared(server_version).or_else(|| Self::named(image))
    }

    fn declared(server_version: &str) -> Option<Self> {
        let (product, version) = server_version.split_once(' ')?;
        Some(Generation {
            product: Product::named(product)?,
            major: leading_number(version)?,
        })
    }

    fn named(image: &str) -> Option<Self> {
        let name = image.split('@').next()?.rsplit('/').next()?;
        let (product, tag) = name.split_once(':')?;
        Some(Generation {
            product: Product::named(product)?,
            major: leading_number(tag)?,
        })
    }

    /// What the volumes and containers of version 0.1 hold, which say nothing of it.
    pub fn before_labels(service: Service) -> Option<Self> {
        let (product, major) = match service {
            Service::Redis => (Product::Redis, 7),
            Service::RabbitMq => (Product::RabbitMq, 3),
            Service::Hub => return None,
        };
        Some(Generation { product, major })
    }

    /// The official image of a generation, for data that stays with it.
    pub fn image(&self) -> String {
        let major = self.major;
        match self.product {
            Product::Redis => format!("redis:{major}-alpine"),
            Product::Valkey => format!("valkey/valkey:{major}-alpine"),
            Product::RabbitMq => format!("rabbitmq:{major}-management-alpine"),
        }
    }

    /// Whether a server of this generation opens data of another.
    pub fn opens(&self, data: &Generation) -> bool {
        match (self.product, data.product) {
            // Only version by version, with all feature flags on: not by another image alone.
            (Product::RabbitMq, Product::RabbitMq) => self.major == data.major,
            (Product::Redis, Product::Redis) | (Product::Valkey, Product::Valkey) => {
                self.major >= data.major
            }
            // Valkey came from Redis 7.2; both changed the format of their files since.
            (Product::Valkey, Product::Redis) => data.major <= 7,
            _ => false,
        }
    }
}

/// `redis 8.0.6`, from an image's variables.
pub fn version_of_server(variables: &[String]) -> Option<String> {
    let pairs = variables
        .iter()
        .filter_map(|variable| variable.split_once('='));
    pairs.into_iter().find_map(|(name, version)| {
        let (_, product) = VERSION_VARIABLES.iter().find(|(known, _)| *known == name)?;
        Some(format!("{product} {version}"))
    })
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}
