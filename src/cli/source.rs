//! Where the hub takes its notifications from, and what becomes of one that is sent there.

use super::context::Context;
use super::counters::{self, AdminAccess, Counters, admin_access};
use super::failure::{Exit, Failure};
use crate::broker::{Broker, BrokerError, TYPE_HEADER};
use crate::connection_string::amqp::BrokerAddress;
use crate::hub::settings::broker_address;
use crate::hub_client::http::{self, Exchange};
use crate::instance::ServiceOrigin;
use crate::project::ApplicationSettings;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long our hub may take to take one.
const TAKE_WITHIN: Duration = Duration::from_secs(3);

/// Where notifications go in.
pub enum NotificationSource {
    RabbitMq {
        address: BrokerAddress,
        /// Of our own hub, where one runs.
        admin: Option<AdminAccess>,
    },
    Inbox(AdminAccess),
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Receipt {
    /// Our hub has it.
    Taken,
    /// Our hub has it and sends nothing for it, as .NET's does.
    Ignored,
    /// It waits in the queue for so many hubs.
    Queued { consumers: u32 },
}

impl fmt::Display for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Receipt::Taken => formatter.write_str("the hub took it"),
            Receipt::Ignored => formatter.write_str("the hub ignores this notification"),
            Receipt::Queued { consumers: 0 } => formatter.write_str("queued, no consumers"),
            Receipt::Queued { consumers: 1 } => formatter.write_str("queued, 1 consumer"),
            Receipt::Queued { consumers } => write!(formatter, "queued, {consumers} consumers"),
        }
    }
}

impl NotificationSource {
    /// The embedded hub's inbox where one runs, else the RabbitMQ of the settings.
    pub fn find(context: &Context) -> Result<Self, Failure> {
        let state = context.instance.state()?;
        let admin = admin_access(context)?;
        if state.rabbitmq == ServiceOrigin::Embedded {
            return Ok(NotificationSource::Inbox(admin.ok_or_else(no_hub)?));
        }
        let checkout = context.known_checkout()?;
        let scope = context.scope_of_instance()?;
        let layers = ApplicationSettings::of(&checkout, &checkout.hub, &scope)?.layers();
        Ok(NotificationSource::RabbitMq {
            address: broker_address(&layers)?,
            admin,
        })
    }

    pub async fn publish(&self, notification: &str, body: &[u8]) -> Result<Receipt, Failure> {
        match self {
            NotificationSource::RabbitMq { address, admin } => {
                let before = match admin {
                    Some(admin) => counters::read(admin).await,
                    None => None,
                };
                let broker = Broker::connect(address, "harmony", CONNECT_WITHIN)
                    .await
                    .map_err(|error| unusable(address, &error))?;
                let sent = queue(&broker, notification, body).await;
                broker.close().await;
                let consumers = sent.map_err(|error| unusable(address, &error))?;
                match (admin, before) {
                    (Some(admin), Some(before)) => taken(admin, before, consumers).await,
                    _ => Ok(Receipt::Queued { consumers }),
                }
            }
            NotificationSource::Inbox(admin) => put(admin, notification, body).await,
        }
    }
}

/// Publishes; says how many hubs consume the queue.
async fn queue(broker: &Broker, notification: &str, body: &[u8]) -> Result<u32, BrokerError> {
    broker.publish(notification, body).await?;
    broker.consumers().await
}

/// Waits for our hub's own word.
async fn taken(admin: &AdminAccess, before: Counters, consumers: u32) -> Result<Receipt, Failure> {
    let Some(after) = counters::await_more(admin, before, TAKE_WITHIN).await else {
        return Ok(Receipt::Queued { consumers });
    };
    if after.rejected > before.rejected {
        return Err(Failure::new(
            Exit::Failed,
            "rejected",
            "the hub cannot deliver the notification and has set it aside",
        )
        .fix("'harmony rejected list' shows the reason"));
    }
    Ok(if after.ignored > before.ignored {
        Receipt::Ignored
    } else {
        Receipt::Taken
    })
}

/// Posts to the embedded hub.
async fn put(admin: &AdminAccess, notification: &str, body: &[u8]) -> Result<Receipt, Failure> {
    let (url, authorization) = (admin.at("/notifications")?, admin.authorization());
    let request = Exchange::new(hyper::Method::POST, &url)
        .header("Authorization", &authorization)
        .header(TYPE_HEADER, notification)
        .body(body.to_vec());
    let response = http::send(&request, CONNECT_WITHIN).await;
    let response = response.map_err(|error| {
        Failure::new(
            Exit::NotReady,
            "hubUnreachable",
            "cannot reach the hub's inbox",
        )
        .why(error.to_string())
        .fix("'harmony status' shows whether the hub runs; 'harmony up' starts it")
    })?;
    match response.status {
        204 => Ok(Receipt::Ignored),
        200..300 => Ok(Receipt::Taken),
        status => Err(Failure::new(
            Exit::Failed,
            "notTaken",
            format!("the hub did not take the notification ({status})"),
        )
        .why(response.body)),
    }
}

impl fmt::Display for NotificationSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotificationSource::RabbitMq { address, .. } => {
                write!(formatter, "RabbitMQ at {}", address.endpoint)
            }
            NotificationSource::Inbox(admin) => write!(formatter, "the hub's inbox at {admin}"),
        }
    }
}

/// RabbitMQ cannot be used.
pub fn unusable(address: &BrokerAddress, error: &BrokerError) -> Failure {
    if let BrokerError::Unroutable = error {
        return Failure::new(
            Exit::Failed,
            "unroutable",
            format!(
                "RabbitMQ at {} has no queue for the notification",
                address.endpoint
            ),
        )
        .why("no hub has declared the queue notifications.signalr there yet")
        .fix("start the hub, then publish again: harmony up");
    }
    Failure::new(
        Exit::NotReady,
        "brokerUnusable",
        format!("RabbitMQ at {} can't be used", address.endpoint),
    )
    .why(error.to_string())
    .fix("run 'harmony up', or correct BrokerConfiguration in the hub's settings")
}

pub fn no_hub() -> Failure {
    Failure::new(Exit::NotReady, "noHub", "no hub is running").fix("start one: harmony up")
}
