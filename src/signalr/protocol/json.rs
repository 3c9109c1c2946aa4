//! Hub messages as JSON, read with ASP.NET Core's strictness and written as it writes them
//! (protocol.md, "Messages").

use super::encoded::Encoded;
use super::error::ProtocolError;
use super::message::{ClientMessage, Completed, RECORD_SEPARATOR, ServerMessage};
use crate::json::{JsonKind, Reader, write_string};
use crate::signalr::value::NamingPolicy;
use std::borrow::Cow;

/// The answer to a good handshake.
pub const HANDSHAKE_ACCEPTED: &[u8] = b"{}\x1e";

/// The answer to a bad handshake.
pub fn handshake_refused(error: &str) -> Vec<u8> {
    let mut out = b"{\"error\":".to_vec();
    write_string(&mut out, error);
    out.extend([b'}', RECORD_SEPARATOR]);
    out
}

/// Writes a message with its separator.
pub(super) fn write(message: &ServerMessage<'_>, naming: NamingPolicy) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let text = |out: &mut Vec<u8>, name: &str, value: &str| {
        out.extend_from_slice(name.as_bytes());
        write_string(out, value);
    };
    match message {
        ServerMessage::Invocation {
            id,
            target,
            arguments,
        } => {
            out.extend_from_slice(b"{\"type\":1");
            if let Some(id) = id {
                text(&mut out, ",\"invocationId\":", id);
            }
            text(&mut out, ",\"target\":", target);
            out.extend_from_slice(b",\"arguments\":[");
            for (place, argument) in arguments.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                argument.write_json(&mut out, naming);
            }
            out.push(b']');
        }
        ServerMessage::StreamItem { id, item } => {
            text(&mut out, "{\"type\":2,\"invocationId\":", id);
            out.extend_from_slice(b",\"item\":");
            item.write_json(&mut out, naming);
        }
        ServerMessage::Completion { id, outcome } => {
            text(&mut out, "{\"type\":3,\"invocationId\":", id);
            match outcome {
                Completed::Void => {}
                Completed::Result(value) => {
                    out.extend_from_slice(b",\"result\":");
                    value.write_json(&mut out, naming);
                }
                Completed::Error(error) => text(&mut out, ",\"error\":", error),
            }
        }
        ServerMessage::Ping => out.extend_from_slice(b"{\"type\":6"),
        ServerMessage::Close {
            error,
            allow_reconnect,
        } => {
            out.extend_from_slice(b"{\"type\":7");
            if let Some(error) = error {
                text(&mut out, ",\"error\":", error);
            }
            if *allow_reconnect {
                out.extend_from_slice(b",\"allowReconnect\":true");
            }
        }
        ServerMessage::Ack(id) => {
            out.extend_from_slice(format!("{{\"type\":8,\"sequenceId\":{id}").as_bytes())
        }
        ServerMessage::Sequence(id) => {
            out.extend_from_slice(format!("{{\"type\":9,\"sequenceId\":{id}").as_bytes())
        }
    }
    out.extend([b'}', RECORD_SEPARATOR]);
    out
}

/// Protocol and version that a handshake asks for.
pub(super) fn read_handshake(message: &[u8]) -> Result<(Cow<'_, str>, i32), ProtocolError> {
    let (mut protocol, mut version) = (None, None);
    let mut reader = object(message)?;
    reader.object(|reader, name| {
        match &*name {
            "protocol" => protocol = Some(text(reader, "protocol")?),
            "version" => {
                version = if reader.null()? {
                    None
                } else {
                    Some(integer(reader, "version")?)
                }
            }
            _ => drop(reader.skip()?),
        }
        Ok::<_, ProtocolError>(())
    })?;
    Ok((
        protocol.ok_or(ProtocolError::Missing("protocol"))?,
        version.ok_or(ProtocolError::Missing("version"))?,
    ))
}

/// Reads one message, without its separator. What follows the message's object is not looked at, as
/// in .NET.
pub(super) fn read(message: &[u8]) -> Result<ClientMessage<'_>, ProtocolError> {
    let mut fields = Fields::default();
    let mut reader = object(message)?;
    reader.object(|reader, name| fields.read(reader, &name))?;
    fields.into_message()
}

