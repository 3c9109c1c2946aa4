//! Waiting for a container of ours: until it answers, dies, or has to be given the credentials of the settings.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::up::Decided;
use crate::connection_string::amqp::BrokerAddress;
use crate::containers::Service;
use crate::containers::docker::engine::Engine;
use crate::containers::readiness::{RabbitMqEnd, await_rabbitmq, await_redis};
use crate::hub_client::HubClient;
use crate::secret::Secret;
use std::time::Duration;

const ASK_AGAIN: Duration = Duration::from_millis(20);
/// A hub that takes a connection and says nothing is asked anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Waits until a container answers in the words that the hub and its clients will use; ends early where it dies.
pub async fn await_service(
    context: &Context,
    engine: &Engine,
    decided: &Decided,
    service: Service,
    id: &str,
) -> Result<(), Failure> {
    let observer = engine.observer();
    let died = match (service, &decided.redis.options, &decided.rabbitmq.address) {
        (Service::Redis, Some(options), _) => {
            await_redis(options, observer.await_end(id)).await.err()
        }
        (Service::RabbitMq, _, Some(address)) => {
            match await_rabbitmq(address, observer.await_end(id)).await {
                Ok(()) => None,
                Err(RabbitMqEnd::Gone(code)) => Some(code),
                // Its volume was made with other credentials, which only it can change: then once more.
                Err(RabbitMqEnd::Refused)
                    if repair_credentials(context, engine, id, address).await? =>
                {
                    match await_rabbitmq(address, observer.await_end(id)).await {
                        Ok(()) => None,
                        Err(RabbitMqEnd::Gone(code)) => Some(code),
                        Err(RabbitMqEnd::Refused) => return Err(credentials_refused()),
                    }
                }
                Err(RabbitMqEnd::Refused) => return Err(credentials_refused()),
            }
        }
        (Service::Hub, ..) => {
            let answers = async {
                while HubClient::connect(&decided.hub_url, ANSWER_WITHIN)
                    .await
                    .is_err()
                {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            };
            tokio::select! {
                () = answers => None,
                code = observer.await_end(id) => Some(code),
            }
        }
        _ => None,
    };
    let Some(code) = died else { return Ok(()) };
    let log = observer.last_lines(id).await;
    Err(Failure::new(
        Exit::NotReady,
        "containerDied",
        format!(
            "the {} container ended at once (exit code {code})",
            service.name()
        ),
    )
    .why(format!("its last lines:\n{log}")))
}

/// Gives RabbitMQ the user, password and virtual host that the settings have, by its own tool inside
/// its container; its data stays. False where that tool did not do it.
async fn repair_credentials(
    context: &Context,
    engine: &Engine,
    id: &str,
    address: &BrokerAddress,
) -> Result<bool, Failure> {
    context.terminal.warn(&format!(
        "RabbitMQ's volume was made with other credentials; its user '{}' gets those of the settings, and its data stays",
        address.username
    ));
    let nothing = Secret::default();
    let (user, virtual_host) = (address.username.as_str(), address.virtual_host.as_str());
    // Whichever of the two applies; the password is read, not given as an argument.
    let known = engine
        .run_inside(
            id,
            &["rabbitmqctl", "change_password", user],
            &address.password,
        )
        .await?;
    if !known
        && !engine
            .run_inside(id, &["rabbitmqctl", "add_user", user], &address.password)
            .await?
    {
        return Ok(false);
    }
    engine
        .run_inside(
            id,
            &["rabbitmqctl", "set_user_tags", user, "administrator"],
            &nothing,
        )
        .await?;
    // One that is there already is not made anew.
    engine
        .run_inside(id, &["rabbitmqctl", "add_vhost", virtual_host], &nothing)
        .await?;
    Ok(engine
        .run_inside(
            id,
            &[
                "rabbitmqctl",
                "set_permissions",
                "-p",
                virtual_host,
                user,
                ".*",
                ".*",
                ".*",
            ],
            &nothing,
        )
        .await?)
}

fn credentials_refused() -> Failure {
    Failure::new(
        Exit::NotReady,
        "credentialsRefused",
        "RabbitMQ refuses the user or the password",
    )
    .why("its volume was made with other credentials than the settings have")
    .fix(
        "put the earlier ones into BrokerConfiguration, or let the data go: harmony down --volumes",
    )
}
