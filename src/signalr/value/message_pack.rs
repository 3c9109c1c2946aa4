//! Values from and to MessagePack.

use super::{NamingPolicy, Value};
use crate::message_pack::{self, MessagePackError, MessagePackKind, MessagePackReader};

/// The deepest nesting, as in .NET.
const MAXIMUM_DEPTH: usize = 64;

impl Value {
    /// Reads one MessagePack value.
    pub fn from_message_pack(bytes: &[u8]) -> Result<Self, MessagePackError> {
        read_message_pack(&mut MessagePackReader::new(bytes), MAXIMUM_DEPTH)
    }

    pub fn write_message_pack(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => message_pack::write_nil(out),
            Value::Boolean(value) => message_pack::write_boolean(out, *value),
            Value::Integer(number) => message_pack::write_integer(out, *number),
            Value::Unsigned(number) => message_pack::write_unsigned(out, *number),
            Value::Float(number) => message_pack::write_float(out, *number),
            Value::Text(text) => message_pack::write_text(out, text),
            Value::Binary(bytes) => message_pack::write_binary(out, bytes),
            Value::Extension(kind, bytes) => message_pack::write_extension(out, *kind, bytes),
            Value::Array(items) => {
                message_pack::write_array(out, items.len());
                items.iter().for_each(|item| item.write_message_pack(out));
            }
            Value::Map(members) => {
                message_pack::write_map(out, members.len());
                for (name, value) in members {
                    message_pack::write_text(out, name);
                    value.write_message_pack(out);
                }
            }
            Value::Object(members) => {
                message_pack::write_map(out, members.len());
                for (name, value) in members {
                    message_pack::write_text(out, name);
                    value.write_message_pack(out);
                }
            }
        }
    }
}

fn read_message_pack(
    reader: &mut MessagePackReader<'_>,
    depth: usize,
) -> Result<Value, MessagePackError> {
    if depth == 0 {
        return Err(MessagePackError("a value less deep"));
    }
    Ok(match reader.kind()? {
        MessagePackKind::Nil => {
            reader.skip()?;
            Value::Null
        }
        MessagePackKind::Boolean => Value::Boolean(reader.boolean()?),
        MessagePackKind::Integer => match reader.unsigned()? {
            Ok(number) => i64::try_from(number).map_or(Value::Unsigned(number), Value::Integer),
            Err(number) => Value::Integer(number),
        },
        MessagePackKind::Float => Value::Float(reader.float()?),
        MessagePackKind::Text => Value::Text(reader.lenient_text()?.into_owned()),
        MessagePackKind::Binary => Value::Binary(reader.binary()?.to_vec()),
        MessagePackKind::Extension => {
            let (kind, bytes) = reader.extension()?;
            Value::Extension(kind, bytes.to_vec())
        }
        MessagePackKind::Array => {
            // Do not reserve memory for this count: it comes from the client.
            let mut items = Vec::new();
            for _ in 0..reader.array()? {
                items.push(read_message_pack(reader, depth - 1)?);
            }
            Value::Array(items)
        }
        MessagePackKind::Map => {
            let mut members = Vec::new();
            for _ in 0..reader.map()? {
                let key = match read_message_pack(reader, depth - 1)? {
                    Value::Text(key) => key,
                    // Nested keys would be escaped at each level and grow exponentially.
                    Value::Array(_) | Value::Map(_) => {
                        return Err(MessagePackError("a key that is a plain value"));
                    }
                    other => String::from_utf8_lossy(&other.to_json(NamingPolicy::AsDeclared))
                        .into_owned(),
                };
                members.push((key, read_message_pack(reader, depth - 1)?));
            }
            Value::Map(members)
        }
    })
}
