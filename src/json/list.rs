//! Objects and arrays: brackets, names, commas.

use super::{Dialect, JsonError, JsonFault, MAXIMUM_DEPTH, Reader, Result};
use std::borrow::Cow;

impl<'a> Reader<'a> {
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
        self.start_of_name()?;
        let name = self.string()?;
        self.colon()?;
        Ok(name)
    }

    /// The same, with a mark in place of what is not text: no name that is looked for has one.
    pub fn lenient_name(&mut self) -> Result<Cow<'a, str>> {
        let raw = self.raw_name()?;
        Ok(match Reader::decode(raw) {
            Ok(name) => name,
            Err(_) => String::from_utf8_lossy(raw),
        })
    }

    /// Reads an array; `item` is called before each value and must take it.
    pub fn array<E: From<JsonError>>(
        &mut self,
        item: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.list(b'[', b']', "an array is expected", item)
    }

    /// Names inside a skipped object are not decoded either.
    pub(super) fn skip_object(&mut self) -> Result<()> {
        self.members(|reader| {
            reader.raw_name()?;
            reader.skip().map(drop)
        })
    }

    fn raw_name(&mut self) -> Result<&'a [u8]> {
        self.start_of_name()?;
        let name = self.raw_string()?;
        self.colon()?;
        Ok(name)
    }

    fn start_of_name(&mut self) -> Result<()> {
        self.skip_whitespace();
        match self.bytes.get(self.at) {
            Some(b'"') => Ok(()),
            Some(_) => Err(self.error(JsonFault::StartOfName)),
            None => Err(self.error(JsonFault::Unclosed)),
        }
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
            return Err(self.error(JsonFault::Unexpected(expected)).into());
        }
        if self.depth == MAXIMUM_DEPTH {
            self.at -= 1;
            return Err(self.error(JsonFault::TooDeep).into());
        }
        self.depth += 1;
        self.skip_to_token();
        let mut done = self.take(close);
        while !done {
            item(self)?;
            self.skip_to_token();
            done = self.take(close);
            if !done {
                self.comma()?;
                done = self.closes(close)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Takes the comma behind an item, and what may stand behind it.
    fn comma(&mut self) -> Result<()> {
        if !self.take(b',') {
            return Err(self.error(match self.bytes.get(self.at) {
                None => JsonFault::Unclosed,
                Some(b'}' | b']') => JsonFault::WrongBracket,
                Some(_) => JsonFault::AfterValue,
            }));
        }
        if self.at == self.bytes.len() {
            self.at -= 1;
            return Err(self.error(JsonFault::NothingAfterComma));
        }
        self.skip_to_token();
        if self.at == self.bytes.len() {
            return Err(self.error(JsonFault::NothingAfterComma));
        }
        Ok(())
    }

    /// Whether a bracket closes behind a comma, which settings files allow.
    fn closes(&mut self, close: u8) -> Result<bool> {
        match self.dialect {
            Dialect::Settings => Ok(self.take(close)),
            Dialect::Plain if self.bytes[self.at] == close => {
                Err(self.error(JsonFault::TrailingComma))
            }
            Dialect::Plain => Ok(false),
        }
    }

    fn colon(&mut self) -> Result<()> {
        self.skip_whitespace();
        if self.take(b':') {
            Ok(())
        } else {
            Err(self.error(match self.bytes.get(self.at) {
                Some(_) => JsonFault::NoColon,
                None => JsonFault::NothingAfterName,
            }))
        }
    }
}
