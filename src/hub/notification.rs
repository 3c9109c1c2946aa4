//! Harmony's contract: a message's header and body in; group, event and payload out.
//!
//! Each notification is a row: its name (whose place is its number), the event that clients hear,
//! the group that hears it and the fields of its one argument. Bodies are read with
//! [`shape`] and written anew, so what reaches clients is complete and well formed
//! whatever the publisher left out. Source: contract.md, "RabbitMQ" and "Notifications".

mod addressee;
mod table;

pub use addressee::addressee;
pub use table::{NOTIFICATIONS, Notification};

use super::shape::{self, Budget, Excess, FieldShape, FieldValue, Record, ShapeError};
use crate::json::{JsonError, write_string};
use table::Argument::{self, Branch, Created, Fields, Moved};
use table::GroupKey::{Board, SerialKey, SourceBoard};

/// What a message turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// For the members of `group`: `event` with one argument, a JSON object.
    Deliver {
        group: String,
        event: &'static str,
        argument: Vec<u8>,
    },
    /// Well formed and of no interest, or of a type that nobody knows: .NET drops it too.
    Drop,
}

/// Why a message can't be delivered; where the .NET hub's process dies, ours sets the message
/// aside.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("no headers at all, so no notification_type")]
    NoHeaders,
    #[error("the header notification_type is not text")]
    HeaderNotText,
    #[error("the body is not JSON that .NET reads: {0}")]
    Json(#[from] JsonError),
    #[error("{0}")]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Excess(#[from] Excess),
    #[error("{0} is null")]
    Null(&'static str),
    #[error("its body of {bytes} bytes is larger than {limit}")]
    Body { bytes: usize, limit: usize },
    #[error("its body of {0} bytes is too large to be read")]
    BodyNotRead(i64),
    #[error("its properties or headers can't be read")]
    Headers,
    #[error("reading it failed inside the hub, which is a fault of ours: please report it")]
    Fault,
}

/// What one notification may cost. Harmony's own are far below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationLimits {
    /// Bytes of a body.
    pub body: usize,
    /// Objects and list items in it.
    pub elements: usize,
    /// Bytes that clients get.
    pub output: usize,
}

impl Default for NotificationLimits {
    fn default() -> Self {
        NotificationLimits {
            body: 4 << 20,
            elements: 100_000,
            output: 8 << 20,
        }
    }
}

impl NotificationLimits {
    /// What reading a body may cost: an answer is not much longer than what asks for it.
    fn budget(&self, body: &[u8]) -> Budget {
        const SMALL: usize = 64 << 10;
        Budget::new(self.elements, (2 * body.len() + SMALL).min(self.output))
    }
}

/// The header that names a message's type, as AMQP delivered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeHeader<'a> {
    NoHeaders,
    Missing,
    NotText,
    Text(&'a [u8]),
}

/// Reads one message. An error is a message to set aside, never a reason to stop.
pub fn read(
    header: TypeHeader<'_>,
    body: &[u8],
    limits: &NotificationLimits,
) -> Result<Outcome, Rejection> {
    let text = match header {
        TypeHeader::NoHeaders => return Err(Rejection::NoHeaders),
        TypeHeader::NotText => return Err(Rejection::HeaderNotText),
        TypeHeader::Missing => return Ok(Outcome::Drop),
        TypeHeader::Text(text) => text,
    };
    match table::named(text) {
        Some(_) if body.len() > limits.body => Err(Rejection::Body {
            bytes: body.len(),
            limit: limits.body,
        }),
        Some(notification) => notification.read(body, limits.budget(body)),
        None => Ok(Outcome::Drop),
    }
}

