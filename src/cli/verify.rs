//! `harmony verify`: send a test notification, check that clients of every hub given receive it.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::publish::{Source, no_hub};
use crate::hub::compose;
use crate::hub_client::{ClientError, HubClient};
use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};
use url::Url;

const HEAR_WITHIN: Duration = Duration::from_secs(10);
const NOTIFICATION: &str = "CardTitleChanged";
const EVENT: &str = "OnCardTitleChanged";

#[derive(Debug, clap::Args)]
pub struct VerifyArguments {
    /// Hub URLs to check [default: the running hub]
    #[arg(value_name = "URL")]
    hubs: Vec<Url>,
}

#[derive(Debug, Serialize)]
struct Hop {
    hop: String,
    milliseconds: f64,
}

#[derive(Debug, Serialize)]
struct Heard {
    url: String,
    heard: bool,
    milliseconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct Verification {
    ok: bool,
    hops: Vec<Hop>,
    instances: Vec<Heard>,
}

impl fmt::Display for Verification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for hop in &self.hops {
            writeln!(formatter, "  {:<40}{:>9.1} ms", hop.hop, hop.milliseconds)?;
        }
        for instance in &self.instances {
            let how = match &instance.why {
                None => format!("heard after {:.1} ms", instance.milliseconds),
                Some(why) => format!("NOT heard: {why}"),
            };
            writeln!(formatter, "  {:<40}{how}", instance.url)?;
        }
        formatter.write_str(if self.ok {
            "Verified: a notification reaches every client."
        } else {
            "Not verified."
        })
    }
}

fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e4).round() / 10.0
}

pub async fn run(context: &Context, arguments: VerifyArguments) -> Result<(), Failure> {
    let source = Source::find(context)?;
    let hubs = if arguments.hubs.is_empty() {
        vec![own_hub(context)?]
    } else {
        arguments.hubs
    };
    let board = new_board();
    let mut hops = Vec::new();
    let mut listeners = Vec::new();
    for hub in hubs {
        let since = Instant::now();
        let listening = listen(&hub, &board).await;
        hops.push(Hop {
            hop: format!("connect and join at {hub}"),
            milliseconds: milliseconds(since),
        });
        listeners.push((hub, listening));
    }
    let title = format!("harmony verify {board}");
    let body = compose::body(
        compose::notification(NOTIFICATION)?,
        Some(&board),
        &[("Title".into(), title.clone())],
    )?;
    let since = Instant::now();
    source.publish(NOTIFICATION, &body).await?;
    hops.push(Hop {
        hop: format!("publish to {source}"),
        milliseconds: milliseconds(since),
    });
    let hear = listeners
        .into_iter()
        .map(|(hub, client)| hear(hub, client, &title, since));
    let instances = futures_util::future::join_all(hear).await;
    let verification = Verification {
        ok: instances.iter().all(|instance| instance.heard),
        hops,
        instances,
    };
    let ok = verification.ok;
    context.terminal.result(&verification);
    if ok {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        "notHeard",
        "the notification did not reach every client",
    )
    .shown())
}

async fn listen(hub: &Url, board: &str) -> Result<HubClient, ClientError> {
    let mut client = HubClient::connect(hub, HEAR_WITHIN).await?;
    client.invoke("ListenForBoardEvents", board).await?;
    Ok(client)
}

async fn hear(
    hub: Url,
    client: Result<HubClient, ClientError>,
    title: &str,
    since: Instant,
) -> Heard {
    let url = hub.as_str().trim_end_matches('/').to_owned();
    let heard = async {
        let mut client = client?;
        loop {
            let (event, arguments) = client.hear().await?;
            if event == EVENT && arguments[0]["title"] == title {
                return Ok::<_, ClientError>(());
            }
        }
    };
    let why = match tokio::time::timeout(HEAR_WITHIN, heard).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("nothing came within {HEAR_WITHIN:?}")),
    };
    Heard {
        url,
        heard: why.is_none(),
        milliseconds: milliseconds(since),
        why,
    }
}

fn own_hub(context: &Context) -> Result<Url, Failure> {
    let state = context.instance.state()?;
    Url::parse(&state.hub_url).map_err(|_| no_hub())
}

/// A board that nobody else listens to.
fn new_board() -> String {
    let hex = crate::hex::encode(&crate::secret::random::<16>());
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
