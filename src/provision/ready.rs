//! Waits for a container of ours: until it responds, dies, or needs the credentials of the
//! settings.

use crate::connection_string::amqp::BrokerAddress;
use crate::connection_string::redis::RedisOptions;
use crate::containers::Service;
use crate::containers::docker::DockerError;
use crate::containers::docker::engine::Engine;
use crate::containers::readiness::{NotReady, RabbitMqEnd, await_rabbitmq, await_redis};
use crate::hub_client::HubClient;
use crate::provision::decision::Decision;
use crate::provision::error::Error;
use crate::provision::progress::{Notice, Progress};
use crate::secret::Secret;
use std::time::Duration;
use url::Url;

const ASK_AGAIN: Duration = Duration::from_millis(20);
/// A hub that accepts a connection and says nothing is asked again.
const RESPONSE_WITHIN: Duration = Duration::from_secs(5);

/// Waits until a container responds in the words that the hub and its clients will use; ends early
/// where it dies.
pub async fn await_service(
    engine: &Engine,
    decision: &Decision,
    service: Service,
    id: &str,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let died = match service {
        Service::Redis => match decision.redis.options() {
            Some(options) => redis(engine, options, id).await,
            None => None,
        },
        Service::RabbitMq => match decision.rabbitmq.address() {
            Some(address) => rabbitmq(engine, address, id, progress).await?,
            None => None,
        },
        Service::Hub => hub(engine, &decision.hub_url, id).await,
    };
    let Some(code) = died else { return Ok(()) };
    Err(Error::ContainerDied {
        service,
        code,
        log: engine.observer().last_lines(id).await,
        was_running: false,
    })
}

/// The exit code, where the container ended before it was ready.
async fn redis(engine: &Engine, options: &RedisOptions, id: &str) -> Option<i64> {
    let end = engine.observer().await_end(id);
    await_redis(options, end).await.err()
}

async fn hub(engine: &Engine, url: &Url, id: &str) -> Option<i64> {
    let connects = async {
        while HubClient::connect(url, RESPONSE_WITHIN).await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    tokio::select! {
        () = connects => None,
        code = engine.observer().await_end(id) => Some(code),
    }
}

async fn rabbitmq(
    engine: &Engine,
    address: &BrokerAddress,
    id: &str,
    progress: &dyn Progress,
) -> Result<Option<i64>, Error> {
    match await_rabbitmq(address, engine.observer().await_end(id)).await {
        Ok(()) => return Ok(None),
        Err(RabbitMqEnd::Gone(code)) => return Ok(Some(code)),
        Err(RabbitMqEnd::NotUsable(error)) => return Err(unusable(address, error)),
        Err(RabbitMqEnd::Refused) => {}
    }
    // Its volume was made with other credentials, which only RabbitMQ itself can change.
    progress.notice(&Notice::CredentialsRepaired {
        user: address.username.clone(),
    });
    if !repair_credentials(engine, id, address).await? {
        return Err(Error::CredentialsRefused);
    }
    match await_rabbitmq(address, engine.observer().await_end(id)).await {
        Ok(()) => Ok(None),
        Err(RabbitMqEnd::Gone(code)) => Ok(Some(code)),
        Err(RabbitMqEnd::NotUsable(error)) => Err(unusable(address, error)),
        Err(RabbitMqEnd::Refused) => Err(Error::CredentialsRefused),
    }
}

fn unusable(address: &BrokerAddress, error: NotReady) -> Error {
    Error::ServerUnusable {
        service: Service::RabbitMq,
        endpoint: address.endpoint.clone(),
        advice: error.rabbitmq_advice(address),
        error,
    }
}

/// Gives RabbitMQ the user, password and virtual host that the settings have, by its own tool
/// inside its container; its data stays. False where that tool failed.
async fn repair_credentials(
    engine: &Engine,
    id: &str,
    address: &BrokerAddress,
) -> Result<bool, DockerError> {
    let (user, virtual_host) = (address.username.as_str(), address.virtual_host.as_str());
    let nothing = Secret::default();
    let control = async |arguments: &[&str], input: &Secret| {
        let command = [&["rabbitmqctl"], arguments].concat();
        engine.run_inside(id, &command, input).await
    };
    // Whichever of the two applies; the password is read, not given as an argument.
    let known = control(&["change_password", user], &address.password).await?;
    if !known && !control(&["add_user", user], &address.password).await? {
        return Ok(false);
    }
    control(&["set_user_tags", user, "administrator"], &nothing).await?;
    // One that exists already is kept.
    control(&["add_vhost", virtual_host], &nothing).await?;
    let everything = [".*", ".*", ".*"];
    let permissions = [
        &["set_permissions", "-p", virtual_host, user],
        &everything[..],
    ]
    .concat();
    control(&permissions, &nothing).await
}