impl Notification {
    /// The fields of its body.
    pub fn body(&self) -> &'static [FieldShape] {
        self.body
    }

    fn read(&self, body: &[u8], mut budget: Budget) -> Result<Outcome, Rejection> {
        if matches!(self.argument, Argument::None) {
            return Ok(Outcome::Drop);
        }
        let record = shape::read_document(self.body, body, &mut budget)?
            .ok_or(Rejection::Null("the body"))?;
        let mut argument = Vec::with_capacity(body.len() + 64);
        match self.argument {
            Fields(names) => write_fields(&mut argument, &record, names),
            Moved => {
                let lists = [record.get("MovedFromListId"), record.get("MovedToListId")];
                if lists.iter().any(|list| list.is_null()) || !record.get("ParentCardId").is_null()
                {
                    return Ok(Outcome::Drop);
                }
                for field in ["ToPosition", "UpdateId"] {
                    if record.get(field).is_null() {
                        return Err(Rejection::Null(field));
                    }
                }
                write_renamed(
                    &mut argument,
                    &record,
                    &[
                        ("boardId", "BoardId"),
                        ("cardId", "CardId"),
                        ("previousBoardListId", "MovedFromListId"),
                        ("newBoardListId", "MovedToListId"),
                        ("previousPosition", "FromPosition"),
                        ("newPosition", "ToPosition"),
                        ("updateId", "UpdateId"),
                    ],
                );
            }
            Created => {
                let FieldValue::Record(card) = record.get("Card") else {
                    return Err(Rejection::Null("Card"));
                };
                if card.get("Status").as_json() != b"0" {
                    return Ok(Outcome::Drop);
                }
                argument.extend_from_slice(b"{\"message\":");
                write_renamed(
                    &mut argument,
                    &record,
                    &[
                        ("boardId", "BoardId"),
                        ("card", "Card"),
                        ("userId", "UserId"),
                    ],
                );
                argument.push(b'}');
            }
            Branch => write_branch(&mut argument, &record),
            Argument::None => return Ok(Outcome::Drop),
        }
        budget.check(&argument)?;
        Ok(Outcome::Deliver {
            group: self.group(&record)?,
            event: self.event,
            argument,
        })
    }

    fn group(&self, record: &Record<'_>) -> Result<String, Rejection> {
        let (value, missing) = match self.group {
            Board => (record.get("BoardId").as_text(), "BoardId"),
            SerialKey => (record.get("SerialKey").as_text(), "SerialKey"),
            SourceBoard => match record.get("SourceCardBoard") {
                FieldValue::Record(board) => (board.get("Id").as_text(), "SourceCardBoard.Id"),
                _ => (None, "SourceCardBoard"),
            },
        };
        value.map(str::to_owned).ok_or(Rejection::Null(missing))
    }
}

fn write_fields(out: &mut Vec<u8>, record: &Record<'_>, names: &[&'static str]) {
    for (index, name) in names.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        shape::write_member(out, name, record.get(name));
    }
    out.push(b'}');
}

fn write_renamed(out: &mut Vec<u8>, record: &Record<'_>, fields: &[(&str, &'static str)]) {
    for (index, (written, read)) in fields.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        write_string(out, written);
        out.push(b':');
        record.get(read).write(out);
    }
    out.push(b'}');
}

/// A branch's two links are computed, whatever the publisher sent for them.
fn write_branch(out: &mut Vec<u8>, record: &Record<'_>) {
    write_fields(
        out,
        record,
        &[
            "SerialKey",
            "Id",
            "Name",
            "Creator",
            "RepositoryUrl",
            "RepositoryName",
        ],
    );
    out.pop();
    let url = record.get("RepositoryUrl").as_text().unwrap_or_default();
    let name = record.get("Name").as_text().unwrap_or_default();
    for (link, part) in [("branchUrl", "tree"), ("commitsUrl", "commits")] {
        out.push(b',');
        write_string(out, link);
        out.push(b':');
        write_string(out, &format!("{url}/{part}/{name}"));
    }
    out.push(b',');
    shape::write_member(out, "Provider", record.get("Provider"));
    out.push(b'}');
}
