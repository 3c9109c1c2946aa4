//! Numbers, by JSON's grammar.

use super::{JsonError, JsonFault, Reader, Result};

impl<'a> Reader<'a> {
    /// A number's text, checked against JSON's grammar.
    pub fn number(&mut self) -> Result<&'a str> {
        self.skip_whitespace();
        let start = self.at;
        self.take(b'-');
        match self.bytes.get(self.at) {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                    return Err(self.error(JsonFault::LeadingZero));
                }
            }
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => return Err(self.no_digit(JsonFault::NoDigitAfterSign)),
        }
        let mut end = JsonFault::EndOfNumber;
        if self.take(b'.') {
            self.some_digits(JsonFault::NoDigitAfterPoint)?;
            end = JsonFault::EndOfFraction;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.some_digits(JsonFault::NoDigitAfterSign)?;
            end = JsonFault::EndOfNumber;
        }
        self.end_of_number(end)?;
        std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| self.error(JsonFault::NotUtf8))
    }

    /// What follows a number must end it; `1x` is refused here rather than one token later.
    fn end_of_number(&self, otherwise: JsonFault) -> Result<()> {
        match self.bytes.get(self.at) {
            Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' | b'/') => Ok(()),
            Some(_) => Err(self.error(otherwise)),
            None if self.depth == 0 => Ok(()),
            None => Err(self.error(JsonFault::EndOfNumber)),
        }
    }

    fn skip_digits(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, otherwise: JsonFault) -> Result<()> {
        let start = self.at;
        self.skip_digits();
        if self.at == start {
            Err(self.no_digit(otherwise))
        } else {
            Ok(())
        }
    }

    fn no_digit(&self, otherwise: JsonFault) -> JsonError {
        self.error(match self.bytes.get(self.at) {
            Some(_) => otherwise,
            None => JsonFault::NoDigitAtEnd,
        })
    }
}
