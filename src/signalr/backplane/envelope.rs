//! The bytes that ASP.NET Core's Redis backplane publishes, written and read (protocol.md,
//! "Backplane").

use crate::message_pack::{self, MessagePackError, MessagePackReader};

/// A message for many on other servers: who is left out, and the framed message per protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct InvocationEnvelope<'a> {
    pub excluded: Vec<&'a str>,
    /// Protocol name and complete framed message (JSON with its U+001E).
    pub messages: Vec<(&'a str, &'a [u8])>,
    /// The invocation's id and the channel that its result is wanted on, where one is.
    pub result: Option<(&'a str, &'a str)>,
}

/// Writes an invocation envelope.
pub fn write_invocation(invocation: &InvocationEnvelope<'_>) -> Vec<u8> {
    let size: usize = invocation
        .messages
        .iter()
        .map(|(name, bytes)| name.len() + bytes.len() + 8)
        .sum();
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
pub fn read_invocation(bytes: &[u8]) -> Result<InvocationEnvelope<'_>, MessagePackError> {
    let mut reader = MessagePackReader::new(bytes);
    let items = reader.array()?;
    if items < 2 {
        return Err(MessagePackError("an array of two"));
    }
    // Counts come from the wire: nothing is reserved by them.
    let mut excluded = Vec::new();
    for _ in 0..reader.array()? {
        excluded.extend(optional_text(&mut reader)?);
    }
    let mut messages = Vec::new();
    for _ in 0..reader.map()? {
        let (protocol, message) = (optional_text(&mut reader)?, optional_binary(&mut reader)?);
        messages.extend(protocol.map(|protocol| (protocol, message)));
    }
    let result = if items > 3 {
        optional_text(&mut reader)?.zip(optional_text(&mut reader)?)
    } else {
        None
    };
    Ok(InvocationEnvelope {
        excluded,
        messages,
        result,
    })
}

/// Text, for which .NET takes a nil too.
fn optional_text<'a>(
    reader: &mut MessagePackReader<'a>,
) -> Result<Option<&'a str>, MessagePackError> {
    if reader.nil()? {
        Ok(None)
    } else {
        reader.text().map(Some)
    }
}

fn optional_binary<'a>(reader: &mut MessagePackReader<'a>) -> Result<&'a [u8], MessagePackError> {
    if reader.nil()? {
        Ok(&[])
    } else {
        reader.binary()
    }
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
    let mut reader = MessagePackReader::new(bytes);
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
    pub id: i32,
    pub server: &'a str,
    /// `None`, one that is not known: .NET says that it is done all the same.
    pub action: Option<GroupAction>,
    pub group: &'a str,
    pub connection: &'a str,
}

pub fn write_group_command(command: &GroupCommand<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(
        command.server.len() + command.group.len() + command.connection.len() + 16,
    );
    message_pack::write_array(&mut out, 5);
    message_pack::write_integer(&mut out, command.id.into());
    message_pack::write_text(&mut out, command.server);
    message_pack::write_integer(
        &mut out,
        match command.action {
            None => 0,
            Some(GroupAction::Add) => 1,
            Some(GroupAction::Remove) => 2,
        },
    );
    message_pack::write_text(&mut out, command.group);
    message_pack::write_text(&mut out, command.connection);
    out
}

pub fn read_group_command(bytes: &[u8]) -> Result<GroupCommand<'_>, MessagePackError> {
    let mut reader = MessagePackReader::new(bytes);
    if reader.array()? < 5 {
        return Err(MessagePackError("an array of five"));
    }
    let (id, server) = (
        number(&mut reader)?,
        optional_text(&mut reader)?.unwrap_or_default(),
    );
    let action = match u8::try_from(reader.integer()?) {
        Ok(1) => Some(GroupAction::Add),
        Ok(2) => Some(GroupAction::Remove),
        Ok(_) => None,
        Err(_) => return Err(MessagePackError("an action of 8 bits")),
    };
    let group = optional_text(&mut reader)?;
    let connection = optional_text(&mut reader)?.unwrap_or_default();
    Ok(GroupCommand {
        id,
        server,
        action: action.filter(|_| group.is_some()),
        group: group.unwrap_or_default(),
        connection,
    })
}

/// A command's number, 32 bits.
fn number(reader: &mut MessagePackReader<'_>) -> Result<i32, MessagePackError> {
    i32::try_from(reader.integer()?).map_err(|_| MessagePackError("a number of 32 bits"))
}

/// The answer to a group command, by the command's number.
pub fn write_ack(id: i32) -> Vec<u8> {
    let mut out = Vec::with_capacity(6);
    message_pack::write_array(&mut out, 1);
    message_pack::write_integer(&mut out, id.into());
    out
}

pub fn read_ack(bytes: &[u8]) -> Result<i32, MessagePackError> {
    let mut reader = MessagePackReader::new(bytes);
    if reader.array()? < 1 {
        return Err(MessagePackError("an array of one"));
    }
    number(&mut reader)
}
