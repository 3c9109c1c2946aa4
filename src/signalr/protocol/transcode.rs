//! Invocations of clients from one protocol to the other, for messages that came in one only.

use super::message::{ClientMessage, Cut, ServerMessage};
use super::{json, message_pack};
use crate::signalr::value::{NamingPolicy, Value};

/// An invocation of clients that came as JSON; `None` where it is none.
pub(crate) fn to_message_pack(message: &[u8]) -> Option<Vec<u8>> {
    let ClientMessage::Invocation {
        invocation_id,
        target,
        arguments,
        ..
    } = json::read(message.strip_suffix(b"\x1e")?).ok()?
    else {
        return None;
    };
    let Value::Array(arguments) = arguments.value()? else {
        return None;
    };
    Some(message_pack::write(&ServerMessage::Invocation {
        id: invocation_id.as_deref(),
        target: &target,
        arguments: &arguments,
    }))
}

/// An invocation of clients that came as MessagePack, as JSON; `None` where it is none.
pub(crate) fn to_json(framed: &[u8]) -> Option<Vec<u8>> {
    let Ok(Cut::Message(message, _)) = message_pack::cut(framed, usize::MAX) else {
        return None;
    };
    let ClientMessage::Invocation {
        invocation_id,
        target,
        arguments,
        ..
    } = message_pack::read(message).ok()?
    else {
        return None;
    };
    let Value::Array(arguments) = arguments.value()? else {
        return None;
    };
    let message = ServerMessage::Invocation {
        id: invocation_id.as_deref(),
        target: &target,
        arguments: &arguments,
    };
    Some(json::write(&message, NamingPolicy::AsDeclared))
}
