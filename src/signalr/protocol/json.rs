//! Hub messages as JSON, read with ASP.NET Core's strictness and written as it writes them
//! (protocol.md, "Messages").

mod read;

use super::error::ProtocolError;
use super::message::{ClientMessage, Completed, RECORD_SEPARATOR, ServerMessage};
use crate::json::write_string;
use crate::signalr::value::NamingPolicy;
use read::{Fields, integer, object, text};
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
    reader.members(|reader| {
        match &*reader.lenient_name()? {
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
    reader.members(|reader| {
        let name = reader.lenient_name()?;
        fields.read(reader, &name)
    })?;
    fields.into_message()
}