#[derive(Default)]
struct Fields<'a> {
    kind: Option<i32>,
    invocation_id: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    arguments: Option<&'a [u8]>,
    streams: Vec<Cow<'a, str>>,
    item: Option<&'a [u8]>,
    result: Option<&'a [u8]>,
    error: Option<Cow<'a, str>>,
    sequence: Option<i64>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, reader: &mut Reader<'a>, name: &str) -> Result<(), ProtocolError> {
        match name {
            "type" => self.kind = Some(integer(reader, "type")?),
            "invocationId" => self.invocation_id = Some(text(reader, "invocationId")?),
            "target" => self.target = Some(text(reader, "target")?),
            "arguments" if reader.peek()? == JsonKind::Array => {
                self.arguments = Some(reader.skip()?)
            }
            "arguments" => return Err(ProtocolError::Type("arguments", "Array")),
            "streamIds" if reader.peek()? == JsonKind::Array => {
                self.streams.clear();
                reader.array(|reader| {
                    self.streams.push(stream_id(reader)?);
                    Ok::<_, ProtocolError>(())
                })?;
            }
            "streamIds" => return Err(ProtocolError::Type("streamIds", "Array")),
            "headers" if reader.peek()? == JsonKind::Object => {
                reader.object(|reader, name| header(reader, &name))?;
            }
            "headers" => return Err(ProtocolError::Type("headers", "StartObject")),
            "error" => self.error = Some(text(reader, "error")?),
            "item" => self.item = Some(reader.skip()?),
            "result" => self.result = Some(reader.skip()?),
            "sequenceId" => self.sequence = sequence(reader)?,
            "allowReconnect" => match reader.peek()? {
                JsonKind::True | JsonKind::False => drop(reader.boolean()?),
                _ => return Err(ProtocolError::NotBoolean("allowReconnect")),
            },
            _ => drop(reader.skip()?),
        }
        Ok(())
    }

    fn into_message(self) -> Result<ClientMessage<'a>, ProtocolError> {
        let required = |id: Option<Cow<'a, str>>| {
            id.filter(|id| !id.is_empty())
                .ok_or(ProtocolError::Missing("invocationId"))
        };
        Ok(match self.kind.ok_or(ProtocolError::Missing("type"))? {
            kind @ (1 | 4) => ClientMessage::Invocation {
                streaming: kind == 4,
                invocation_id: self.invocation_id.filter(|id| !id.is_empty()),
                target: self.target.ok_or(ProtocolError::Missing("target"))?,
                arguments: Encoded::Json(
                    self.arguments.ok_or(ProtocolError::Missing("arguments"))?,
                ),
                streams: Ok(self.streams),
            },
            2 => ClientMessage::StreamItem {
                id: required(self.invocation_id)?,
                item: Encoded::Json(self.item.ok_or(ProtocolError::Missing("item"))?),
            },
            3 => {
                let id = required(self.invocation_id)?;
                let outcome = match (self.error, self.result) {
                    (Some(_), Some(_)) => return Err(ProtocolError::ErrorAndResult),
                    (Some(error), None) => Err(error),
                    (None, result) => Ok(result.map(Encoded::Json)),
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

fn text<'a>(reader: &mut Reader<'a>, name: &'static str) -> Result<Cow<'a, str>, ProtocolError> {
    match reader.peek()? {
        JsonKind::String => Ok(reader.string()?),
        _ => Err(ProtocolError::Type(name, "String")),
    }
}

fn integer(reader: &mut Reader<'_>, name: &'static str) -> Result<i32, ProtocolError> {
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
        return Err(ProtocolError::Type(name, "Number"));
    }
    let number = reader.number()?.parse();
    number.map_err(|_| ProtocolError::OutOfBounds(bounds))
}

fn stream_id<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, ProtocolError> {
    match reader.peek()? {
        JsonKind::String => Ok(reader.string()?),
        JsonKind::Null => Err(ProtocolError::Null("streamIds")),
        other => Err(ProtocolError::NotText(token(other))),
    }
}

fn header(reader: &mut Reader<'_>, name: &str) -> Result<(), ProtocolError> {
    match reader.peek()? {
        JsonKind::String => {
            reader.string()?;
            Ok(())
        }
        _ => Err(ProtocolError::Header(name.to_owned())),
    }
}

/// A reader that stands before an object.
fn object(message: &[u8]) -> Result<Reader<'_>, ProtocolError> {
    let mut reader = Reader::new(message);
    match reader.peek()? {
        JsonKind::Object => Ok(reader),
        other => Err(ProtocolError::NotAnObject(token(other))),
    }
}

/// System.Text.Json's name for what comes next.
fn token(kind: JsonKind) -> &'static str {
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
