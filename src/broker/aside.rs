//! Setting messages aside that could not be delivered, whatever RabbitMQ refuses of them.

use super::envelope::{BODY_BYTES_HEADER, EnvelopeReader};
use super::message::{Header, Message};
use super::topology::{
    REASON_HEADER, REJECTED_AT_HEADER, REJECTED_QUEUE, ROUTING_KEY_HEADER, TYPE_HEADER,
};
use super::{Broker, BrokerError};
use crate::connection_string::amqp::BrokerAddress;
use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ErrorKind};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the queue may hold.
const REJECTED_AT_MOST: i32 = 10_000;
const REJECTED_BYTES: i32 = 256 << 20;
/// Bodies that are on their way to it together, each of which is copied for that.
const BYTES_SIDE_BY_SIDE: usize = 4 << 20;
/// What RabbitMQ refused of the message itself.
const REFUSED_HEADER: &str = "x-harmony-refused";
/// What a text of ours or a publisher's may take in a header.
const TEXT_BYTES: usize = 1 << 10;
const CONNECTION_NAME: &str = "Harmony.SignalR rejected";
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What became of a message that was to be set aside.
#[derive(Debug)]
pub enum SetAside {
    Done,
    /// RabbitMQ refuses even a note about it.
    Refused(BrokerError),
}

/// What is set aside of a message, from all to a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Without the publisher's properties and headers.
    Body,
    /// Without its body too.
    Note,
}

/// Where a hub sets messages aside. The connection is its own: confirmations do not wait behind
/// messages, and a RabbitMQ that takes nothing more, as in a memory alarm, still takes
/// acknowledgements.
pub struct RejectedQueue {
    address: BrokerAddress,
    broker: Option<Broker>,
    queue: Ownership,
}

/// Whether the queue is as we declare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    Ours,
    /// Somebody declared it with other arguments, or keeps us from declaring it: it is used as it
    /// is.
    Foreign,
}

impl RejectedQueue {
    pub fn new(address: BrokerAddress) -> Self {
        RejectedQueue {
            address,
            broker: None,
            queue: Ownership::Ours,
        }
    }

    /// Puts messages into the queue, each with its reason: all at once, so that many cost no more
    /// round trips than one. What RabbitMQ does not take so is put there one by one.
    pub async fn put_all(
        &mut self,
        messages: &[(&Message, String)],
    ) -> Result<Vec<SetAside>, BrokerError> {
        let taken = match messages {
            // One alone gains nothing.
            [_] => vec![false],
            _ => self.try_all(messages).await?,
        };
        let mut fates = Vec::with_capacity(messages.len());
        for ((message, reason), taken) in messages.iter().zip(taken) {
            fates.push(match taken {
                true => SetAside::Done,
                false => self.put(message, reason).await?,
            });
        }
        Ok(fates)
    }

    /// Publishes messages side by side; which of them RabbitMQ has taken.
    async fn try_all(&mut self, messages: &[(&Message, String)]) -> Result<Vec<bool>, BrokerError> {
        let broker = self.declared().await?;
        let (mut taken, mut rest) = (Vec::with_capacity(messages.len()), messages);
        while !rest.is_empty() {
            let part;
            (part, rest) = rest.split_at(side_by_side(rest));
            let copies = part
                .iter()
                .map(|(message, reason)| copy(message, reason, Extent::Whole, None));
            let copies: Vec<_> = copies.collect();
            let sending = copies
                .iter()
                .map(|(properties, body)| broker.send_refusable(body, properties.clone()));
            taken.extend(join_all(sending).await.iter().map(Result::is_ok));
        }
        if taken.contains(&false) {
            // A refusal closes the channel, and takes others with it.
            self.broker = None;
        }
        Ok(taken)
    }

    /// Puts a message into the queue with the reason; without what RabbitMQ refuses of it, where it
    /// refuses something.
    async fn put(&mut self, message: &Message, reason: &str) -> Result<SetAside, BrokerError> {
        let mut refused = None;
        for extent in [Extent::Whole, Extent::Body, Extent::Note] {
            let copy = copy(message, reason, extent, refused.as_ref());
            match self.publish(&copy).await {
                Ok(()) => return Ok(SetAside::Done),
                // The channel is closed by that.
                Err(error @ BrokerError::Content(_)) => {
                    (self.broker, refused) = (None, Some(error))
                }
                Err(error) => {
                    self.broker = None;
                    return Err(error);
                }
            }
        }
        let unknown = || BrokerError::Content("no reason was given".into());
        Ok(SetAside::Refused(refused.unwrap_or_else(unknown)))
    }

