//! `harmony publish`: one notification, sent as Harmony.Api sends it.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::broker::{Broker, BrokerError, TYPE_HEADER};
use crate::connection_string::amqp::BrokerAddress;
use crate::hub::compose::{self, ComposeError};
use crate::hub::settings::broker_address;
use crate::hub_client::http::{self, Exchange};
use crate::hub_process;
use crate::instance::Choice;
use crate::project::{ApplicationSettings, Scope};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct PublishArguments {
    /// Notification type, such as CardTitleChanged
    #[arg(value_name = "TYPE")]
    notification: String,
    /// Board whose clients get it
    #[arg(long, value_name = "ID")]
    board: Option<String>,
    /// Field of the body, such as Title=Hello; Card.Title=Hello sets a field of an object
    #[arg(long = "field", value_name = "KEY=VALUE", value_parser = parse_field)]
    fields: Vec<(String, String)>,
    /// File with the whole body
    #[arg(long, value_name = "FILE", conflicts_with_all = ["board", "fields"])]
    body: Option<PathBuf>,
}

fn parse_field(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(Debug, Serialize)]
struct Published {
    #[serde(rename = "type")]
    notification: String,
    via: String,
    bytes: usize,
}

impl fmt::Display for Published {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} published to {}", self.notification, self.via)
    }
}

pub async fn run(context: &Context, arguments: PublishArguments) -> Result<(), Failure> {
    let notification = compose::notification(&arguments.notification)?;
    let body = match &arguments.body {
        Some(path) => std::fs::read(path).map_err(|error| {
            Failure::new(
                Exit::Usage,
                "bodyUnreadable",
                format!("{} can't be read", path.display()),
            )
            .why(error.to_string())
        })?,
        None => compose::body(notification, arguments.board.as_deref(), &arguments.fields)?,
    };
    let source = Source::find(context)?;
    source.publish(&arguments.notification, &body).await?;
    context.terminal.result(&Published {
        notification: arguments.notification,
        via: source.to_string(),
        bytes: body.len(),
    });
    Ok(())
}

/// Where the hub takes its notifications from.
pub enum Source {
    RabbitMq(BrokerAddress),
    Inbox(Url),
}

impl Source {
    /// The embedded hub's inbox where one runs, else the RabbitMQ of the settings.
    pub fn find(context: &Context) -> Result<Self, Failure> {
        let state = context.instance.state()?;
        if state.rabbitmq == Choice::Embedded {
            let admin_url = match hub_process::find(&context.instance)? {
                Some(running) => running.admin_url,
                None if state.hub_in_container => state.admin_url(),
                None => return Err(no_hub()),
            };
            let inbox = Url::parse(&admin_url).and_then(|url| url.join("/notifications"));
            return inbox
                .map(Source::Inbox)
                .map_err(|error| Failure::new(Exit::Failed, "adminUrl", error.to_string()));
        }
        let checkout = context.known_checkout()?;
        let environment = if state.environment.is_empty() {
            &context.environment
        } else {
            &state.environment
        };
        let layers = ApplicationSettings::read(&checkout.hub, &Scope::of(&**environment))?.layers();
        Ok(Source::RabbitMq(broker_address(&layers)?))
    }

    pub async fn publish(&self, notification: &str, body: &[u8]) -> Result<(), Failure> {
        match self {
            Source::RabbitMq(address) => {
                let unusable = |error| unusable(address, &error);
                let broker = Broker::connect(address, "harmony", CONNECT_WITHIN)
                    .await
                    .map_err(unusable)?;
                let published = broker.publish(notification, body).await.map_err(unusable);
                broker.close().await;
                published
            }
            Source::Inbox(url) => {
                let request = Exchange::new(hyper::Method::POST, url)
                    .header(TYPE_HEADER, notification)
                    .body(body.to_vec());
                let response = http::send(&request, CONNECT_WITHIN)
                    .await
                    .map_err(|error| {
                        Failure::new(
                            Exit::NotReady,
                            "hubUnreachable",
                            "cannot reach the hub's inbox",
                        )
                        .why(error.to_string())
                        .fix("'harmony status' shows whether the hub runs; 'harmony up' starts it")
                    })?;
                match response.status {
                    200..300 => Ok(()),
                    status => Err(Failure::new(
                        Exit::Failed,
                        "notTaken",
                        format!("the hub did not take the notification ({status})"),
                    )
                    .why(response.body)),
                }
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::RabbitMq(address) => write!(formatter, "RabbitMQ at {}", address.endpoint),
            Source::Inbox(url) => write!(formatter, "the hub's inbox at {url}"),
        }
    }
}

/// RabbitMQ can't be used.
pub fn unusable(address: &BrokerAddress, error: &BrokerError) -> Failure {
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

impl From<ComposeError> for Failure {
    fn from(error: ComposeError) -> Self {
        Failure::new(Exit::Usage, "notification", error.to_string())
    }
}
