//! A long message that is read while what stands behind it goes on, unless both are for the same
//! clients.

use super::owed::Handled;
use crate::broker::message::{Damage, Header, Message};
use crate::hub::intake;
use crate::hub::notification::{NotificationLimits, Outcome, Rejection, TypeHeader, addressee};
use tokio::task::JoinSet;

/// What a message turned out to be.
pub(super) type Read = Result<Outcome, Rejection>;

/// A message that is being read in a task of its own.
pub(super) struct LongMessage {
    task: JoinSet<(Message, Read)>,
    read: Option<(Message, Read)>,
    /// Whom it is for. `None` where its beginning does not tell: all that follows waits.
    group: Option<String>,
    /// What was sent meanwhile, and is acknowledged after it.
    pub(super) behind: Handled,
}

impl LongMessage {
    pub(super) fn start(mut message: Message, limits: NotificationLimits) -> Self {
        let group = match message.type_header() {
            Header::Text(name) => addressee(name, &message.body),
            _ => None,
        };
        let mut task = JoinSet::new();
        task.spawn(async move {
            let read = read(&mut message, &limits).await;
            (message, read)
        });
        LongMessage {
            task,
            read: None,
            group,
            behind: Handled::default(),
        }
    }

    /// Whether a message for this group has to wait.
    pub(super) fn holds_up(&self, group: &str) -> bool {
        self.group.as_deref().is_none_or(|own| own == group)
    }

    /// Returns once it is read. May be given up and called again.
    pub(super) async fn wait(&mut self) {
        if self.read.is_none() {
            self.read = self.task.join_next().await.and_then(Result::ok);
        }
    }

    /// The message, what it is and what was sent meanwhile; `None` where the program ends.
    pub(super) async fn end(mut self) -> Option<(Message, Read, Handled)> {
        self.wait().await;
        let (message, read) = self.read?;
        Some((message, read, self.behind))
    }
}

/// Reads a message; its body stays as it was.
pub(super) async fn read(message: &mut Message, limits: &NotificationLimits) -> Read {
    match message.damage() {
        Some(Damage::BodyPassedOver(bytes)) => return Err(Rejection::BodyNotRead(bytes)),
        Some(Damage::HeadersUnreadable) => return Err(Rejection::Headers),
        None => {}
    }
    let mut body = std::mem::take(&mut message.body);
    let outcome = intake::read(type_header(message), &mut body, limits).await;
    message.body = body;
    outcome
}

fn type_header(message: &Message) -> TypeHeader<'_> {
    match message.type_header() {
        Header::NoHeaders => TypeHeader::NoHeaders,
        Header::Missing => TypeHeader::Missing,
        Header::Text(text) => TypeHeader::Text(text),
        Header::Other => TypeHeader::NotText,
    }
}
