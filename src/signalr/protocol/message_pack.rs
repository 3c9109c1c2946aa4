//! Hub messages as MessagePack, each behind its length (protocol.md, "Messages").

mod write;

pub(super) use write::{framed, write};

use super::client_completion::ClientCompletion;
use super::encoded::Encoded;
use super::error::ProtocolError;
use super::message::{ClientMessage, Cut};
use crate::message_pack::{MessagePackError, MessagePackKind, MessagePackReader};
use std::borrow::Cow;
use write::LONGEST_PREFIX;

/// Cuts the first message off what came.
pub(super) fn cut(bytes: &[u8], maximum: usize) -> Result<Cut<'_>, ProtocolError> {
    let mut length = 0usize;
    for (place, byte) in bytes.iter().take(LONGEST_PREFIX).enumerate() {
        length |= usize::from(byte & 0x7f) << (place * 7);
        if byte & 0x80 == 0 {
            let total = place + 1 + length;
            if length > 0x7fff_ffff || total > maximum {
                return Err(ProtocolError::TooLarge(maximum));
            }
            return Ok(bytes
                .get(place + 1..total)
                .map_or(Cut::Partial, |message| Cut::Message(message, total)));
        }
    }
    if bytes.len() >= LONGEST_PREFIX {
        Err(ProtocolError::TooLarge(maximum))
    } else {
        Ok(Cut::Partial)
    }
}

/// Reads one message; items behind those that are known are passed over.
pub(super) fn read(message: &[u8]) -> Result<ClientMessage<'_>, ProtocolError> {
    let mut reader = MessagePackReader::new(message);
    let items = reader.array().map_err(|_| not_an_array(message))?;
    Ok(match integer(&mut reader, "messageType")? {
        kind @ (1 | 4) => {
            headers(&mut reader)?;
            let invocation_id = match kind {
                4 => Some(required_text(
                    &mut reader,
                    "invocationId",
                    "invocation ID for StreamInvocation message",
                )?),
                _ => optional_text(&mut reader, "invocationId")?.filter(|id| !id.is_empty()),
            };
            let what = match kind {
                4 => "target for StreamInvocation message",
                _ => "target for Invocation message",
            };
            let target = required_text(&mut reader, "target", what)?;
            let (arguments, streams) = (rest(&mut reader), streams(&mut reader, items));
            ClientMessage::Invocation {
                invocation_id,
                target,
                arguments,
                streams,
                streaming: kind == 4,
            }
        }
        2 => {
            headers(&mut reader)?;
            let id = required_text(
                &mut reader,
                "invocationId",
                "invocation ID for StreamItem message",
            )?;
            ClientMessage::StreamItem {
                id,
                item: rest(&mut reader),
            }
        }
        3 => {
            headers(&mut reader)?;
            let id = required_text(
                &mut reader,
                "invocationId",
                "invocation ID for Completion message",
            )?;
            let outcome = match integer(&mut reader, "resultKind")? {
                1 => optional_text(&mut reader, "error")?
                    .map_or(ClientCompletion::Void, ClientCompletion::Error),
                2 => ClientCompletion::Void,
                3 => match reader.raw() {
                    Ok(result) => ClientCompletion::Result(Encoded::MessagePack(result)),
                    Err(MessagePackError::NEVER_USED) => {
                        ClientCompletion::Unreadable(ProtocolError::Code(0xc1))
                    }
                    Err(_) => ClientCompletion::Unreadable(ProtocolError::EndOfStream),
                },
                _ => return Err(ProtocolError::ResultKind),
            };
            ClientMessage::Completion { id, outcome }
        }
        5 => {
            headers(&mut reader)?;
            ClientMessage::Cancel {
                id: required_text(
                    &mut reader,
                    "invocationId",
                    "invocation ID for CancelInvocation message",
                )?,
            }
        }
        6 => ClientMessage::Ping,
        7 => {
            optional_text(&mut reader, "error")?;
            if items > 2 {
                let read = reader.boolean();
                read.map_err(|_| ProtocolError::Reading("allowReconnect", "Boolean"))?;
            }
            ClientMessage::Close
        }
        8 => ClientMessage::Ack(sequence(&mut reader)?),
        9 => ClientMessage::Sequence(sequence(&mut reader)?),
        _ => ClientMessage::Ignored,
    })
}

