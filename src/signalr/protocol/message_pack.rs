//! Hub messages as MessagePack, each behind its length (protocol.md, "Messages").

use super::encoded::Encoded;
use super::error::ProtocolError;
use super::message::{ClientMessage, Completed, Cut, ServerMessage};
use crate::message_pack::{self as pack, MessagePackReader};
use std::borrow::Cow;

/// A length is at most five bytes of seven bits.
const LONGEST_PREFIX: usize = 5;

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
            let target = required_text(&mut reader, "target", "target for Invocation message")?;
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
                1 => Err(optional_text(&mut reader, "error")?.unwrap_or_default()),
                2 => Ok(None),
                3 => Ok(Some(Encoded::MessagePack(
                    reader.raw().map_err(|_| ProtocolError::EndOfStream)?,
                ))),
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
            streams.push(required_text(
                reader,
                "streamIds",
                "value for 'streamIds' received",
            )?);
        }
    }
    Ok(streams)
}

fn headers(reader: &mut MessagePackReader<'_>) -> Result<(), ProtocolError> {
    let length = reader.map();
    // Nobody asks for headers; they must be texts nevertheless.
    for entry in 0..length.map_err(|_| ProtocolError::Length("map", "headers"))? {
        for part in ["key", "value"] {
            let read = reader.lenient_text();
            read.map_err(|_| ProtocolError::HeaderPart(entry, part))?;
        }
    }
    Ok(())
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

/// Writes a message behind its length.
pub(super) fn write(message: &ServerMessage<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let id = |out: &mut Vec<u8>, id: Option<&str>| match id {
        Some(id) => pack::write_text(out, id),
        None => pack::write_nil(out),
    };
    let head = |out: &mut Vec<u8>, items: usize, kind: i64| {
        pack::write_array(out, items);
        pack::write_integer(out, kind);
    };
    match message {
        ServerMessage::Invocation {
            id: invocation,
            target,
            arguments,
        } => {
            head(&mut out, 6, 1);
            pack::write_map(&mut out, 0);
            id(&mut out, *invocation);
            pack::write_text(&mut out, target);
            pack::write_array(&mut out, arguments.len());
            arguments
                .iter()
                .for_each(|argument| argument.write_message_pack(&mut out));
            pack::write_array(&mut out, 0);
        }
        ServerMessage::StreamItem {
            id: invocation,
            item,
        } => {
            head(&mut out, 4, 2);
            pack::write_map(&mut out, 0);
            id(&mut out, Some(invocation));
            item.write_message_pack(&mut out);
        }
        ServerMessage::Completion {
            id: invocation,
            outcome,
        } => {
            head(
                &mut out,
                if matches!(outcome, Completed::Void) {
                    4
                } else {
                    5
                },
                3,
            );
            pack::write_map(&mut out, 0);
            id(&mut out, Some(invocation));
            match outcome {
                Completed::Error(error) => {
                    pack::write_integer(&mut out, 1);
                    pack::write_text(&mut out, error);
                }
                Completed::Void => pack::write_integer(&mut out, 2),
                Completed::Result(value) => {
                    pack::write_integer(&mut out, 3);
                    value.write_message_pack(&mut out);
                }
            }
        }
        ServerMessage::Ping => head(&mut out, 1, 6),
        ServerMessage::Close {
            error,
            allow_reconnect,
        } => {
            head(&mut out, 3, 7);
            id(&mut out, *error);
            pack::write_boolean(&mut out, *allow_reconnect);
        }
        ServerMessage::Ack(sequence) => {
            head(&mut out, 2, 8);
            pack::write_integer(&mut out, *sequence);
        }
        ServerMessage::Sequence(sequence) => {
            head(&mut out, 2, 9);
            pack::write_integer(&mut out, *sequence);
        }
    }
    framed(&out)
}

/// A message behind its length.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + LONGEST_PREFIX);
    let mut length = message.len();
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(message);
    out
}
