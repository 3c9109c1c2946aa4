//! MessagePack, read by a cursor that borrows and skips, which the published libraries lack
//! (signalr/protocol.md, "Messages" and "Backplane").

mod write;

pub use write::{
    write_array, write_binary, write_boolean, write_extension, write_float, write_integer,
    write_map, write_nil, write_text, write_unsigned,
};

use std::borrow::Cow;

/// Bytes that are not the MessagePack that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is expected")]
pub struct MessagePackError(pub &'static str);

impl MessagePackError {
    /// For the one byte that begins no value.
    pub const NEVER_USED: Self = MessagePackError("a code that is in use");
}

/// What the next value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagePackKind {
    Nil,
    Boolean,
    Integer,
    Float,
    Text,
    Binary,
    Extension,
    Array,
    Map,
}

/// A cursor over MessagePack bytes.
pub struct MessagePackReader<'a> {
    bytes: &'a [u8],
    /// Bytes that it began with, and values that heads have claimed to be among them.
    whole: usize,
    claimed: usize,
}

impl<'a> MessagePackReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        MessagePackReader {
            bytes,
            whole: bytes.len(),
            claimed: 1,
        }
    }

    /// What comes next, without taking it.
    pub fn kind(&self) -> Result<MessagePackKind, MessagePackError> {
        Ok(
            match self.bytes.first().ok_or(MessagePackError("a value"))? {
                0x00..=0x7f | 0xe0..=0xff | 0xcc..=0xd3 => MessagePackKind::Integer,
                0x80..=0x8f | 0xde | 0xdf => MessagePackKind::Map,
                0x90..=0x9f | 0xdc | 0xdd => MessagePackKind::Array,
                0xa0..=0xbf | 0xd9..=0xdb => MessagePackKind::Text,
                0xc0 => MessagePackKind::Nil,
                0xc1 => return Err(MessagePackError::NEVER_USED),
                0xc2 | 0xc3 => MessagePackKind::Boolean,
                0xc4..=0xc6 => MessagePackKind::Binary,
                0xc7..=0xc9 | 0xd4..=0xd8 => MessagePackKind::Extension,
                0xca | 0xcb => MessagePackKind::Float,
            },
        )
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of one value of any kind.
    pub fn raw(&mut self) -> Result<&'a [u8], MessagePackError> {
        let before = self.bytes;
        self.skip()?;
        Ok(&before[..before.len() - self.bytes.len()])
    }

    /// Takes a nil; false where something else comes.
    pub fn nil(&mut self) -> Result<bool, MessagePackError> {
        let nil = self.kind()? == MessagePackKind::Nil;
        if nil {
            self.bytes = &self.bytes[1..];
        }
        Ok(nil)
    }

    pub fn boolean(&mut self) -> Result<bool, MessagePackError> {
        match self.byte("a boolean")? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(MessagePackError("a boolean")),
        }
    }

    pub fn float(&mut self) -> Result<f64, MessagePackError> {
        let bits = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        match self.byte("a float")? {
            0xca => Ok(f64::from(f32::from_bits(bits(self.take(4)?) as u32))),
            0xcb => Ok(f64::from_bits(bits(self.take(8)?))),
            _ => Err(MessagePackError("a float")),
        }
    }

    /// An integer: one that is not negative as `Ok`, else as `Err`.
    pub fn unsigned(&mut self) -> Result<std::result::Result<u64, i64>, MessagePackError> {
        if let Some(0xcf) = self.bytes.first() {
            self.bytes = &self.bytes[1..];
            return Ok(Ok(self
                .take(8)?
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))));
        }
        let number = self.integer()?;
        Ok(u64::try_from(number).map_err(|_| number))
    }

    pub fn extension(&mut self) -> Result<(i8, &'a [u8]), MessagePackError> {
        let length = match self.byte("an extension")? {
            marker @ 0xd4..=0xd8 => 1 << (marker - 0xd4),
            0xc7 => self.length(1)?,
            0xc8 => self.length(2)?,
            0xc9 => self.length(4)?,
            _ => return Err(MessagePackError("an extension")),
        };
        let kind = self.byte("an extension's type")? as i8;
        Ok((kind, self.take(length)?))
    }

    /// An array's head; as in .NET, refused if it claims more items than bytes follow.
    pub fn array(&mut self) -> Result<usize, MessagePackError> {
        let items = match self.byte("an array")? {
            marker @ 0x90..=0x9f => usize::from(marker & 0x0f),
            0xdc => self.length(2)?,
            0xdd => self.length(4)?,
            _ => return Err(MessagePackError("an array")),
        };
        self.holds(items)
    }

    /// A map's head; as in .NET, refused if it claims more than follows.
    pub fn map(&mut self) -> Result<usize, MessagePackError> {
        let entries = match self.byte("a map")? {
            marker @ 0x80..=0x8f => usize::from(marker & 0x0f),
            0xde => self.length(2)?,
            0xdf => self.length(4)?,
            _ => return Err(MessagePackError("a map")),
        };
        self.holds(entries * 2).map(|_| entries)
    }

    /// Each value takes a byte at least, those included that enclosing arrays and maps claim.
    fn holds(&mut self, values: usize) -> Result<usize, MessagePackError> {
        self.claimed = self.claimed.saturating_add(values);
        if values <= self.bytes.len() && self.claimed <= self.whole {
            Ok(values)
        } else {
            Err(MessagePackError("more bytes"))
        }
    }

    pub fn text(&mut self) -> Result<&'a str, MessagePackError> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| MessagePackError("UTF-8"))
    }

    /// A string, with a mark in place of what is no UTF-8, as .NET reads it.
    pub fn lenient_text(&mut self) -> Result<Cow<'a, str>, MessagePackError> {
        self.text_bytes().map(String::from_utf8_lossy)
    }

    fn text_bytes(&mut self) -> Result<&'a [u8], MessagePackError> {
        let length = match self.byte("a string")? {
            marker @ 0xa0..=0xbf => usize::from(marker & 0x1f),
            0xd9 => self.length(1)?,
            0xda => self.length(2)?,
            0xdb => self.length(4)?,
            _ => return Err(MessagePackError("a string")),
        };
        self.take(length)
    }

    /// Binary data; a string's bytes are accepted too, as .NET does.
    pub fn binary(&mut self) -> Result<&'a [u8], MessagePackError> {
        let length = match self.byte("binary data")? {
            0xc4 | 0xd9 => self.length(1)?,
            0xc5 | 0xda => self.length(2)?,
            0xc6 | 0xdb => self.length(4)?,
            marker @ 0xa0..=0xbf => usize::from(marker & 0x1f),
            _ => return Err(MessagePackError("binary data")),
        };
        self.take(length)
    }

    pub fn integer(&mut self) -> Result<i64, MessagePackError> {
        let wide = |length: usize, bytes: &[u8]| {
            bytes
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
                << (64 - length * 8)
        };
        let marker = self.byte("an integer")?;
        match marker {
            0x00..=0x7f | 0xe0..=0xff => Ok(i64::from(marker as i8)),
            0xcc..=0xcf => {
                let length = 1 << (marker - 0xcc);
                let value = wide(length, self.take(length)?) >> (64 - length * 8);
                i64::try_from(value).map_err(|_| MessagePackError("an integer of 63 bits"))
            }
            0xd0..=0xd3 => {
                let length = 1 << (marker - 0xd0);
                Ok((wide(length, self.take(length)?) as i64) >> (64 - length * 8))
            }
            _ => Err(MessagePackError("an integer")),
        }
    }

    /// Passes over one value of any kind, however deep.
    pub fn skip(&mut self) -> Result<(), MessagePackError> {
        let mut left = 1;
        while left > 0 {
            left += self.skip_head()?;
            left -= 1;
        }
        Ok(())
    }

    /// Passes over one value without those inside it; how many these are.
    fn skip_head(&mut self) -> Result<usize, MessagePackError> {
        let length = match self.byte("a value")? {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 0,
            marker @ 0x80..=0x8f => return Ok(usize::from(marker & 0x0f) * 2),
            marker @ 0x90..=0x9f => return Ok(usize::from(marker & 0x0f)),
            marker @ 0xa0..=0xbf => usize::from(marker & 0x1f),
            0xc4 | 0xd9 => self.length(1)?,
            0xc5 | 0xda => self.length(2)?,
            0xc6 | 0xdb => self.length(4)?,
            0xc7 => self.length(1)? + 1,
            0xc8 => self.length(2)? + 1,
            0xc9 => self.length(4)? + 1,
            marker @ 0xcc..=0xd3 => 1 << (marker & 3),
            0xca => 4,
            0xcb => 8,
            marker @ 0xd4..=0xd8 => (1 << (marker - 0xd4)) + 1,
            0xdc => return self.length(2),
            0xdd => return self.length(4),
            0xde => return self.length(2).map(|entries| entries * 2),
            0xdf => return self.length(4).map(|entries| entries * 2),
            0xc1 => return Err(MessagePackError::NEVER_USED),
        };
        self.take(length).map(|_| 0)
    }

    fn byte(&mut self, expected: &'static str) -> Result<u8, MessagePackError> {
        let (first, rest) = self.bytes.split_first().ok_or(MessagePackError(expected))?;
        self.bytes = rest;
        Ok(*first)
    }

    fn length(&mut self, bytes: usize) -> Result<usize, MessagePackError> {
        Ok(self
            .take(bytes)?
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], MessagePackError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(MessagePackError("more bytes"))?;
        self.bytes = rest;
        Ok(taken)
    }
}
