//! Answers that clients owe: which invocation of a client waits for what, here or on another
//! server.

mod typed;

pub use typed::{ClientResult, ResultType};

use crate::secret::{RandomError, random, system_random};
use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{ClientCompletion, ProtocolError};
use base64::Engine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Answers that may be owed at a time.
const MAXIMUM_PENDING: usize = 100_000;

/// What another server's names of a result and of its own channel may take.
const MAXIMUM_NAME: usize = 1 << 10;

/// Every invocation of a client that waits.
#[derive(Default)]
pub struct Results {
    pending: Mutex<HashMap<String, OwedResult>>,
}

struct OwedResult {
    /// Who owes it.
    connection: Arc<str>,
    waits: Asker,
}

enum Asker {
    Here(oneshot::Sender<ClientResult>, ResultType),
    /// On the server that listens on this channel.
    Elsewhere(String),
}

/// What is to become of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Nobody asked.
    Nothing,
    Settled,
    /// To be sent on, as it came, to this channel.
    Elsewhere(String),
    Breach(ProtocolError),
}

/// An answer that is waited for; dropping it stops the waiting.
pub struct PendingResult<'r> {
    pub id: String,
    results: &'r Results,
    receiver: oneshot::Receiver<ClientResult>,
}

impl PendingResult<'_> {
    pub async fn answer(&mut self) -> Option<ClientResult> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for PendingResult<'_> {
    fn drop(&mut self) {
        self.results.lock().remove(&self.id);
    }
}

impl Results {
    /// Asks for an answer from a connection, under an id that nobody else can guess.
    pub fn expect(
        &self,
        connection: &str,
        wanted: ResultType,
    ) -> Result<PendingResult<'_>, RandomError> {
        let id = random::<16>(system_random)?;
        let id = base64::engine::general_purpose::STANDARD_NO_PAD.encode(id);
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(
            id.clone(),
            OwedResult {
                connection: connection.into(),
                waits: Asker::Here(sender, wanted),
            },
        );
        Ok(PendingResult {
            id,
            results: self,
            receiver,
        })
    }

    /// Another server waits for an answer from one of our connections; false where too many do, or
    /// its names are too long.
    pub fn expect_for(&self, connection: &Arc<str>, id: &str, channel: &str) -> bool {
        let mut pending = self.lock();
        let short = id.len() <= MAXIMUM_NAME && channel.len() <= MAXIMUM_NAME;
        let room = pending.len() < MAXIMUM_PENDING && short;
        if room {
            pending.insert(
                id.to_owned(),
                OwedResult {
                    connection: connection.clone(),
                    waits: Asker::Elsewhere(channel.to_owned()),
                },
            );
        }
        room
    }

    /// A connection answers.
    pub fn settle(&self, connection: &str, id: &str, outcome: &ClientCompletion<'_>) -> Settlement {
        let mut pending = self.lock();
        let Some(owed) = pending.get(id) else {
            return outcome
                .check()
                .map_or_else(Settlement::Breach, |()| Settlement::Nothing);
        };
        let result = match owed.waits {
            Asker::Here(_, wanted) => wanted.result_of(outcome).map(Some),
            Asker::Elsewhere(_) => outcome.check().map(|()| None),
        };
        let result = match result {
            Ok(result) => result,
            Err(error) => return Settlement::Breach(error),
        };
        if *owed.connection != *connection {
            let (connection, id) = (connection.to_owned(), id.to_owned());
            return Settlement::Breach(ProtocolError::NotOwed { connection, id });
        }
        let owed = pending.remove(id);
        drop(pending);
        match (owed.map(|owed| owed.waits), result) {
            (Some(Asker::Elsewhere(channel)), _) => Settlement::Elsewhere(channel),
            (Some(Asker::Here(sender, _)), Some(result)) => {
                // Who gave up waiting needs no answer.
                let _ = sender.send(result);
                Settlement::Settled
            }
            _ => Settlement::Nothing,
        }
    }

    /// An answer came by way of another server, which knows whose it is and that it keeps to the
    /// protocol.
    pub fn settle_from_elsewhere(&self, id: &str, outcome: &ClientCompletion<'_>) {
        if let Some(OwedResult {
            waits: Asker::Here(sender, wanted),
            ..
        }) = self.lock().remove(id)
            && let Ok(result) = wanted.result_of(outcome)
        {
            let _ = sender.send(result);
        }
    }

    /// Whether anybody waits for a result.
    pub fn is_awaited(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// Whether a connection owes a result.
    pub fn is_owed(&self, connection: &str, id: &str) -> bool {
        let pending = self.lock();
        let owed = pending.get(id);
        owed.is_some_and(|owed| *owed.connection == *connection)
    }

    /// A connection is gone: who waits here hears so; the ids and channels of those who wait
    /// elsewhere.
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
                Some(Asker::Here(sender, _)) => {
                    let text = format!("Connection '{connection}' disconnected.");
                    let _ = sender.send(Err(HubError::of("IOException", text)));
                }
                Some(Asker::Elsewhere(channel)) => elsewhere.push((id, channel)),
                None => {}
            }
        }
        elsewhere
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, OwedResult>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
