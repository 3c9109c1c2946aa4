//! A file's bytes as the text that .NET's StreamReader reads, and back without loss.
//!
//! A byte-order mark names the encoding; without one a file is UTF-8. Bytes that the encoding does
//! not allow read as U+FFFD, and an edit elsewhere leaves them as they are.

use std::ops::{Deref, Range};

/// What reads in place of bytes that mean nothing.
const REPLACEMENT: char = '\u{fffd}';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf8Marked,
    Utf16LittleEndian,
    Utf16BigEndian,
    Utf32LittleEndian,
    Utf32BigEndian,
}

/// Marks, those first that begin like a shorter one.
const MARKS: [(&[u8], Encoding); 5] = [
    (b"\xef\xbb\xbf", Encoding::Utf8Marked),
    (b"\xff\xfe\0\0", Encoding::Utf32LittleEndian),
    (b"\xff\xfe", Encoding::Utf16LittleEndian),
    (b"\xfe\xff", Encoding::Utf16BigEndian),
    (b"\0\0\xfe\xff", Encoding::Utf32BigEndian),
];

/// A text that remembers how it was written.
#[derive(Debug, Clone)]
pub struct EncodedText {
    text: String,
    encoding: Encoding,
    /// Where a replacement character stands for bytes that are to be kept, in the text's order.
    strays: Vec<(usize, Vec<u8>)>,
}

impl EncodedText {
    pub fn decode(bytes: &[u8]) -> Self {
        let marked = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark));
        let (mark, encoding) = marked.copied().unwrap_or((b"", Encoding::Utf8));
        let mut decoded = EncodedText {
            text: String::new(),
            encoding,
            strays: Vec::new(),
        };
        decoded.read(&bytes[mark.len()..]);
        decoded
    }

    /// The bytes that were decoded, but for what was replaced since.
    pub fn encode(&self) -> Vec<u8> {
        let mark = MARKS
            .iter()
            .find(|(_, encoding)| *encoding == self.encoding)
            .map_or(b"".as_slice(), |(mark, _)| mark);
        let mut bytes = Vec::with_capacity(mark.len() + self.text.len());
        bytes.extend_from_slice(mark);
        let mut from = 0;
        for (at, stray) in &self.strays {
            self.write(&self.text[from..*at], &mut bytes);
            bytes.extend_from_slice(stray);
            from = at + REPLACEMENT.len_utf8();
        }
        self.write(&self.text[from..], &mut bytes);
        bytes
    }

    /// Puts another text in the place of a part.
    pub fn replace_range(&mut self, range: Range<usize>, replacement: &str) {
        self.strays.retain(|(at, _)| !range.contains(at));
        for (at, _) in &mut self.strays {
            if *at >= range.end {
                *at = *at - range.len() + replacement.len();
            }
        }
        self.text.replace_range(range, replacement);
    }

    fn read(&mut self, bytes: &[u8]) {
        match self.encoding {
            Encoding::Utf8 | Encoding::Utf8Marked => self.read_utf8(bytes),
            Encoding::Utf16LittleEndian => self.read_utf16(bytes, u16::from_le_bytes),
            Encoding::Utf16BigEndian => self.read_utf16(bytes, u16::from_be_bytes),
            Encoding::Utf32LittleEndian => self.read_utf32(bytes, u32::from_le_bytes),
            Encoding::Utf32BigEndian => self.read_utf32(bytes, u32::from_be_bytes),
        }
    }

    fn read_utf8(&mut self, bytes: &[u8]) {
        self.text.reserve(bytes.len());
        for chunk in bytes.utf8_chunks() {
            self.text.push_str(chunk.valid());
            self.stray(chunk.invalid());
        }
    }

    fn read_utf16(&mut self, bytes: &[u8], unit: fn([u8; 2]) -> u16) {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let mut at = 0;
        for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
            let length = decoded.as_ref().map_or(2, |letter| letter.len_utf16() * 2);
            match decoded {
                Ok(letter) => self.text.push(letter),
                Err(_) => self.stray(&bytes[at..at + length]),
            }
            at += length;
        }
        self.stray(rest);
    }

    fn read_utf32(&mut self, bytes: &[u8], unit: fn([u8; 4]) -> u32) {
        let (units, rest) = bytes.as_chunks::<4>();
        for bytes in units {
            match char::from_u32(unit(*bytes)) {
                Some(letter) => self.text.push(letter),
                None => self.stray(bytes),
            }
        }
        self.stray(rest);
    }

    fn stray(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.strays.push((self.text.len(), bytes.to_vec()));
            self.text.push(REPLACEMENT);
        }
    }

    fn write(&self, text: &str, bytes: &mut Vec<u8>) {
        match self.encoding {
            Encoding::Utf8 | Encoding::Utf8Marked => bytes.extend_from_slice(text.as_bytes()),
            Encoding::Utf16LittleEndian => {
                bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            }
            Encoding::Utf16BigEndian => {
                bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Encoding::Utf32LittleEndian => {
                bytes.extend(
                    text.chars()
                        .flat_map(|letter| u32::from(letter).to_le_bytes()),
                );
            }
            Encoding::Utf32BigEndian => {
                bytes.extend(
                    text.chars()
                        .flat_map(|letter| u32::from(letter).to_be_bytes()),
                );
            }
        }
    }
}

impl Deref for EncodedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
