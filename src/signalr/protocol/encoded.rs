//! Values and arguments as they came: checked, not bound to a method's parameters yet.

use crate::json::{JsonError, JsonKind, Reader};
use crate::message_pack::MessagePackReader;
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
    pub fn arguments<const N: usize>(&self) -> Result<[Value; N], BindingError> {
        match self {
            Encoded::Json(bytes) => {
                let values = bind_json(bytes, |reader| {
                    let value = Value::from_json(reader.skip()?);
                    Ok(Some(value?))
                })?;
                Ok(values.map(|value| value.unwrap_or(Value::Null)))
            }
            Encoded::MessagePack(bytes) => {
                check_count(bytes, N)?;
                match self.value() {
                    Some(Value::Array(items)) => items.try_into().map_err(|_| BindingError::Types),
                    _ => Err(BindingError::Types),
                }
            }
        }
    }

    /// Exactly `N` arguments that are texts or null.
    pub fn texts<const N: usize>(&self) -> Result<[Option<String>; N], BindingError> {
        match self {
            Encoded::Json(bytes) => bind_json(bytes, json_text),
            Encoded::MessagePack(_) => {
                let mut texts: [Option<String>; N] = [const { None }; N];
                for (text, value) in texts.iter_mut().zip(self.arguments::<N>()?) {
                    *text = match value {
                        Value::Null => None,
                        Value::Text(value) => Some(value),
                        _ => return Err(BindingError::Types),
                    };
                }
                Ok(texts)
            }
        }
    }
}

/// Why arguments do not fit a method's parameters, in .NET's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    #[error("Invocation provides {sent} argument(s) but target expects {expected}.")]
    Count { sent: usize, expected: usize },
    #[error(
        "Error binding arguments. Make sure that the types of the provided values match the types \
         of the hub method being invoked."
    )]
    Types,
    #[error("Reading array length for 'arguments' failed.")]
    Length,
}

/// As .NET, which looks at the number before the arguments in MessagePack only.
fn check_count(arguments: &[u8], expected: usize) -> Result<(), BindingError> {
    let sent = MessagePackReader::new(arguments).array();
    match sent.map_err(|_| BindingError::Length)? {
        sent if sent == expected => Ok(()),
        sent => Err(BindingError::Count { sent, expected }),
    }
}

/// Binds exactly `N` arguments, each by `bind`; further ones are only counted.
fn bind_json<T, const N: usize>(
    arguments: &[u8],
    bind: impl Fn(&mut Reader<'_>) -> Result<Option<T>, BindingError>,
) -> Result<[Option<T>; N], BindingError> {
    let mut bound = [const { None }; N];
    let mut sent = 0;
    Reader::new(arguments).array(|reader| {
        match bound.get_mut(sent) {
            Some(argument) => *argument = bind(reader)?,
            None => drop(reader.skip()?),
        }
        sent += 1;
        Ok::<_, BindingError>(())
    })?;
    if sent == N {
        Ok(bound)
    } else {
        let expected = N;
        Err(BindingError::Count { sent, expected })
    }
}

fn json_text(reader: &mut Reader<'_>) -> Result<Option<String>, BindingError> {
    match reader.peek()? {
        JsonKind::String => Ok(Some(reader.string()?.into_owned())),
        JsonKind::Null => Ok(reader.null().map(|_| None)?),
        _ => Err(BindingError::Types),
    }
}

impl From<JsonError> for BindingError {
    fn from(_: JsonError) -> Self {
        BindingError::Types
    }
}
