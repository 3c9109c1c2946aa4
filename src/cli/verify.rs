//! `harmony verify`: send a test notification, check that clients of every hub given receive it.

mod advice;
mod cors;
mod report;
mod test_client;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::source::{NotificationSource, Receipt, no_hub};
use crate::hub::compose;
use crate::hub_client::ClientTransport;
use crate::secret::arbitrary;
use futures_util::future::join_all;
use report::{Heard, Hop, Verification};
use std::time::{Duration, Instant};
use test_client::{TestClient, Way};
use url::Url;

const NOTIFICATION: &str = "CardTitleChanged";
/// No hop takes longer.
const HOP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct VerifyArguments {
    /// Hub, gateway or proxy URL to check with every transport [default: the running hub]
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<Url>,
    /// Hub URLs to check over a WebSocket only
    #[arg(value_name = "HUB", hide = true)]
    hubs: Vec<Url>,
    /// Keep the connections of --url open this long, to find proxies that cut silent ones; 0s skips
    /// it
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "20s",
        value_parser = super::global::parse_duration
    )]
    hold: Duration,
    /// Check that a browser page of this origin may connect
    #[arg(long, value_name = "URL")]
    origin: Option<Url>,
}

pub async fn run(context: &Context, arguments: VerifyArguments) -> Result<(), Failure> {
    let limit = HOP_WITHIN.min(context.timeout);
    let source = match NotificationSource::find(context) {
        Ok(source) => Some(source),
        // Another hub's proxy can be checked without knowing its RabbitMQ.
        Err(failure) if arguments.urls.is_empty() => return Err(failure),
        Err(_) => None,
    };
    let ways = ways(context, &arguments)?;
    let board = new_board();
    let mut hops = Vec::new();
    let mut clients = Vec::new();
    for way in ways {
        let since = Instant::now();
        let client = TestClient::join(way, &board, limit).await;
        let hop = format!("connect and join at {}", client.way.url);
        hops.push(Hop::new(hop, since).with(client.problem()));
        clients.push(client);
    }
    let title = format!("harmony verify {board}");
    let since = Instant::now();
    let receipt = match &source {
        Some(source) => Some(publish(source, &board, &title, &mut hops).await),
        None => None,
    };
    let published = receipt.as_ref().is_some_and(Result::is_ok);
    let hear = clients
        .iter_mut()
        .map(|client| client.hear(published, &title, since, limit));
    join_all(hear).await;
    if !arguments.urls.is_empty() && !arguments.hold.is_zero() {
        let _step = context
            .terminal
            .step(format!("holding the connections for {:?}", arguments.hold));
        join_all(clients.iter_mut().map(|one| one.hold(arguments.hold))).await;
    }
    let mut instances: Vec<_> = clients.iter().map(Heard::of).collect();
    for url in &arguments.urls {
        if let Some(advice) = cors::check(url, arguments.origin.as_ref(), limit).await {
            instances.push(Heard::cors(url, &advice, arguments.origin.is_some()));
        }
    }
    let verification = Verification::of(hops, instances, receipt.as_ref());
    conclude(context, &verification, receipt)
}

/// What is connected to, and how.
fn ways(context: &Context, arguments: &VerifyArguments) -> Result<Vec<Way>, Failure> {
    let mut ways: Vec<_> = arguments.hubs.iter().cloned().map(Way::direct).collect();
    for url in &arguments.urls {
        ways.push(Way::direct(url.clone()));
        ways.extend(ClientTransport::ALL.map(|transport| Way::negotiated(url.clone(), transport)));
    }
    if ways.is_empty() {
        ways.push(Way::direct(own_hub(context)?));
    }
    Ok(ways)
}

async fn publish(
    source: &NotificationSource,
    board: &str,
    title: &str,
    hops: &mut Vec<Hop>,
) -> Result<Receipt, Failure> {
    let fields = [("Title".to_owned(), title.to_owned())];
    let body = compose::body(compose::notification(NOTIFICATION)?, Some(board), &fields)?;
    let since = Instant::now();
    let receipt = source.publish(NOTIFICATION, &body).await;
    let problem = match &receipt {
        Ok(Receipt::Queued { consumers: 0 }) => Some((
            "no hub consumes the queue notifications.signalr".to_owned(),
            "start a hub on this RabbitMQ, or correct its BrokerConfiguration".to_owned(),
        )),
        Ok(_) => None,
        Err(failure) => Some(failure.in_words()),
    };
    hops.push(Hop::new(format!("publish to {source}"), since).with(problem));
    receipt
}

fn conclude(
    context: &Context,
    verification: &Verification,
    receipt: Option<Result<Receipt, Failure>>,
) -> Result<(), Failure> {
    context.terminal.result(verification);
    match receipt {
        Some(Err(failure)) => Err(failure.shown()),
        _ if verification.ok => Ok(()),
        _ => Err(Failure::new(
            Exit::Failed,
            "notHeard",
            "the notification did not reach every client",
        )
        .shown()),
    }
}

fn own_hub(context: &Context) -> Result<Url, Failure> {
    let state = context.instance.state()?;
    Url::parse(&state.hub_url).map_err(|_| no_hub())
}

/// A board that nobody else listens to.
fn new_board() -> String {
    let hex = format!("{:016x}{:016x}", arbitrary(), arbitrary());
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
