//! How a client breaks the protocol, in .NET's words: servers with detailed errors send them.

use crate::json::JsonError;

/// A message that breaks the protocol: the connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("Error reading JSON.")]
    Json(JsonError),
    /// A string that is not text, in .NET's words.
    #[error("{0}")]
    NotUtf16(String),
    #[error("Unexpected JSON Token Type '{0}'. Expected a JSON Object.")]
    NotAnObject(&'static str),
    #[error("Missing required property '{0}'.")]
    Missing(&'static str),
    #[error("Expected '{0}' to be of type {1}.")]
    Type(&'static str, &'static str),
    #[error("Expected '{0}' to be true or false.")]
    NotBoolean(&'static str),
    #[error("Expected header '{0}' to be of type String.")]
    Header(String),
    #[error("Cannot get the value of a token type '{0}' as a string.")]
    NotText(&'static str),
    #[error("Null value for '{0}' is not valid.")]
    Null(&'static str),
    #[error("Either the JSON value is not in a supported format, or is out of bounds for an {0}.")]
    OutOfBounds(&'static str),
    #[error("The 'error' and 'result' properties are mutually exclusive.")]
    ErrorAndResult,
    #[error("Null or empty {0}.")]
    Empty(&'static str),
    #[error("Reading '{0}' as {1} failed.")]
    Reading(&'static str, &'static str),
    #[error("Reading {0} length for '{1}' failed.")]
    Length(&'static str, &'static str),
    #[error("Reading 'headers[{0}].{1}' as String failed.")]
    HeaderPart(usize, &'static str),
    #[error("An item with the same key has already been added. Key: {0}")]
    SameHeader(String),
    #[error("Unexpected msgpack code {0} ({name}) encountered.", name = code_name(*.0))]
    Code(u8),
    #[error("Attempted to read past the end of the stream.")]
    EndOfStream,
    #[error("Invalid invocation result kind.")]
    ResultKind,
    #[error(
        "The maximum message size of {0}B was exceeded. The message size can be configured in \
         AddHubOptions."
    )]
    TooLarge(usize),
    #[error("Connection ID '{connection}' is not valid for invocation ID '{id}'.")]
    NotOwed { connection: String, id: String },
    #[error("Sequence ID greater than amount of messages we've received.")]
    Sequence,
}

impl ProtocolError {
    /// The name of .NET's exception.
    pub fn exception(&self) -> &'static str {
        match self {
            ProtocolError::NotText(_)
            | ProtocolError::NotUtf16(_)
            | ProtocolError::NotOwed { .. } => "InvalidOperationException",
            ProtocolError::SameHeader(_) => "ArgumentException",
            ProtocolError::OutOfBounds(_) => "FormatException",
            ProtocolError::Code(_) => "MessagePackSerializationException",
            ProtocolError::EndOfStream => "EndOfStreamException",
            _ => "InvalidDataException",
        }
    }
}

impl From<JsonError> for ProtocolError {
    fn from(error: JsonError) -> Self {
        match error.fault.of_text() {
            Some(text) => ProtocolError::NotUtf16(text),
            None => ProtocolError::Json(error),
        }
    }
}

/// MessagePack's name for what a byte begins.
fn code_name(code: u8) -> &'static str {
    const NAMES: [&str; 32] = [
        "nil",
        "(never used)",
        "false",
        "true",
        "bin 8",
        "bin 16",
        "bin 32",
        "ext 8",
        "ext 16",
        "ext 32",
        "float 32",
        "float 64",
        "uint 8",
        "uint 16",
        "uint 32",
        "uint 64",
        "int 8",
        "int 16",
        "int 32",
        "int 64",
        "fixext 1",
        "fixext 2",
        "fixext 4",
        "fixext 8",
        "fixext 16",
        "str 8",
        "str 16",
        "str 32",
        "array 16",
        "array 32",
        "map 16",
        "map 32",
    ];
    match code {
        0x00..=0x7f => "positive fixint",
        0x80..=0x8f => "fixmap",
        0x90..=0x9f => "fixarray",
        0xa0..=0xbf => "fixstr",
        0xc0..=0xdf => NAMES[usize::from(code - 0xc0)],
        0xe0..=0xff => "negative fixint",
    }
}
