//! The bytes that ASP.NET Core's Redis backplane publishes, written and read (spec: signalr.md F2).

use crate::message_pack::{self, MessagePackError, Reader};

/// A message for many on other servers: who is left out, and the framed message per protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    pub excluded: Vec<&'a str>,
    /// Protocol name and complete framed message (JSON with its U+001E).
    pub messages: Vec<(&'a str, &'a [u8])>,
    /// The invocation's id and the channel that its result is wanted on, where one is.
    pub result: Option<(&'a str, &'a str)>,
}

/// Writes an invocation envelope.
pub fn write_invocation(invocation: &Invocation<'_>) -> Vec<u8> {
    let size: usize = invocation.messages.iter().map(|(name, bytes)| name.len() + bytes.len() + 8).sum();
    let mut out = Vec::with_capacity(size + 8);
    message_pack::write_array(&mut out, if invocation.result.is_some() { 4 } else { 2 });
    message_pack::write_array(&mut out, invocation.excluded.len());
    for id in &invocation.excluded {
        message_pack::write_text(&mut out, id);
    }
    message_pack::write_map(&mut out, invocation.messages.len());
    for (protocol, bytes) in &invocation.messages {
        message_pack::write_text(&mut out, protocol);
        message_pack::write_binary(&mut out, bytes);
    }
    if let Some((id, channel)) = invocation.result {
        message_pack::write_text(&mut out, id);
        message_pack::write_text(&mut out, channel);
    }
    out
}

/// Reads an invocation envelope.
pub fn read_invocation(bytes: &[u8]) -> Result<Invocation<'_>, MessagePackError> {
    let mut reader = Reader::new(bytes);
    let items = reader.array()?;
    if items < 2 {
        return Err(MessagePackError("an array of two"));
    }
    // Counts come from the wire: nothing is reserved by them.
    let mut excluded = Vec::new();
    for _ in 0..reader.array()? {
        excluded.push(reader.text()?);
    }
    let mut messages = Vec::new();
    for _ in 0..reader.map()? {
        messages.push((reader.text()?, reader.binary()?));
    }
    let result = if items > 3 { Some((reader.text()?, reader.text()?)) } else { None };
    Ok(Invocation { excluded, messages, result })
}

/// A client's answer on its way to the server that asked: its protocol and the framed Completion.
pub fn write_completion(protocol: &str, completion: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(completion.len() + protocol.len() + 8);
    message_pack::write_array(&mut out, 2);
    message_pack::write_text(&mut out, protocol);
    message_pack::write_binary(&mut out, completion);
    out
}

pub fn read_completion(bytes: &[u8]) -> Result<(&str, &[u8]), MessagePackError> {
    let mut reader = Reader::new(bytes);
    if reader.array()? < 2 {
        return Err(MessagePackError("an array of two"));
    }
    Ok((reader.text()?, reader.binary()?))
}

/// What a server asks of whichever server holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupAction {
    Add,
    Remove,
}

/// A request to put another server's connection into a group, or take it out.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupCommand<'a> {
    pub id: i64,
    pub server: &'a str,
    pub action: GroupAction,
    pub group: &'a str,
    pub connection: &'a str,
}

pub fn write_group_command(command: &GroupCommand<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(command.server.len() + command.group.len() + command.connection.len() + 16);
    message_pack::write_array(&mut out, 5);
    message_pack::write_integer(&mut out, command.id);
    message_pack::write_text(&mut out, command.server);
    message_pack::write_integer(&mut out, if command.action == GroupAction::Add { 1 } else { 2 });
    message_pack::write_text(&mut out, command.group);
    message_pack::write_text(&mut out, command.connection);
    out
}

pub fn read_group_command(bytes: &[u8]) -> Result<GroupCommand<'_>, MessagePackError> {
    let mut reader = Reader::new(bytes);
    if reader.array()? < 5 {
        return Err(MessagePackError("an array of five"));
    }
    Ok(GroupCommand {
        id: reader.integer()?,
        server: reader.text()?,
        action: match reader.integer()? {
            1 => GroupAction::Add,
            2 => GroupAction::Remove,
            _ => return Err(MessagePackError("the action 1 or 2")),
        },
        group: reader.text()?,
        connection: reader.text()?,
    })
}

/// The answer to a group command, by the command's number.
pub fn write_ack(id: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(6);
    message_pack::write_array(&mut out, 1);
    message_pack::write_integer(&mut out, id);
    out
}

pub fn read_ack(bytes: &[u8]) -> Result<i64, MessagePackError> {
    let mut reader = Reader::new(bytes);
    if reader.array()? < 1 {
        return Err(MessagePackError("an array of one"));
    }
    reader.integer()
}
