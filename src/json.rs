//! JSON read as System.Text.Json reads it: what that parser refuses is refused, what it lets pass
//! is let pass.
//!
//! A pull reader over bytes, because two hot paths need it (hub messages and notifications) and
//! because its rules are the contract (signalr/protocol.md, "Messages"; recordings `lenient.json`):
//! no comments, no trailing commas, depth 64, numbers by the grammar, strings checked for escapes
//! and control characters while skipped, but for UTF-8 and surrogate pairs only when their value is
//! asked for. Settings files are read by the same rules with comments and trailing commas allowed.

mod fault;
mod list;
mod number;
mod plain;
mod string;
mod write;

pub use fault::{JsonError, JsonFault};
pub use write::write_string;

/// System.Text.Json's default limit: objects and arrays inside one another.
pub const MAXIMUM_DEPTH: usize = 64;

/// What stands next, judged by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A cursor over one JSON document.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    dialect: Dialect,
}

/// What may stand between the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// White space only.
    Plain,
    /// Comments too, and a comma behind the last item: what .NET allows in settings files.
    Settings,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            bytes,
            at: 0,
            depth: 0,
            dialect: Dialect::Plain,
        }
    }

    /// A reader of settings files, which allows comments and trailing commas.
    pub fn of_settings(bytes: &'a [u8]) -> Self {
        Reader {
            dialect: Dialect::Settings,
            ..Reader::new(bytes)
        }
    }

    /// The byte that is read next; behind [`peek`](Self::peek) it begins the value.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left to read.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub fn error(&self, fault: JsonFault) -> JsonError {
        JsonError { fault, at: self.at }
    }

    /// The kind of the next value, without taking it.
    pub fn peek(&mut self) -> Result<JsonKind> {
        self.skip_to_token();
        match self.bytes.get(self.at) {
            Some(b'{') => Ok(JsonKind::Object),
            Some(b'[') => Ok(JsonKind::Array),
            Some(b'"') => Ok(JsonKind::String),
            Some(b'-' | b'0'..=b'9') => Ok(JsonKind::Number),
            Some(b't') => Ok(JsonKind::True),
            Some(b'f') => Ok(JsonKind::False),
            Some(b'n') => Ok(JsonKind::Null),
            Some(_) => Err(self.error(JsonFault::StartOfValue)),
            None if self.depth == 0 => Err(self.error(JsonFault::Empty)),
            None => Err(self.error(JsonFault::Unclosed)),
        }
    }

    /// The kind of the next value, checked as far as System.Text.Json looks at it before it tells
    /// the kind: all of it, but of objects and arrays only the bracket.
    pub fn token(&mut self) -> Result<JsonKind> {
        let kind = self.peek()?;
        let start = self.at;
        match kind {
            JsonKind::Object | JsonKind::Array if self.depth < MAXIMUM_DEPTH => {}
            JsonKind::Object | JsonKind::Array => return Err(self.error(JsonFault::TooDeep)),
            _ => drop(self.skip()?),
        }
        self.at = start;
        Ok(kind)
    }

    /// `true`, `false` or `null`, by its spelling.
    pub fn literal(&mut self, spelling: &'static str) -> Result<()> {
        self.skip_whitespace();
        let found = self.bytes[self.at..].iter().zip(spelling.as_bytes());
        let right = found.take_while(|(found, wanted)| found == wanted).count();
        self.at += right;
        if right == spelling.len() {
            Ok(())
        } else {
            Err(self.error(JsonFault::Literal(spelling)))
        }
    }

    /// Takes `null` where it stands next.
    pub fn null(&mut self) -> Result<bool> {
        let null = self.peek()? == JsonKind::Null;
        if null {
            self.literal("null")?;
        }
        Ok(null)
    }

    pub fn boolean(&mut self) -> Result<bool> {
        match self.peek()? {
            JsonKind::True => self.literal("true").map(|()| true),
            JsonKind::False => self.literal("false").map(|()| false),
            _ => Err(self.error(JsonFault::Unexpected("true or false is expected"))),
        }
    }

    /// Passes over one value of any kind and returns its bytes.
    pub fn skip(&mut self) -> Result<&'a [u8]> {
        let kind = self.peek()?;
        let start = self.at;
        match kind {
            JsonKind::Object => self.skip_object()?,
            JsonKind::Array => self.array(|reader| reader.skip().map(drop))?,
            JsonKind::String => drop(self.raw_string()?),
            JsonKind::Number => drop(self.number()?),
            JsonKind::True => self.literal("true")?,
            JsonKind::False => self.literal("false")?,
            JsonKind::Null => self.literal("null")?,
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Only white space may be left.
    pub fn end(&mut self) -> Result<()> {
        self.skip_to_token();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.error(JsonFault::AfterDocument))
        }
    }

    /// Passes over what may stand before a token. A comment that .NET refuses is left in place.
    fn skip_to_token(&mut self) {
        self.skip_whitespace();
        while self.dialect == Dialect::Settings
            && let Some(length) = comment(&self.bytes[self.at..])
        {
            self.at += length;
            self.skip_whitespace();
        }
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }
}

/// How many bytes the comment takes that a text begins with; `None` where there is none, or one
/// without an end, or one of a line with a separator of lines that .NET does not count as one.
fn comment(text: &[u8]) -> Option<usize> {
    match text.get(..2)? {
        b"/*" => Some(memchr::memmem::find(&text[2..], b"*/")? + 4),
        b"//" => {
            let length = memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len());
            let separators = [b"\xe2\x80\xa8", b"\xe2\x80\xa9"];
            let dangerous =
                separators.map(|separator| memchr::memmem::find(&text[..length], separator));
            (dangerous == [None, None]).then_some(length)
        }
        _ => None,
    }
}
