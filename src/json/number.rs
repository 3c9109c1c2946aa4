//! Numbers, by JSON's grammar.

use super::{Reader, Result};

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
