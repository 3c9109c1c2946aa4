//! Strings: checked while skipped, decoded when their value is asked for.

use super::{JsonFault, Reader, Result, plain};
use std::borrow::Cow;

/// Why an escape or a string has no value.
type Decoded<T> = std::result::Result<T, JsonFault>;

impl<'a> Reader<'a> {
    /// A string's value; borrowed where it holds no escape.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        let raw = self.raw_string()?;
        Self::decode(raw).map_err(|fault| self.error(fault))
    }

    /// The value of a string whose escapes were checked.
    pub(super) fn decode(raw: &'a [u8]) -> Decoded<Cow<'a, str>> {
        if memchr::memchr(b'\\', raw).is_some() {
            let text = String::from_utf8(unescape(raw)?);
            return text.map(Cow::Owned).map_err(|_| JsonFault::NotUtf8);
        }
        let text = std::str::from_utf8(raw);
        text.map(Cow::Borrowed).map_err(|_| JsonFault::NotUtf8)
    }

    /// The bytes between two quotes: escapes and control characters checked, nothing decoded.
    pub(super) fn raw_string(&mut self) -> Result<&'a [u8]> {
        self.skip_whitespace();
        if !self.take(b'"') {
            return Err(self.error(JsonFault::Unexpected("a string is expected")));
        }
        let start = self.at;
        loop {
            self.at += plain::until_special(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.bytes[start..self.at - 1]);
                }
                Some(b'\\') => self.skip_escape()?,
                Some(_) => return Err(self.error(JsonFault::ControlCharacter)),
                None => return Err(self.error(JsonFault::UnendedString)),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<()> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                (0..4).try_for_each(|_| self.skip_hex_digit())
            }
            Some(_) => Err(self.error(JsonFault::Escape)),
            None => Err(self.error(JsonFault::UnendedString)),
        }
    }

    fn skip_hex_digit(&mut self) -> Result<()> {
        match self.bytes.get(self.at) {
            Some(byte) if byte.is_ascii_hexdigit() => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.error(JsonFault::HexDigit)),
            None => Err(self.error(JsonFault::UnendedString)),
        }
    }
}

fn unescape(raw: &[u8]) -> Decoded<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..backslash]);
        let escape = rest[backslash + 1];
        rest = &rest[backslash + 2..];
        out.push(match escape {
            b'b' => 8,
            b'f' => 0xc,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, after) = escaped_character(rest)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
                continue;
            }
            other => other, // `"`, `\` and `/`, checked by `raw_string`
        });
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The character of one `\u` escape, or of two that are a surrogate pair; what follows.
fn escaped_character(digits: &[u8]) -> Decoded<(char, &[u8])> {
    let (high, rest) = code_unit(digits)?;
    if !(0xD800..0xDC00).contains(&high) {
        let character = char::from_u32(high).ok_or(JsonFault::Surrogate(high))?;
        return Ok((character, rest));
    }
    let low = rest.strip_prefix(b"\\u").ok_or(JsonFault::NoLowSurrogate)?;
    let (low, rest) = code_unit(low)?;
    if !(0xDC00..0xE000).contains(&low) {
        return Err(JsonFault::Surrogate(low));
    }
    let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    let character = char::from_u32(scalar).ok_or(JsonFault::Surrogate(low))?;
    Ok((character, rest))
}

fn code_unit(text: &[u8]) -> Decoded<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4).ok_or(JsonFault::HexDigit)?;
    let digits = std::str::from_utf8(digits).map_err(|_| JsonFault::HexDigit)?;
    let unit = u32::from_str_radix(digits, 16).map_err(|_| JsonFault::HexDigit)?;
    Ok((unit, rest))
}
