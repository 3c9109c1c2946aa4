//! Hub messages as JSON, read with ASP.NET Core's strictness and written as it writes them (spec: signalr.md D2).

use super::{ClientMessage, Handshake, ProtocolError, RECORD_SEPARATOR};
use crate::json::{Kind, Reader, write_string};
use std::borrow::Cow;

type Result<T> = std::result::Result<T, ProtocolError>;

/// The answer to a good handshake.
pub const HANDSHAKE_ACCEPTED: &[u8] = b"{}\x1e";
pub const PING: &[u8] = b"{\"type\":6}\x1e";

/// The answer to a bad handshake.
pub fn handshake_refused(error: &str) -> Vec<u8> {
    let mut out = b"{\"error\":".to_vec();
    write_string(&mut out, error);
    out.extend([b'}', RECORD_SEPARATOR]);
    out
}

/// The answer to an invocation: a result as JSON, or an error's text.
pub fn completion(invocation_id: &str, outcome: std::result::Result<&[u8], &str>) -> Vec<u8> {
    let mut out = b"{\"type\":3,\"invocationId\":".to_vec();
    write_string(&mut out, invocation_id);
    match outcome {
        Ok(result) => {
            out.extend_from_slice(b",\"result\":");
            out.extend_from_slice(result);
        }
        Err(error) => {
            out.extend_from_slice(b",\"error\":");
            write_string(&mut out, error);
        }
    }
    out.extend([b'}', RECORD_SEPARATOR]);
    out
}

/// The server's last message.
pub fn close(error: Option<&str>, allow_reconnect: bool) -> Vec<u8> {
    let mut out = b"{\"type\":7".to_vec();
    if let Some(error) = error {
        out.extend_from_slice(b",\"error\":");
        write_string(&mut out, error);
    }
    if allow_reconnect {
        out.extend_from_slice(b",\"allowReconnect\":true");
    }
    out.extend([b'}', RECORD_SEPARATOR]);
    out
}

pub(super) fn read_handshake(message: &[u8]) -> Result<Handshake<'_>> {
    let (mut protocol, mut version) = (None, None);
    let mut reader = Reader::new(message);
    reader.object(|reader, name| {
        match &*name {
            "protocol" => protocol = Some(text(reader, "protocol")?),
            "version" => version = Some(integer(reader, "version")?),
            _ => drop(reader.skip()?),
        }
        Ok::<_, ProtocolError>(())
    })?;
    Ok(Handshake {
        protocol: protocol.ok_or(ProtocolError::Missing("protocol"))?,
        version: version.ok_or(ProtocolError::Missing("version"))?,
    })
}

/// Reads one message, without its separator. What follows the message's object is not looked at, as in .NET.
pub fn read(message: &[u8]) -> Result<ClientMessage<'_>> {
    let mut fields = Fields::default();
    let mut reader = Reader::new(message);
    reader.object(|reader, name| fields.read(reader, &name))?;
    fields.into_message()
}

#[derive(Default)]
struct Fields<'a> {
    kind: Option<i32>,
    invocation_id: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    arguments: Option<&'a [u8]>,
    streams: usize,
    item: bool,
    result: bool,
    error: bool,
}

impl<'a> Fields<'a> {
    fn read(&mut self, reader: &mut Reader<'a>, name: &str) -> Result<()> {
        match name {
            "type" => self.kind = Some(integer(reader, "type")?),
            "invocationId" => self.invocation_id = optional_text(reader, "invocationId")?,
            "target" => self.target = Some(text(reader, "target")?),
            "arguments" if reader.peek()? == Kind::Array => self.arguments = Some(reader.skip()?),
            "arguments" => return Err(ProtocolError::Type("arguments", "Array")),
            "streamIds" => {
                self.streams = 0;
                reader.array(|reader| {
                    self.streams += 1;
                    text(reader, "streamIds").map(drop)
                })?;
            }
            "headers" if reader.peek()? == Kind::Object => {
                reader.object(|reader, _| text(reader, "headers").map(drop))?;
            }
            "headers" => return Err(ProtocolError::Type("headers", "Object")),
            "error" => self.error = optional_text(reader, "error")?.is_some(),
            "item" => {
                reader.skip()?;
                self.item = true;
            }
            "result" => {
                reader.skip()?;
                self.result = true;
            }
            "sequenceId" => drop(reader.number()?),
            "allowReconnect" => drop(reader.boolean()?),
            _ => drop(reader.skip()?),
        }
        Ok(())
    }

    fn into_message(self) -> Result<ClientMessage<'a>> {
        let id_required = |id: &Option<_>| if id.is_some() { Ok(()) } else { Err(ProtocolError::Missing("invocationId")) };
        match self.kind.ok_or(ProtocolError::Missing("type"))? {
            kind @ (1 | 4) => Ok(ClientMessage::Invocation {
                streaming: kind == 4,
                invocation_id: self.invocation_id.filter(|id| !id.is_empty()),
                target: self.target.ok_or(ProtocolError::Missing("target"))?,
                arguments: self.arguments.ok_or(ProtocolError::Missing("arguments"))?,
                streams: self.streams,
            }),
            2 => {
                id_required(&self.invocation_id)?;
                if self.item { Ok(ClientMessage::Ignored) } else { Err(ProtocolError::Missing("item")) }
            }
            3 => {
                id_required(&self.invocation_id)?;
                if self.error && self.result { Err(ProtocolError::ErrorAndResult) } else { Ok(ClientMessage::Ignored) }
            }
            5 => id_required(&self.invocation_id).map(|()| ClientMessage::Ignored),
            6 => Ok(ClientMessage::Ping),
            7 => Ok(ClientMessage::Close),
            _ => Ok(ClientMessage::Ignored),
        }
    }
}

fn text<'a>(reader: &mut Reader<'a>, name: &'static str) -> Result<Cow<'a, str>> {
    match reader.peek()? {
        Kind::String => Ok(reader.string()?),
        _ => Err(ProtocolError::Type(name, "String")),
    }
}

fn optional_text<'a>(reader: &mut Reader<'a>, name: &'static str) -> Result<Option<Cow<'a, str>>> {
    if reader.null()? { Ok(None) } else { text(reader, name).map(Some) }
}

fn integer(reader: &mut Reader<'_>, name: &'static str) -> Result<i32> {
    match reader.peek()? {
        Kind::Number => reader.number()?.parse().map_err(|_| ProtocolError::Type(name, "Number")),
        _ => Err(ProtocolError::Type(name, "Number")),
    }
}

/// Binds exactly `N` arguments that are strings or null; `None` where they are anything else.
pub fn bind_strings<const N: usize>(arguments: &[u8]) -> Option<[Option<String>; N]> {
    let mut bound = Vec::with_capacity(N);
    let mut reader = Reader::new(arguments);
    reader
        .array(|reader| {
            bound.push(optional_text(reader, "argument")?.map(Cow::into_owned));
            Ok::<_, ProtocolError>(())
        })
        .ok()?;
    bound.try_into().ok()
}
