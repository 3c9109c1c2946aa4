//! Answers that clients owe: which invocation of a client waits for what, here or on another server.

use crate::signalr::protocol::Encoded;
use crate::signalr::value::Value;
use base64::Engine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Answers that may be owed at a time.
const MAXIMUM_PENDING: usize = 100_000;

/// A client's answer: its value, or the text of its error.
pub type Answer = Result<Value, String>;

/// Every invocation of a client that waits.
#[derive(Default)]
pub struct Results {
    pending: Mutex<HashMap<String, Pending>>,
}

struct Pending {
    /// Who owes it.
    connection: Arc<str>,
    waits: Waits,
}

enum Waits {
    Here(oneshot::Sender<Answer>),
    /// On the server that listens on this channel.
    Elsewhere(String),
}

/// What is to become of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Owed {
    /// Nobody asked.
    Nothing,
    Settled,
    /// To be sent on, as it came, to this channel.
    Elsewhere(String),
}

/// An answer that is waited for; dropping it stops the waiting.
pub struct Waiting<'r> {
    pub id: String,
    results: &'r Results,
    receiver: oneshot::Receiver<Answer>,
}

impl Waiting<'_> {
    pub async fn answer(&mut self) -> Option<Answer> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.results.lock().remove(&self.id);
    }
}

impl Results {
    /// Waits for an answer from a connection, under an id that nobody else can guess.
    pub fn expect(&self, connection: &str) -> Waiting<'_> {
        let id =
            base64::engine::general_purpose::STANDARD_NO_PAD.encode(crate::secret::random::<16>());
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(
            id.clone(),
            Pending {
                connection: connection.into(),
                waits: Waits::Here(sender),
            },
        );
        Waiting {
            id,
            results: self,
            receiver,
        }
    }

    /// Another server waits for an answer from one of our connections; false where too many do.
    pub fn expect_for(&self, connection: &Arc<str>, id: &str, channel: &str) -> bool {
        let mut pending = self.lock();
        let room = pending.len() < MAXIMUM_PENDING;
        if room {
            pending.insert(
                id.to_owned(),
                Pending {
                    connection: connection.clone(),
                    waits: Waits::Elsewhere(channel.to_owned()),
                },
            );
        }
        room
    }

    /// A connection answers.
    pub fn settle(
        &self,
        connection: &str,
        id: &str,
        outcome: Result<Option<Encoded<'_>>, &str>,
    ) -> Owed {
        let mut pending = self.lock();
        if pending
            .get(id)
            .is_none_or(|pending| *pending.connection != *connection)
        {
            return Owed::Nothing;
        }
        match pending.remove(id).map(|pending| pending.waits) {
            Some(Waits::Elsewhere(channel)) => Owed::Elsewhere(channel),
            Some(Waits::Here(sender)) => {
                drop(pending);
                // Who gave up waiting needs no answer.
                let _ = sender.send(answer(outcome));
                Owed::Settled
            }
            None => Owed::Nothing,
        }
    }

    /// An answer came by way of another server, which knows whose it is.
    pub fn settle_from_elsewhere(&self, id: &str, outcome: Result<Option<Encoded<'_>>, &str>) {
        if let Some(Pending {
            waits: Waits::Here(sender),
            ..
        }) = self.lock().remove(id)
        {
            let _ = sender.send(answer(outcome));
        }
    }

    /// A connection is gone: who waits here hears so; the ids and channels of those who wait elsewhere.
    pub fn abandon(&self, connection: &str) -> Vec<(String, String)> {
        let mut pending = self.lock();
        if pending.is_empty() {
            return Vec::new();
        }
        let gone: Vec<_> = pending
            .iter()
            .filter(|(_, pending)| *pending.connection == *connection)
            .map(|(id, _)| id.clone())
            .collect();
        let mut elsewhere = Vec::new();
        for id in gone {
            match pending.remove(&id).map(|pending| pending.waits) {
                Some(Waits::Here(sender)) => {
                    drop(sender.send(Err("Connection disconnected.".into())))
                }
                Some(Waits::Elsewhere(channel)) => elsewhere.push((id, channel)),
                None => {}
            }
        }
        elsewhere
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(outcome: Result<Option<Encoded<'_>>, &str>) -> Answer {
    match outcome {
        Ok(None) => Err("Client didn't provide a result.".into()),
        Ok(Some(value)) => value
            .value()
            .ok_or_else(|| "Error trying to deserialize result.".into()),
        Err(error) => Err(error.to_owned()),
    }
}
