//! Why a document is refused: in our words, and in those of System.Text.Json, which servers with
//! detailed errors send.

/// Why a document was refused, with the byte where it went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct JsonError {
    pub fault: JsonFault,
    pub at: usize,
}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    #[error("no value where one is expected")]
    Empty,
    #[error("an object or array without an end")]
    Unclosed,
    #[error("an invalid start of a value")]
    StartOfValue,
    #[error("an invalid start of a name")]
    StartOfName,
    #[error("a colon is expected after a name")]
    NoColon,
    #[error("nothing after a name")]
    NothingAfterName,
    #[error("nothing after a comma")]
    NothingAfterComma,
    #[error("a comma before a closing bracket")]
    TrailingComma,
    #[error("a comma or a closing bracket is expected")]
    AfterValue,
    #[error("a closing bracket without its opening one")]
    WrongBracket,
    #[error("more than 64 objects and arrays inside one another")]
    TooDeep,
    #[error("an invalid literal")]
    Literal(&'static str),
    #[error("a number with a leading zero")]
    LeadingZero,
    #[error("a digit is expected")]
    NoDigitAfterSign,
    #[error("a digit is expected")]
    NoDigitAfterPoint,
    #[error("a digit is expected")]
    NoDigitAtEnd,
    #[error("a number with an invalid end")]
    EndOfNumber,
    #[error("a number with an invalid end")]
    EndOfFraction,
    #[error("a string without an end")]
    UnendedString,
    #[error("a control character inside a string")]
    ControlCharacter,
    #[error("an invalid escape")]
    Escape,
    #[error("an escape without four hexadecimal digits")]
    HexDigit,
    #[error("text after the document's end")]
    AfterDocument,
    #[error("a string that is not UTF-8")]
    NotUtf8,
    #[error("half a surrogate pair")]
    NoLowSurrogate,
    #[error("half a surrogate pair")]
    Surrogate(u32),
    /// JSON, but another value than the caller asked for.
    #[error("{0}")]
    Unexpected(&'static str),
}

impl JsonError {
    /// The message of .NET's exception for this document.
    pub fn in_dotnet(&self, document: &[u8]) -> String {
        let before = &document[..self.at.min(document.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n');
        let column = column.count();
        let what = self.what(document, before);
        format!("{what} LineNumber: {line} | BytePositionInLine: {column}.")
    }

    /// .NET takes the slash of a comment for what follows a value, but behind a comma.
    fn dotnet_fault(&self, byte: Option<&u8>, before: &[u8]) -> JsonFault {
        match (self.fault, before.trim_ascii_end().last()) {
            (JsonFault::StartOfValue | JsonFault::StartOfName, Some(b'{' | b'[' | b':'))
                if byte == Some(&b'/') =>
            {
                JsonFault::AfterValue
            }
            (fault, _) => fault,
        }
    }

    fn what(&self, document: &[u8], before: &[u8]) -> String {
        // A number that ends with the document is shown by its last digit.
        let byte = document.get(self.at).or(before.last());
        let shown = byte.copied().map(printable).unwrap_or_default();
        let rest = document.get(self.at..).unwrap_or_default();
        let kind = |brackets: &[u8]| match rest.first() {
            Some(byte) if brackets.contains(byte) => "object",
            _ => "array",
        };
        match self.dotnet_fault(byte, before) {
            JsonFault::Empty => {
                "The input does not contain any JSON tokens. Expected the input to \
                 start with a valid JSON token, when isFinalBlock is true."
                    .to_owned()
            }
            JsonFault::Unclosed => {
                "Expected depth to be zero at the end of the JSON payload. There \
                 is an open JSON object or array that should be closed."
                    .to_owned()
            }
            JsonFault::StartOfValue => format!("'{shown}' is an invalid start of a value."),
            JsonFault::StartOfName => {
                format!("'{shown}' is an invalid start of a property name. Expected a '\"'.")
            }
            JsonFault::NoColon => {
                format!("'{shown}' is invalid after a property name. Expected a ':'.")
            }
            JsonFault::NothingAfterName => {
                "Expected a value, but instead reached end of data.".to_owned()
            }
            JsonFault::NothingAfterComma => "Expected start of a property name or value, but \
                 instead reached end of data."
                .to_owned(),
            JsonFault::TrailingComma => format!(
                "The JSON {} contains a trailing comma at the end which is not supported in this \
                 mode. Change the reader options.",
                kind(b"}")
            ),
            JsonFault::AfterValue => {
                format!("'{shown}' is invalid after a value. Expected either ',', '}}', or ']'.")
            }
            JsonFault::WrongBracket => format!("'{shown}' is invalid without a matching open."),
            JsonFault::TooDeep => format!(
                "The maximum configured depth of 64 has been exceeded. Cannot read next JSON {}.",
                kind(b"{")
            ),
            JsonFault::Literal(spelling) => {
                let literal = String::from_utf8_lossy(&document[start(before, spelling)..]);
                format!(
                    "'{literal}' is an invalid JSON literal. Expected the literal '{spelling}'."
                )
            }
            JsonFault::LeadingZero => format!("Invalid leading zero before '{shown}'."),
            JsonFault::NoDigitAfterSign => format!(
                "'{shown}' is invalid within a number, immediately after a sign character ('+' or \
                 '-'). Expected a digit ('0'-'9')."
            ),
            JsonFault::NoDigitAfterPoint => format!(
                "'{shown}' is invalid within a number, immediately after a decimal point ('.'). \
                 Expected a digit ('0'-'9')."
            ),
            JsonFault::NoDigitAtEnd => {
                "Expected a digit ('0'-'9'), but instead reached end of data.".to_owned()
            }
            JsonFault::EndOfNumber => {
                format!("'{shown}' is an invalid end of a number. Expected a delimiter.")
            }
            JsonFault::EndOfFraction => {
                format!("'{shown}' is an invalid end of a number. Expected 'E' or 'e'.")
            }
            JsonFault::UnendedString => {
                "Expected end of string, but instead reached end of data.".to_owned()
            }
            JsonFault::ControlCharacter => format!(
                "'{shown}' is invalid within a JSON string. The string should be correctly escaped."
            ),
            JsonFault::Escape => format!(
                "'{shown}' is an invalid escapable character within a JSON string. The string \
                 should be correctly escaped."
            ),
            JsonFault::HexDigit => format!(
                "'{shown}' is not a hex digit following '\\u' within a JSON string. The string \
                 should be correctly escaped."
            ),
            JsonFault::AfterDocument => {
                format!("'{shown}' is invalid after a single JSON value. Expected end of data.")
            }
            fault @ (JsonFault::NotUtf8 | JsonFault::NoLowSurrogate | JsonFault::Surrogate(_)) => {
                fault.of_text().unwrap_or_default()
            }
            JsonFault::Unexpected(what) => what.to_owned(),
        }
    }
}

impl JsonFault {
    /// The message of .NET's exception where the document is JSON, and only a string in it is not
    /// text.
    pub fn of_text(self) -> Option<String> {
        Some(match self {
            JsonFault::NotUtf8 => {
                "Cannot transcode invalid UTF-8 JSON text to UTF-16 string.".to_owned()
            }
            JsonFault::NoLowSurrogate => "Cannot read incomplete UTF-16 JSON text as string with \
                 missing low surrogate."
                .to_owned(),
            JsonFault::Surrogate(unit) => format!(
                "Cannot read invalid UTF-16 JSON text as string. Invalid surrogate value: \
                 '0x{unit:X}'."
            ),
            _ => return None,
        })
    }
}

fn printable(byte: u8) -> String {
    match byte {
        0x20..0x7f => char::from(byte).to_string(),
        _ => format!("0x{byte:02X}"),
    }
}

/// Where a literal begins that goes wrong behind `before`.
fn start(before: &[u8], spelling: &str) -> usize {
    let right = (1..=spelling.len())
        .rev()
        .find(|length| before.ends_with(&spelling.as_bytes()[..*length]));
    before.len() - right.unwrap_or_default()
}
