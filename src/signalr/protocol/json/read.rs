//! The members of a message, checked in .NET's order.

use crate::json::{JsonKind, Reader};
use crate::signalr::protocol::client_completion::ClientCompletion;
use crate::signalr::protocol::encoded::Encoded;
use crate::signalr::protocol::error::ProtocolError;
use crate::signalr::protocol::message::ClientMessage;
use std::borrow::Cow;

#[derive(Default)]
pub(super) struct Fields<'a> {
    kind: Option<i32>,
    invocation_id: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    arguments: Option<&'a [u8]>,
    streams: Vec<Cow<'a, str>>,
    item: Option<&'a [u8]>,
    result: Option<&'a [u8]>,
    error: Option<Cow<'a, str>>,
    /// .NET binds a result at once if it knows whose it is, else at the end.
    result_is_bound: bool,
    error_is_last: bool,
    sequence: Option<i64>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'a>,
        name: &str,
    ) -> Result<(), ProtocolError> {
        match name {
            "type" => self.kind = Some(integer(reader, "type")?),
            "invocationId" => self.invocation_id = Some(text(reader, "invocationId")?),
            "target" => self.target = Some(text(reader, "target")?),
            "arguments" if reader.peek()? == JsonKind::Array => {
                self.arguments = Some(reader.skip()?)
            }
            "arguments" => return Err(mistyped(reader, "arguments", "Array")),
            "streamIds" if reader.peek()? == JsonKind::Array => {
                self.streams.clear();
                reader.array(|reader| {
                    self.streams.push(stream_id(reader)?);
                    Ok::<_, ProtocolError>(())
                })?;
            }
            "streamIds" => return Err(mistyped(reader, "streamIds", "Array")),
            "headers" if reader.peek()? == JsonKind::Object => {
                reader.object(|reader, name| header(reader, &name))?;
            }
            "headers" => return Err(mistyped(reader, "headers", "StartObject")),
            "error" => {
                self.error = Some(text(reader, "error")?);
                self.error_is_last = self.result_is_bound;
            }
            "item" => self.item = Some(reader.skip()?),
            "result" => {
                self.result = Some(reader.skip()?);
                let id = self.invocation_id.as_ref();
                self.result_is_bound = id.is_some_and(|id| !id.is_empty());
                self.error_is_last = false;
            }
            "sequenceId" => self.sequence = sequence(reader)?,
            "allowReconnect" => match reader.peek()? {
                JsonKind::True | JsonKind::False => drop(reader.boolean()?),
                _ => return Err(refused(reader, ProtocolError::NotBoolean("allowReconnect"))),
            },
            _ => drop(reader.skip()?),
        }
        Ok(())
    }

    pub(super) fn into_message(self) -> Result<ClientMessage<'a>, ProtocolError> {
        let required = |id: Option<Cow<'a, str>>| {
            id.filter(|id| !id.is_empty())
                .ok_or(ProtocolError::Missing("invocationId"))
        };
        Ok(match self.kind.ok_or(ProtocolError::Missing("type"))? {
            kind @ (1 | 4) => {
                let invocation_id = self.invocation_id.filter(|id| !id.is_empty());
                let target = self.target.ok_or(ProtocolError::Missing("target"))?;
                let missing = match kind {
                    4 if invocation_id.is_none() => "invocationId",
                    1 if target.is_empty() => "target",
                    _ => "arguments",
                };
                let arguments = self.arguments.ok_or(ProtocolError::Missing(missing))?;
                ClientMessage::Invocation {
                    streaming: kind == 4,
                    invocation_id,
                    target,
                    arguments: Encoded::Json(arguments),
                    streams: Ok(self.streams),
                }
            }
            2 => ClientMessage::StreamItem {
                id: required(self.invocation_id)?,
                item: Encoded::Json(self.item.ok_or(ProtocolError::Missing("item"))?),
            },
            3 => {
                let id = required(self.invocation_id)?;
                let outcome = match (self.error, self.result.map(Encoded::Json)) {
                    (None, None) => ClientCompletion::Void,
                    (None, Some(result)) => ClientCompletion::Result(result),
                    (Some(error), None) => ClientCompletion::Error(error),
                    (Some(error), Some(result)) => ClientCompletion::Both {
                        result,
                        error,
                        error_is_last: self.error_is_last,
                    },
                };
                ClientMessage::Completion { id, outcome }
            }
            5 => ClientMessage::Cancel {
                id: required(self.invocation_id)?,
            },
            6 => ClientMessage::Ping,
            7 => ClientMessage::Close,
            8 => ClientMessage::Ack(self.sequence.ok_or(ProtocolError::Missing("sequenceId"))?),
            9 => {
                ClientMessage::Sequence(self.sequence.ok_or(ProtocolError::Missing("sequenceId"))?)
            }
            _ => ClientMessage::Ignored,
        })
    }
}

pub(super) fn text<'a>(
    reader: &mut Reader<'a>,
    name: &'static str,
) -> Result<Cow<'a, str>, ProtocolError> {
    match reader.peek()? {
        JsonKind::String => Ok(reader.string()?),
        _ => Err(mistyped(reader, name, "String")),
    }
}

pub(super) fn integer(reader: &mut Reader<'_>, name: &'static str) -> Result<i32, ProtocolError> {
    number(reader, name, "Int32")
}

fn sequence(reader: &mut Reader<'_>) -> Result<Option<i64>, ProtocolError> {
    if reader.null()? {
        return Ok(None);
    }
    number(reader, "sequenceId", "Int64").map(Some)
}

fn number<N: std::str::FromStr>(
    reader: &mut Reader<'_>,
    name: &'static str,
    bounds: &'static str,
) -> Result<N, ProtocolError> {
    if reader.peek()? != JsonKind::Number {
        return Err(mistyped(reader, name, "Number"));
    }
    let number = reader.number()?.parse();
    number.map_err(|_| ProtocolError::OutOfBounds(bounds))
}

fn stream_id<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, ProtocolError> {
    match reader.token()? {
        JsonKind::String => Ok(reader.string()?),
        JsonKind::Null => Err(ProtocolError::Null("streamIds")),
        JsonKind::Object => Err(ProtocolError::NotText("StartObject")),
        JsonKind::Array => Err(ProtocolError::NotText("StartArray")),
        other => Err(ProtocolError::NotText(token_name(other))),
    }
}

fn header(reader: &mut Reader<'_>, name: &str) -> Result<(), ProtocolError> {
    match reader.peek()? {
        JsonKind::String => {
            reader.string()?;
            Ok(())
        }
        _ => Err(refused(reader, ProtocolError::Header(name.to_owned()))),
    }
}

/// A reader that stands before an object.
pub(super) fn object(message: &[u8]) -> Result<Reader<'_>, ProtocolError> {
    let mut reader = Reader::new(message);
    match reader.token()? {
        JsonKind::Object => Ok(reader),
        other => Err(ProtocolError::NotAnObject(token_name(other))),
    }
}

/// A member of another type, unless it can't be read at all: .NET reads it first.
fn mistyped(reader: &mut Reader<'_>, name: &'static str, wanted: &'static str) -> ProtocolError {
    refused(reader, ProtocolError::Type(name, wanted))
}

fn refused(reader: &mut Reader<'_>, error: ProtocolError) -> ProtocolError {
    reader.token().err().map_or(error, ProtocolError::from)
}

/// System.Text.Json's name for what comes next.
fn token_name(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Object => "Object",
        JsonKind::Array => "Array",
        JsonKind::String => "String",
        JsonKind::Number => "Number",
        JsonKind::True => "True",
        JsonKind::False => "False",
        JsonKind::Null => "Null",
    }
}