    async fn publish(&mut self, (properties, body): &Copied<'_>) -> Result<(), BrokerError> {
        let broker = self.declared().await?;
        broker.send_refusable(body, properties.clone()).await
    }

    /// A connection, with the queue there.
    async fn declared(&mut self) -> Result<&Broker, BrokerError> {
        if self.queue == Ownership::Ours
            && let Err(error) = declare(self.connected().await?).await
        {
            let BrokerError::Content(why) = error else {
                return Err(error);
            };
            tracing::warn!(why, queue = REJECTED_QUEUE, "the queue is used as it is");
            (self.queue, self.broker) = (Ownership::Foreign, None);
        }
        self.connected().await
    }

    async fn connected(&mut self) -> Result<&Broker, BrokerError> {
        let broker = match self.broker.take() {
            Some(broker) => broker,
            None => {
                let reader = EnvelopeReader::Operator;
                Broker::connect_for(&self.address, CONNECTION_NAME, CONNECT_WITHIN, reader).await?
            }
        };
        Ok(self.broker.insert(broker))
    }

    /// Says goodbye.
    pub async fn close(self) {
        if let Some(broker) = self.broker {
            broker.close().await;
        }
    }
}

/// How many of the first messages are sent side by side.
fn side_by_side(messages: &[(&Message, String)]) -> usize {
    let mut bytes = 0;
    let few = messages.iter().take_while(|(message, _)| {
        bytes += message.body.len();
        bytes <= BYTES_SIDE_BY_SIDE
    });
    few.count().max(1)
}

/// What is published in a message's place.
type Copied<'m> = (BasicProperties, &'m [u8]);

fn copy<'m>(
    message: &'m Message,
    reason: &str,
    extent: Extent,
    refused: Option<&BrokerError>,
) -> Copied<'m> {
    let whole = extent == Extent::Whole;
    let mut headers = match message.properties.headers() {
        Some(headers) if whole => headers.clone(),
        _ => FieldTable::default(),
    };
    let mut note = |name: &str, value: &str| {
        headers.insert(name.into(), AMQPValue::LongString(cut(value).into()));
    };
    note(REASON_HEADER, reason);
    note(ROUTING_KEY_HEADER, message.routing_key.as_str());
    if let Some(refused) = refused {
        note(REFUSED_HEADER, &refused.to_string());
    }
    if let (false, Header::Text(name)) = (whole, message.type_header()) {
        note(TYPE_HEADER, &String::from_utf8_lossy(name));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    headers.insert(
        REJECTED_AT_HEADER.into(),
        AMQPValue::LongLongInt(now.cast_signed()),
    );
    let mut body = message.body.as_slice();
    if extent == Extent::Note {
        let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
        headers.insert(BODY_BYTES_HEADER.into(), AMQPValue::LongLongInt(bytes));
        body = &[];
    }
    let properties = if whole {
        message.properties.clone()
    } else {
        BasicProperties::default()
    };
    (properties.with_headers(headers).with_delivery_mode(2), body)
}

/// As much of a text as a header is to have.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

/// Declares the queue as we have it.
async fn declare(broker: &Broker) -> Result<(), BrokerError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(REJECTED_AT_MOST));
    arguments.insert(
        "x-max-length-bytes".into(),
        AMQPValue::LongInt(REJECTED_BYTES),
    );
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declaring = broker
        .channel
        .queue_declare(REJECTED_QUEUE.into(), durable, arguments);
    declaring.await.map(drop).map_err(refusal)
}

/// Tells what RabbitMQ refuses because of what it is from a connection that is lost.
fn refusal(error: lapin::Error) -> BrokerError {
    if let ErrorKind::ProtocolError(protocol) = error.kind() {
        let refused = match protocol.kind() {
            AMQPErrorKind::Soft(_) => true,
            AMQPErrorKind::Hard(hard) => matches!(
                hard,
                AMQPHardError::FRAMEERROR | AMQPHardError::SYNTAXERROR | AMQPHardError::NOTALLOWED
            ),
        };
        if refused {
            return BrokerError::Content(protocol.get_message().to_string());
        }
    }
    match error.kind() {
        ErrorKind::SerialisationError(error) => BrokerError::Content(error.to_string()),
        _ => error.into(),
    }
}

impl Broker {
    /// Publishes to the queue of the rejected; a refusal of the message for what it is is
    /// [`BrokerError::Content`].
    async fn send_refusable(
        &self,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), BrokerError> {
        let options = BasicPublishOptions {
            // A queue that is not there is no reason to lose the message.
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let queue = ("".into(), REJECTED_QUEUE.into());
        self.send_raw(queue, options, body, properties)
            .await
            .map_err(refusal)?
    }
}