/// What can't be read is no breach of the protocol, but the affair of the method that gets it; what
/// follows it is not looked at.
fn rest<'a>(reader: &mut MessagePackReader<'a>) -> Encoded<'a> {
    let all = reader.rest();
    Encoded::MessagePack(reader.raw().unwrap_or(all))
}

/// The streams of an invocation, which matter once its arguments are good. Old clients leave them
/// out.
fn streams<'a>(
    reader: &mut MessagePackReader<'a>,
    items: usize,
) -> Result<Vec<Cow<'a, str>>, ProtocolError> {
    let mut streams = Vec::new();
    if items > 5 {
        let length = reader.array();
        for _ in 0..length.map_err(|_| ProtocolError::Length("array", "streamIds"))? {
            streams.push(stream_id(reader)?);
        }
    }
    Ok(streams)
}

/// A stream's id, which .NET reads without words of its own for what is no text.
fn stream_id<'a>(reader: &mut MessagePackReader<'a>) -> Result<Cow<'a, str>, ProtocolError> {
    let code = reader.rest().first().copied();
    let text = match reader.kind() {
        Ok(MessagePackKind::Text) => reader.lenient_text().ok(),
        Ok(MessagePackKind::Nil) => Some(Cow::default()),
        _ => return Err(code.map_or(ProtocolError::EndOfStream, ProtocolError::Code)),
    };
    let text = text.ok_or(ProtocolError::EndOfStream)?;
    Some(text)
        .filter(|text| !text.is_empty())
        .ok_or(ProtocolError::Empty("value in streamIds received"))
}

/// Nobody asks for headers; they must be texts nevertheless, under names of their own.
fn headers(reader: &mut MessagePackReader<'_>) -> Result<(), ProtocolError> {
    let length = reader.map();
    let length = length.map_err(|_| ProtocolError::Length("map", "headers"))?;
    let mut names = Vec::new();
    for entry in 0..length {
        let name = header_part(reader, entry, "Key", "key in header")?;
        header_part(reader, entry, "Value", "value in header")?;
        if names.contains(&name) {
            return Err(ProtocolError::SameHeader(name.into_owned()));
        }
        names.push(name);
    }
    Ok(())
}

fn header_part<'a>(
    reader: &mut MessagePackReader<'a>,
    entry: usize,
    part: &'static str,
    what: &'static str,
) -> Result<Cow<'a, str>, ProtocolError> {
    let text = match reader.kind() {
        Ok(MessagePackKind::Nil) => None,
        _ => {
            let text = reader.lenient_text();
            Some(text.map_err(|_| ProtocolError::HeaderPart(entry, part))?)
        }
    };
    text.filter(|text| !text.is_empty())
        .ok_or(ProtocolError::Empty(what))
}

/// Why a message does not begin with an array.
fn not_an_array(message: &[u8]) -> ProtocolError {
    match message.first() {
        None | Some(0x90..=0x9f | 0xdc | 0xdd) => ProtocolError::EndOfStream,
        Some(code) => ProtocolError::Code(*code),
    }
}

fn integer(reader: &mut MessagePackReader<'_>, name: &'static str) -> Result<i32, ProtocolError> {
    let number = reader.integer().ok();
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.ok_or(ProtocolError::Reading(name, "Int32"))
}

fn sequence(reader: &mut MessagePackReader<'_>) -> Result<i64, ProtocolError> {
    let number = reader.integer();
    number.map_err(|_| ProtocolError::Reading("sequenceId", "Int64"))
}

fn optional_text<'a>(
    reader: &mut MessagePackReader<'a>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, ProtocolError> {
    let failed = |_| ProtocolError::Reading(name, "String");
    if reader.nil().map_err(failed)? {
        return Ok(None);
    }
    reader.lenient_text().map(Some).map_err(failed)
}

fn required_text<'a>(
    reader: &mut MessagePackReader<'a>,
    name: &'static str,
    what: &'static str,
) -> Result<Cow<'a, str>, ProtocolError> {
    let text = optional_text(reader, name)?;
    text.filter(|text| !text.is_empty())
        .ok_or(ProtocolError::Empty(what))
}
