//! Strings: checked while skipped, decoded when their value is asked for.

use super::{Reader, Result};
use std::borrow::Cow;

impl<'a> Reader<'a> {
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

    /// The bytes between two quotes: escapes and control characters checked, nothing decoded.
    pub(super) fn raw_string(&mut self) -> Result<&'a [u8]> {
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
}
