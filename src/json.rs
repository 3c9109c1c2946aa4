//! JSON read as System.Text.Json reads it: what that parser refuses is refused, what it lets pass is let pass.
//!
//! A pull reader over bytes, because two hot paths need it (hub messages and notifications) and
//! because its rules are the contract (signalr/protocol.md, "Messages"; recordings `lenient.json`): no comments,
//! no trailing commas, depth 64, numbers by the grammar, strings checked for escapes and control
//! characters while skipped, but for UTF-8 and surrogate pairs only when their value is asked for.
//! Settings files are read by the same rules with comments and trailing commas allowed.

use std::borrow::Cow;
use unicode_general_category::{GeneralCategory, get_general_category};

/// System.Text.Json's default limit: objects and arrays inside one another.
pub const MAXIMUM_DEPTH: usize = 64;

/// Why a document was refused, with the byte where it went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    pub what: &'static str,
    pub at: usize,
}

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

    pub fn error(&self, what: &'static str) -> JsonError {
        JsonError { what, at: self.at }
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
            Some(_) => Err(self.error("an invalid start of a value")),
            None => Err(self.error("no value where one is expected")),
        }
    }

    /// Reads an object; `member` is called with each name and must take the value.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.members(|reader| {
            let name = reader.name()?;
            member(reader, name)
        })
    }

    /// Reads an object; `member` is called before each member and must take name and value.
    pub fn members<E: From<JsonError>>(
        &mut self,
        member: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.list(b'{', b'}', "an object is expected", member)
    }

    /// A member's name and the colon behind it.
    pub fn name(&mut self) -> Result<Cow<'a, str>> {
        let name = self.string()?;
        self.colon()?;
        Ok(name)
    }

    /// Reads an array; `item` is called before each value and must take it.
    pub fn array<E: From<JsonError>>(
        &mut self,
        item: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.list(b'[', b']', "an array is expected", item)
    }

    /// A string's value; borrowed where it holds no escape.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        let raw = self.raw_string()?;
        let text =
            std::str::from_utf8(raw).map_err(|_| self.error("a string that is not UTF-8"))?;
        if memchr::memchr(b'\\', raw).is_none() {
            return Ok(Cow::Borrowed(text));
        }
        self.unescape(text).map(Cow::Owned)
    }

    /// A number's text, checked against JSON's grammar.
    pub fn number(&mut self) -> Result<&'a str> {
        self.skip_whitespace();
        let start = self.at;
        self.take(b'-');
        match self.bytes.get(self.at) {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                    return Err(self.error("a number with a leading zero"));
                }
            }
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => return Err(self.error("a digit is expected")),
        }
        if self.take(b'.') {
            self.some_digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.some_digits()?;
        }
        // What follows a number must end it; `1x` is refused here rather than one token later.
        if let Some(byte) = self.bytes.get(self.at)
            && !matches!(
                byte,
                b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' | b'/'
            )
        {
            return Err(self.error("a number with an invalid end"));
        }
        std::str::from_utf8(&self.bytes[start..self.at])
            .map_err(|_| self.error("an invalid number"))
    }

    /// `true`, `false` or `null`, by its spelling.
    pub fn literal(&mut self, spelling: &'static str) -> Result<()> {
        self.skip_whitespace();
        if self.bytes[self.at..].starts_with(spelling.as_bytes()) {
            self.at += spelling.len();
            return Ok(());
        }
        Err(self.error("an invalid literal"))
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
            _ => Err(self.error("true or false is expected")),
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
            Err(self.error("text after the document's end"))
        }
    }

    /// Names inside a skipped object are not decoded either.
    fn skip_object(&mut self) -> Result<()> {
        self.members(|reader| {
            reader.raw_string()?;
            reader.colon()?;
            reader.skip().map(drop)
        })
    }

    /// Reads what stands between two brackets, separated by commas.
    fn list<E: From<JsonError>>(
        &mut self,
        open: u8,
        close: u8,
        expected: &'static str,
        mut item: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.skip_whitespace();
        if !self.take(open) {
            return Err(self.error(expected).into());
        }
        self.depth += 1;
        if self.depth > MAXIMUM_DEPTH {
            return Err(self
                .error("more than 64 objects and arrays inside one another")
                .into());
        }
        self.skip_to_token();
        let mut done = self.take(close);
        while !done {
            item(self)?;
            self.skip_to_token();
            done = self.take(close);
            if !done && !self.take(b',') {
                return Err(self
                    .error("a comma or a closing bracket is expected")
                    .into());
            }
            if !done && self.dialect == Dialect::Settings {
                self.skip_to_token();
                done = self.take(close);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn colon(&mut self) -> Result<()> {
        self.skip_whitespace();
        if self.take(b':') {
            Ok(())
        } else {
            Err(self.error("a colon is expected after a name"))
        }
    }

    /// The bytes between two quotes: escapes and control characters checked, nothing decoded.
    fn raw_string(&mut self) -> Result<&'a [u8]> {
        self.skip_whitespace();
        if !self.take(b'"') {
            return Err(self.error("a string is expected"));
        }
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.bytes[start..self.at - 1]);
                }
                Some(b'\\') => match self.bytes.get(self.at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                    Some(b'u') => {
                        let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                        if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                            return Err(self.error("an escape without four hexadecimal digits"));
                        }
                        self.at += 6;
                    }
                    _ => return Err(self.error("an invalid escape")),
                },
                Some(0..0x20) => return Err(self.error("a control character inside a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("a string without an end")),
            }
        }
    }

    fn unescape(&self, text: &str) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
            out.push_str(&rest[..backslash]);
            let escape = rest.as_bytes()[backslash + 1];
            rest = &rest[backslash + 2..];
            out.push(match escape {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => {
                    let (unit, after) = self.code_unit(rest)?;
                    rest = after;
                    match unit {
                        0xD800..0xDC00 => {
                            let low = rest
                                .strip_prefix("\\u")
                                .ok_or_else(|| self.error("half a surrogate pair"))?;
                            let (low, after) = self.code_unit(low)?;
                            if !(0xDC00..0xE000).contains(&low) {
                                return Err(self.error("half a surrogate pair"));
                            }
                            rest = after;
                            let scalar = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                            char::from_u32(scalar)
                                .ok_or_else(|| self.error("half a surrogate pair"))?
                        }
                        unit => char::from_u32(unit)
                            .ok_or_else(|| self.error("half a surrogate pair"))?,
                    }
                }
                other => other as char, // `"`, `\` and `/`, checked by `raw_string`
            });
        }
        out.push_str(rest);
        Ok(out)
    }

    fn code_unit<'t>(&self, text: &'t str) -> Result<(u32, &'t str)> {
        let digits = text
            .get(..4)
            .ok_or_else(|| self.error("an escape without four hexadecimal digits"))?;
        let unit = u32::from_str_radix(digits, 16).map_err(|_| self.error("an invalid escape"))?;
        Ok((unit, &text[4..]))
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

    fn skip_digits(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<()> {
        let start = self.at;
        self.skip_digits();
        if self.at == start {
            Err(self.error("a digit is expected"))
        } else {
            Ok(())
        }
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

/// Appends `text` as a JSON string, quotes included, escaping what ASP.NET Core's relaxed encoder escapes (spec:
/// signalr.md D2).
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut from = 0;
    for (at, character) in text.char_indices() {
        let short = match character {
            '"' => b'"',
            '\\' => b'\\',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            ' '..='~' => continue,
            // Looked up in no table: a message may consist of them.
            '\0'..='\u{1f}' | '\u{7f}' => b'u',
            _ if is_plain(character) => continue,
            _ => b'u',
        };
        out.extend_from_slice(&text.as_bytes()[from..at]);
        if short == b'u' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| b"0123456789ABCDEF"[usize::from((*unit >> shift) & 15)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
        from = at + character.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}

/// Whether the encoder lets a character beyond ASCII stand: no control, no other space, no byte order mark, nothing
/// private or unknown, and nothing beyond the first 65,536.
fn is_plain(character: char) -> bool {
    use GeneralCategory::{
        Control, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Unassigned,
    };
    let category = get_general_category(character);
    let escaped = matches!(
        category,
        Control | LineSeparator | ParagraphSeparator | PrivateUse | SpaceSeparator | Unassigned
    );
    character <= '\u{ffff}' && character != '\u{feff}' && !escaped
}
