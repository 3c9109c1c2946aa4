//! Where Redis comes from.

use super::basis::{Basis, PortWish};
use super::image;
use crate::connection_string::Endpoint;
use crate::connection_string::redis::{RedisOptions, rewrite};
use crate::containers::readiness::NotReady;
use crate::containers::{ContainerSpec, Service, network_name};
use crate::hub::settings::HubSettingsError;
use crate::instance::ServiceOrigin;
use crate::provision::decision::RedisDecision;
use crate::provision::error::Error;
use crate::provision::ports::REDIS_PORT;
use crate::provision::questions::configured_port;
use crate::provision::request::ServerChoice;
use crate::provision::servers::{configured_redis, redis_at};
use crate::secret::Secret;

/// Decides for Redis; `shared` where Harmony's caches use it too.
pub fn decide(basis: &Basis<'_>, shared: bool) -> Result<RedisDecision, Error> {
    match &basis.wanted.redis {
        Some(ServerChoice::Without) => return Ok(RedisDecision::None),
        Some(ServerChoice::Server(endpoint)) => {
            let text = redis_at(&basis.wanted, basis.layers, endpoint);
            let options = RedisOptions::parse(&text).map_err(HubSettingsError::from)?;
            demand_response(basis, &options)?;
            let configured = configured_redis(basis.layers)?;
            let same = configured.is_some_and(|known| {
                known.endpoints.first() == Some(endpoint) && known.password == options.password
            });
            return Ok(RedisDecision::External {
                options,
                connection_string: (!same).then_some(text),
            });
        }
        Some(ServerChoice::Container) => basis.demand_engine()?,
        None if basis.world.found(Service::Redis).is_some() => {}
        None => {
            if let Some(options) = responding(basis)? {
                return Ok(RedisDecision::External {
                    options,
                    connection_string: None,
                });
            }
            if basis.fallback()? == ServiceOrigin::Embedded {
                return Ok(RedisDecision::None);
            }
        }
    }
    container(basis, shared)
}

/// The server of the settings, where it responds.
fn responding(basis: &Basis<'_>) -> Result<Option<RedisOptions>, Error> {
    let Some(probe) = &basis.world.redis else {
        return Ok(None);
    };
    match &probe.result {
        Ok(()) | Err(NotReady::NotAsked) => Ok(Some(probe.asked.clone())),
        // Somebody chose this password for this server: another server is not what they meant.
        Err(NotReady::Refused) if probe.asked.password.is_some() => {
            Err(unusable(&probe.asked, &NotReady::Refused))
        }
        Err(error @ NotReady::TooOld(..)) => Err(unusable(&probe.asked, error)),
        Err(_) => Ok(None),
    }
}

fn demand_response(basis: &Basis<'_>, options: &RedisOptions) -> Result<(), Error> {
    match basis.world.redis.as_ref().map(|probe| &probe.result) {
        Some(Ok(()) | Err(NotReady::NotAsked)) => Ok(()),
        Some(Err(error)) if basis.accepts(error) => Ok(()),
        Some(Err(error)) => Err(unusable(options, error)),
        None => Err(unusable(
            options,
            &NotReady::Other("nobody asked it".into()),
        )),
    }
}

fn unusable(options: &RedisOptions, error: &NotReady) -> Error {
    let endpoint = options.endpoints.first().cloned();
    Error::ServerUnusable {
        service: Service::Redis,
        endpoint: endpoint.unwrap_or_else(|| Endpoint::new("localhost", REDIS_PORT)),
        error: error.clone(),
        advice: None,
    }
}

fn container(basis: &Basis<'_>, shared: bool) -> Result<RedisDecision, Error> {
    let (wanted, world) = (&basis.wanted, basis.world);
    let (port, moved) = basis.port(&PortWish {
        service: Service::Redis,
        address: basis.bind,
        inside: REDIS_PORT,
        asked: wanted.redis_port,
        before: basis.known().redis_port,
        configured: configured_port(Service::Redis, basis.layers),
        free: world.free_ports.redis,
    })?;
    let password = password(basis, shared)?;
    let known = basis.layers.get("RedisConnectionString");
    let text = rewrite(known, &basis.endpoint(port), password.as_ref());
    let options = RedisOptions::parse(&text).map_err(HubSettingsError::from)?;
    let keeps = wanted.redis_volume.unwrap_or(basis.known().redis_volume);
    let spec = ContainerSpec::redis(
        &world.instance,
        image::choose(basis, Service::Redis, wanted.redis_image.as_deref())?,
        basis.bind,
        port,
        password.as_ref(),
        keeps,
    );
    Ok(RedisDecision::Container {
        spec: Box::new(spec),
        options,
        connection_string: text,
        moved,
    })
}

/// The container's password; none where Harmony's caches use it, which take the address apart at
/// its colon and have no place for one.
fn password(basis: &Basis<'_>, shared: bool) -> Result<Option<Secret>, Error> {
    if shared {
        return check_reach(basis).map(|()| None);
    }
    let configured = || {
        let options = configured_redis(basis.layers)?;
        Ok::<_, Error>(options.and_then(|options| options.password))
    };
    let password = match (
        &basis.wanted.redis_password,
        basis.wanted.rotate_credentials,
    ) {
        (Some(given), _) => given.clone(),
        (None, true) => basis.world.new_passwords.redis.clone(),
        (None, false) => configured()?.unwrap_or_else(|| basis.world.new_passwords.redis.clone()),
    };
    check_expressible(&password)?;
    Ok(Some(password))
}

/// Without a password only users of this machine may reach it.
fn check_reach(basis: &Basis<'_>) -> Result<(), Error> {
    match &basis.world.other_machine {
        Some(machine) => Err(Error::RedisWithoutPassword(machine.clone())),
        None if !basis.bind.is_loopback() => {
            Err(Error::RedisWithoutPassword(basis.bind.to_string()))
        }
        None => Ok(()),
    }
}

/// StackExchange.Redis separates options by commas and trims them; there is no way to quote.
fn check_expressible(password: &Secret) -> Result<(), Error> {
    let text = password.reveal();
    let why = if text.contains(',') {
        "it contains a comma, which separates options in a Redis connection string"
    } else if text.trim() != text {
        "it begins or ends with a blank, which a Redis connection string cannot express"
    } else if text.contains(char::is_control) {
        "it contains a control character"
    } else {
        return Ok(());
    };
    Err(Error::PasswordNotExpressible {
        service: Service::Redis,
        why,
    })
}

/// Lets a container of Redis join the network of the hub's container.
pub fn join_network(decision: &mut RedisDecision, instance: &str) {
    if let RedisDecision::Container { spec, .. } = decision {
        spec.network = Some(network_name(instance));
    }
}
