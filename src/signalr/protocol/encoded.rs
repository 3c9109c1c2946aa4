//! Values and arguments as they came: checked, not bound to a method's parameters yet.

use crate::json::{JsonError, Kind, Reader};
use crate::signalr::value::Value;

/// A value, or an array of arguments, as it came: checked, not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded<'a> {
    Json(&'a [u8]),
    MessagePack(&'a [u8]),
}

impl Encoded<'_> {
    /// The value; `None` where it can't be held, such as text that is not UTF-8.
    pub fn value(&self) -> Option<Value> {
        match self {
            Encoded::Json(bytes) => Value::from_json(bytes).ok(),
            Encoded::MessagePack(bytes) => Value::from_message_pack(bytes).ok(),
        }
    }

    /// Exactly `N` arguments.
    pub fn arguments<const N: usize>(&self) -> Option<[Value; N]> {
        match self.value()? {
            Value::Array(items) => items.try_into().ok(),
            _ => None,
        }
    }

    /// Exactly `N` arguments that are texts or null.
    pub fn texts<const N: usize>(&self) -> Option<[Option<String>; N]> {
        match self {
            Encoded::Json(bytes) => bind_json_texts(bytes),
            Encoded::MessagePack(_) => {
                let mut texts: [Option<String>; N] = [const { None }; N];
                for (text, value) in texts.iter_mut().zip(self.arguments::<N>()?) {
                    *text = match value {
                        Value::Null => None,
                        Value::Text(value) => Some(value),
                        _ => return None,
                    };
                }
                Some(texts)
            }
        }
    }
}

/// Binds exactly `N` arguments that are strings or null; `None` if they are anything else.
fn bind_json_texts<const N: usize>(arguments: &[u8]) -> Option<[Option<String>; N]> {
    let mut bound = Vec::with_capacity(N);
    let mut every_text = true;
    let mut reader = Reader::new(arguments);
    reader
        .array(|reader| {
            match reader.peek()? {
                Kind::String => bound.push(Some(reader.string()?.into_owned())),
                Kind::Null => {
                    reader.null()?;
                    bound.push(None);
                }
                _ => {
                    reader.skip()?;
                    every_text = false;
                }
            }
            Ok::<_, JsonError>(())
        })
        .ok()?;
    bound.try_into().ok().filter(|_| every_text)
}
