//! What a client returns, as the type that the caller waits for (protocol.md, "Error texts").

use crate::json::{JsonKind, Reader};
use crate::message_pack::{MessagePackKind, MessagePackReader};
use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{ClientCompletion, Encoded, ProtocolError};
use crate::signalr::value::Value;

/// The type that a caller wants from a client, by .NET's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResultType {
    #[default]
    Any,
    /// A text or null.
    String,
    Int32,
}

/// The error of a client that completes without a result: .NET's for an error without a message.
const NO_RESULT: &str = "Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown.";

/// A client's result: its value, or why there is none.
pub type ClientResult = Result<Value, HubError>;

impl ResultType {
    fn name(self) -> &'static str {
        match self {
            ResultType::Any => "Object",
            ResultType::String => "String",
            ResultType::Int32 => "Int32",
        }
    }

    /// What the caller hears; an error if the client broke the protocol.
    pub(super) fn result_of(
        self,
        outcome: &ClientCompletion<'_>,
    ) -> Result<ClientResult, ProtocolError> {
        Ok(match outcome {
            ClientCompletion::Void => Err(HubError::shown(NO_RESULT)),
            ClientCompletion::Error(error) => Err(HubError::shown(&**error)),
            ClientCompletion::Result(value) => self.bind(*value).map_err(HubError::shown),
            ClientCompletion::Unreadable(_) => Err(HubError::shown(self.not_packed())),
            ClientCompletion::Both {
                result,
                error,
                error_is_last,
            } => match self.bind(*result) {
                Ok(_) => return Err(ProtocolError::ErrorAndResult),
                Err(_) if *error_is_last => Err(HubError::shown(&**error)),
                Err(text) => Err(HubError::shown(text)),
            },
        })
    }

    /// The value, or .NET's text if it is of another type.
    fn bind(self, value: Encoded<'_>) -> Result<Value, String> {
        match value {
            Encoded::Json(bytes) => self.bind_json(bytes),
            Encoded::MessagePack(bytes) => self.bind_packed(bytes),
        }
    }

    fn bind_json(self, bytes: &[u8]) -> Result<Value, String> {
        let kind = Reader::new(bytes)
            .peek()
            .map_err(|_| self.not_json(bytes))?;
        let fits = match self {
            ResultType::Any => true,
            ResultType::String => matches!(kind, JsonKind::String | JsonKind::Null),
            ResultType::Int32 => kind == JsonKind::Number && is_int32(bytes),
        };
        let value = Value::from_json(bytes).ok().filter(|_| fits);
        value.ok_or_else(|| self.not_json(bytes))
    }

    fn bind_packed(self, bytes: &[u8]) -> Result<Value, String> {
        let kind = MessagePackReader::new(bytes).kind();
        let kind = kind.map_err(|_| self.not_packed())?;
        let fits = match self {
            ResultType::Any => true,
            ResultType::String => matches!(kind, MessagePackKind::Text | MessagePackKind::Nil),
            ResultType::Int32 => {
                let number = MessagePackReader::new(bytes).integer();
                number.is_ok_and(|number| i32::try_from(number).is_ok())
            }
        };
        let value = Value::from_message_pack(bytes).ok().filter(|_| fits);
        value.ok_or_else(|| self.not_packed())
    }

    fn not_json(self, bytes: &[u8]) -> String {
        // Of objects and arrays System.Text.Json has read the bracket only.
        let read = match bytes {
            [b'{' | b'[', ..] => 1,
            _ => bytes.len(),
        };
        let name = self.name();
        format!(
            "Error trying to deserialize result to {name}. The JSON value could not be converted \
             to System.{name}. Path: $ | LineNumber: 0 | BytePositionInLine: {read}."
        )
    }

    fn not_packed(self) -> String {
        let name = self.name();
        format!(
            "Error trying to deserialize result to {name}. Deserializing object of the `{name}` \
             type for 'argument' failed."
        )
    }
}

fn is_int32(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|number| number.parse::<i32>().is_ok())
}
