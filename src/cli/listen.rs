//! `harmony listen`: the notifications that clients receive, a line each, until Ctrl-C.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::source::no_hub;
use crate::hub_client::{ClientError, HubClient};
use crate::moment;
use crate::terminal::safe::Neutral;
use anstyle::Style;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use url::Url;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How soon a hub that is away is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct ListenArguments {
    /// Board to listen to; may be given several times
    #[arg(long = "board", value_name = "ID", group = "what")]
    boards: Vec<String>,
    /// Card to listen to, by its serial key; may be given several times
    #[arg(long = "card", value_name = "KEY", group = "what")]
    cards: Vec<String>,
    /// Hub URL [default: the running hub]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Stop after this many notifications
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
}

/// One notification.
#[derive(Debug, Serialize)]
struct Received {
    time: String,
    event: String,
    arguments: Value,
}

impl fmt::Display for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bold = Style::new().bold();
        let arguments: Vec<_> = self
            .arguments
            .as_array()
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        write!(
            formatter,
            "{}  {bold}{}{bold:#}  {}",
            self.time.get(11..19).unwrap_or_default(),
            Neutral(&self.event),
            Neutral(&arguments.join(", "))
        )
    }
}

pub async fn run(context: &Context, arguments: ListenArguments) -> Result<(), Failure> {
    let hub = match &arguments.url {
        Some(url) => url.clone(),
        None => Url::parse(&context.instance.state()?.hub_url).map_err(|_| no_hub())?,
    };
    let mut left = arguments.count.unwrap_or(usize::MAX);
    let mut client = join(&hub, &arguments)
        .await
        .map_err(|error| unreachable(&hub, &error))?;
    context.terminal.note(&format!("Listening at {hub}"));
    while left > 0 {
        match client.hear().await {
            Ok((event, arguments)) => {
                left -= 1;
                show(context, event, arguments);
            }
            Err(error) => {
                context.terminal.warn(&format!(
                    "{error}; connecting again, notifications may be missing"
                ));
                client = rejoin(&hub, &arguments).await;
                context.terminal.note(&format!("Listening at {hub} again"));
            }
        }
    }
    Ok(())
}

fn show(context: &Context, event: String, arguments: Value) {
    let received = Received {
        time: moment::now(),
        event,
        arguments,
    };
    context.terminal.result(&received);
}

async fn join(hub: &Url, arguments: &ListenArguments) -> Result<HubClient, ClientError> {
    let mut client = HubClient::connect(hub, CONNECT_WITHIN).await?;
    for board in &arguments.boards {
        client.invoke("ListenForBoardEvents", board).await?;
    }
    for card in &arguments.cards {
        client.invoke("ListenForCardEvents", card).await?;
    }
    Ok(client)
}

async fn rejoin(hub: &Url, arguments: &ListenArguments) -> HubClient {
    loop {
        match join(hub, arguments).await {
            Ok(client) => return client,
            Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
}

fn unreachable(hub: &Url, error: &ClientError) -> Failure {
    Failure::new(
        Exit::NotReady,
        "hubUnreachable",
        format!("cannot listen at {hub}"),
    )
    .why(error.to_string())
    .fix("'harmony status' shows whether the hub runs; 'harmony up' starts it")
}
