//! `harmony rejected`: messages that could not be delivered, looked at, sent again or dropped.

mod listed;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::source::{NotificationSource, unusable};
use crate::broker::rejected::Rejected;
use crate::broker::{Broker, BrokerError};
use listed::{QueueChange, RejectedList, RejectedRow};
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// As many as the queue keeps.
const ALL: usize = 10_000;

#[derive(Debug, clap::Args)]
pub struct RejectedArguments {
    #[command(subcommand)]
    command: RejectedCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RejectedCommand {
    /// List the messages, oldest first
    List {
        /// Number of messages to list at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one message whole
    Show {
        /// Its number in the list
        number: usize,
    },
    /// Send messages again, the way they first came
    Retry(Which),
    /// Delete messages for good
    Drop(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Numbers in the list
    #[arg(required_unless_present = "all")]
    numbers: Vec<usize>,
    /// All messages
    #[arg(long)]
    all: bool,
}

pub async fn run(context: &Context, arguments: RejectedArguments) -> Result<(), Failure> {
    let NotificationSource::RabbitMq { address, .. } = NotificationSource::find(context)? else {
        return Err(Failure::new(
            Exit::Failed,
            "noBroker",
            "the running hub has no RabbitMQ, so it keeps no rejected messages",
        )
        .why("an embedded hub refuses what it cannot deliver at once")
        .fix(
            "'harmony publish' shows the reason; with RabbitMQ: harmony up --rabbitmq container",
        ));
    };
    let failed = |error: BrokerError| unusable(&address, &error);
    let broker = Broker::connect(&address, "harmony rejected", CONNECT_WITHIN)
        .await
        .map_err(failed)?;
    let done = act(context, &broker, arguments.command).await;
    // What was only looked at goes back into the queue.
    broker.close().await;
    done.map_err(|error| match error {
        RejectedError::Broker(error) => failed(error),
        RejectedError::Failure(failure) => failure,
    })
}

/// What can go wrong while the broker holds messages for us.
enum RejectedError {
    Broker(BrokerError),
    Failure(Failure),
}

impl From<BrokerError> for RejectedError {
    fn from(error: BrokerError) -> Self {
        RejectedError::Broker(error)
    }
}

impl From<Failure> for RejectedError {
    fn from(failure: Failure) -> Self {
        RejectedError::Failure(failure)
    }
}

async fn act(
    context: &Context,
    broker: &Broker,
    command: RejectedCommand,
) -> Result<(), RejectedError> {
    match command {
        RejectedCommand::List { limit } => {
            let found = broker.rejected(limit).await?;
            let rejected = found
                .iter()
                .enumerate()
                .map(|(place, rejected)| RejectedRow::of(place + 1, rejected, false))
                .collect();
            context.terminal.result(&RejectedList { rejected });
        }
        RejectedCommand::Show { number } => {
            let found = broker.rejected(number).await?;
            let rejected = number
                .checked_sub(1)
                .and_then(|place| found.get(place))
                .ok_or_else(|| no_such(number, found.len()))?;
            context
                .terminal
                .result(&RejectedRow::of(number, rejected, true));
        }
        RejectedCommand::Retry(which) => {
            let chosen = choose(broker, &which).await?;
            for rejected in chosen.iter().filter(|_| !context.dry_run) {
                // Taken by the exchange first: stopped between the two, it is there twice, never
                // not at all.
                broker.retry(rejected).await?;
                broker.remove(rejected).await?;
            }
            context.terminal.result(&QueueChange {
                changes: chosen.len(),
                what: "sent again",
            });
        }
        RejectedCommand::Drop(which) => {
            let chosen = choose(broker, &which).await?;
            if !chosen.is_empty() && !context.yes && !context.dry_run {
                agree_to_loss(context, chosen.len()).await?;
            }
            for rejected in chosen.iter().filter(|_| !context.dry_run) {
                broker.remove(rejected).await?;
            }
            context.terminal.result(&QueueChange {
                changes: chosen.len(),
                what: "dropped",
            });
        }
    }
    Ok(())
}

async fn choose(broker: &Broker, which: &Which) -> Result<Vec<Rejected>, RejectedError> {
    let highest = which.numbers.iter().copied().max().unwrap_or_default();
    let found = broker
        .rejected(if which.all { ALL } else { highest })
        .await?;
    if let Some(number) = which
        .numbers
        .iter()
        .find(|number| **number == 0 || **number > found.len())
    {
        return Err(no_such(*number, found.len()).into());
    }
    let wanted = |place: usize| which.all || which.numbers.contains(&(place + 1));
    Ok(found
        .into_iter()
        .enumerate()
        .filter(|(place, _)| wanted(*place))
        .map(|(_, rejected)| rejected)
        .collect())
}

fn no_such(number: usize, count: usize) -> Failure {
    Failure::new(
        Exit::Usage,
        "noSuchMessage",
        format!("there is no rejected message {number}"),
    )
    .why(format!("{count} wait"))
    .fix("'harmony rejected list' shows their numbers")
}

async fn agree_to_loss(context: &Context, count: usize) -> Result<(), Failure> {
    let missing = Failure::new(
        Exit::Usage,
        "answerMissing",
        "whether to delete messages has to be answered",
    )
    .why("there is no terminal to ask on")
    .fix("agree with --yes");
    let question = format!("{count} rejected messages will be lost. Delete them?");
    context
        .agree(&question, false, missing, "nothing was deleted")
        .await
}
