//! The servers that are meant, with the credentials that they may have.

use crate::appsettings::layers::Layers;
use crate::connection_string::Endpoint;
use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::{RedisOptions, rewrite, without_credentials};
use crate::containers::Service;
use crate::hub::settings::{HubSettingsError, broker_address};
use crate::project::Project;
use crate::provision::request::{ServerChoice, Wanted};
use crate::secret::Secret;

/// RabbitMQ's own user and password, where nobody says another.
const GUEST: &str = "guest";

/// The Redis of the settings; `None` where they have none.
pub fn configured_redis(layers: &Layers) -> Result<Option<RedisOptions>, HubSettingsError> {
    match layers.get("RedisConnectionString") {
        "" => Ok(None),
        text => Ok(Some(RedisOptions::parse(text)?)),
    }
}

/// The connection string for a server that was named: as configured, where it is the same one.
pub fn redis_at(wanted: &Wanted, layers: &Layers, endpoint: &Endpoint) -> String {
    let text = layers.get("RedisConnectionString");
    let configured = RedisOptions::parse(text).ok();
    let known = configured.filter(|known| known.endpoints.first() == Some(endpoint));
    // Credentials and a proxy are those of the server that the settings name.
    let text = match known {
        Some(_) => text.to_owned(),
        None => without_credentials(text),
    };
    let password = wanted
        .redis_password
        .clone()
        .or_else(|| known.and_then(|known| known.password));
    rewrite(&text, endpoint, password.as_ref())
}

/// The Redis whose response the decision depends on.
pub fn redis_to_ask(
    wanted: &Wanted,
    layers: &Layers,
) -> Result<Option<RedisOptions>, HubSettingsError> {
    match &wanted.redis {
        Some(ServerChoice::Without | ServerChoice::Container) => Ok(None),
        Some(ServerChoice::Server(endpoint)) => {
            let text = redis_at(wanted, layers, endpoint);
            Ok(Some(RedisOptions::parse(&text)?))
        }
        None => configured_redis(layers),
    }
}

/// The RabbitMQ of the settings, with the credentials that were given.
pub fn configured_rabbitmq(
    wanted: &Wanted,
    layers: &Layers,
) -> Result<BrokerAddress, HubSettingsError> {
    let mut address = broker_address(layers)?;
    if let Some(user) = &wanted.rabbitmq_user {
        address.username.clone_from(user);
    }
    if let Some(password) = &wanted.rabbitmq_password {
        address.password.clone_from(password);
    }
    if let Some(name) = wanted
        .rabbitmq_vhost
        .as_ref()
        .filter(|name| !name.is_empty())
    {
        address.virtual_host.clone_from(name);
    }
    Ok(address)
}

/// A RabbitMQ that was named. The credentials of the settings are for the server that they name.
pub fn rabbitmq_at(
    wanted: &Wanted,
    configured: BrokerAddress,
    endpoint: &Endpoint,
) -> BrokerAddress {
    let is_known = configured.endpoint == *endpoint
        || configured.endpoint.is_loopback() && endpoint.is_loopback();
    if is_known {
        return BrokerAddress {
            endpoint: endpoint.clone(),
            ..configured
        };
    }
    let user = wanted.rabbitmq_user.as_deref().unwrap_or(GUEST);
    let password = wanted.rabbitmq_password.as_ref().map(Secret::reveal);
    BrokerAddress::new(
        endpoint.clone(),
        user,
        password.unwrap_or(GUEST),
        &configured.virtual_host,
    )
}

/// The RabbitMQ whose response the decision depends on.
pub fn rabbitmq_to_ask(
    wanted: &Wanted,
    layers: &Layers,
) -> Result<Option<BrokerAddress>, HubSettingsError> {
    let address = configured_rabbitmq(wanted, layers)?;
    match &wanted.rabbitmq {
        Some(ServerChoice::Without | ServerChoice::Container) => Ok(None),
        Some(ServerChoice::Server(endpoint)) => Ok(Some(rabbitmq_at(wanted, address, endpoint))),
        None => Ok(Some(address)),
    }
}

/// The servers elsewhere that would be asked with credentials which nobody typed for them: those
/// that an answers file names, and those of settings whose address is only now changed.
pub fn postponed(
    wanted: &Wanted,
    project: &Project,
    redis: Option<&RedisOptions>,
    rabbitmq: Option<&BrokerAddress>,
) -> Vec<Service> {
    let before = project.hub.original_layers();
    let from_file = |service| wanted.passwords_from_file.contains(&service);
    let redis = redis.filter(|asked| {
        let known = configured_redis(&before).ok().flatten();
        let moved = known.map(|known| (known.endpoints, known.tunnel))
            != Some((asked.endpoints.clone(), asked.tunnel.clone()));
        let typed = wanted.redis.is_some();
        asked.leaves_this_machine() && (from_file(Service::Redis) || moved && !typed)
    });
    let rabbitmq = rabbitmq.filter(|asked| {
        let known = broker_address(&before).ok().map(|known| known.endpoint);
        let typed = wanted.rabbitmq.is_some();
        !asked.endpoint.is_loopback()
            && (from_file(Service::RabbitMq) || known != Some(asked.endpoint.clone()) && !typed)
    });
    let redis = redis.map(|_| Service::Redis);
    redis
        .into_iter()
        .chain(rabbitmq.map(|_| Service::RabbitMq))
        .collect()
}
