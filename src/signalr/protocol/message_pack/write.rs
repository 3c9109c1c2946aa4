//! Messages to clients.

use crate::message_pack as pack;
use crate::signalr::protocol::message::{Completed, ServerMessage};

/// A length is at most five bytes of seven bits.
pub(super) const LONGEST_PREFIX: usize = 5;

/// Writes a message behind its length.
pub(in crate::signalr::protocol) fn write(message: &ServerMessage<'_>) -> Vec<u8> {
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
pub(in crate::signalr::protocol) fn framed(message: &[u8]) -> Vec<u8> {
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
