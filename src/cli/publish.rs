//! `harmony publish`: one notification, sent as Harmony.Api sends it.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::source::{NotificationSource, Receipt};
use crate::hub::compose::{self, ComposeError};
use crate::hub::notification::{self, NotificationLimits, TypeHeader};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

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
    /// Send it even if the hub would reject it
    #[arg(long)]
    no_check: bool,
}

fn parse_field(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(Debug, Serialize)]
struct PublishedNotification {
    #[serde(rename = "type")]
    notification: String,
    via: String,
    bytes: usize,
    #[serde(flatten)]
    receipt: Receipt,
}

impl fmt::Display for PublishedNotification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} published to {}: {}",
            self.notification, self.via, self.receipt
        )
    }
}

pub async fn run(context: &Context, arguments: PublishArguments) -> Result<(), Failure> {
    let notification = compose::notification(&arguments.notification)?;
    let body = match &arguments.body {
        Some(path) => std::fs::read(path).map_err(|error| {
            Failure::new(
                Exit::Usage,
                "bodyUnreadable",
                format!("cannot read {}", path.display()),
            )
            .why(error.to_string())
        })?,
        None => compose::body(notification, arguments.board.as_deref(), &arguments.fields)?,
    };
    if !arguments.no_check {
        check(notification.name, &body)?;
    }
    let source = NotificationSource::find(context)?;
    let receipt = source.publish(notification.name, &body).await?;
    if let Receipt::Queued { consumers: 0 } = receipt {
        context
            .terminal
            .warn("no hub consumes the queue; the notification waits there until one does");
    }
    context.terminal.result(&PublishedNotification {
        notification: arguments.notification,
        via: source.to_string(),
        bytes: body.len(),
        receipt,
    });
    Ok(())
}

/// What the hub would set aside is refused here, with its own reason.
fn check(name: &str, body: &[u8]) -> Result<(), Failure> {
    let limits = NotificationLimits::default();
    match notification::read(TypeHeader::Text(name.as_bytes()), body, &limits) {
        Ok(_) => Ok(()),
        Err(rejection) => Err(Failure::new(
            Exit::Usage,
            "notification",
            format!("the hub would reject this {name}: {rejection}"),
        )
        .fix("correct the body, or send it all the same with --no-check")),
    }
}

impl From<ComposeError> for Failure {
    fn from(error: ComposeError) -> Self {
        Failure::new(Exit::Usage, "notification", error.to_string())
    }
}
