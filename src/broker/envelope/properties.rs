//! A message's properties and headers, of which those stay that are short, plain and harmless.

use crate::broker::topology::TYPE_HEADER;

/// Limits of what stays of a message's headers.
const NAME_BYTES: usize = 128;
const VALUE_BYTES: usize = 4 << 10;
pub(super) const HEADERS_BYTES: usize = 16 << 10;

/// Headers of ours. No publisher can send them to a hub.
pub const OWN_PREFIX: &str = "x-harmony-";
/// Who reads the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeReader {
    /// A hub: bodies up to a size, and no headers that only we set.
    Hub { body_bytes: u64 },
    /// An operator, who looks at what was set aside.
    Operator,
}

/// The properties of a message, each as it stood on the wire, in their order.
#[derive(Default)]
pub(super) struct Properties<'p> {
    flags: u16,
    /// Those before the headers and those behind.
    before: Vec<&'p [u8]>,
    headers: Option<Vec<u8>>,
    pub(super) omitted: i64,
    behind: Vec<&'p [u8]>,
}

const HEADERS_FLAG: u16 = 1 << 13;

/// How a property is written.
#[derive(Clone, Copy)]
enum PropertyType {
    ShortText,
    Table,
    Bytes(usize),
}

/// What becomes of a property.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PropertyRule {
    Keep,
    /// RabbitMQ would check it against us, expire the message by it, or it asks for a reply.
    Drop,
}

/// AMQP's properties by their flags, from bit 15 down.
const PROPERTIES: [(PropertyType, PropertyRule); 14] = [
    (PropertyType::ShortText, PropertyRule::Keep), // content type
    (PropertyType::ShortText, PropertyRule::Keep), // content encoding
    (PropertyType::Table, PropertyRule::Keep),     // headers
    (PropertyType::Bytes(1), PropertyRule::Keep),  // delivery mode
    (PropertyType::Bytes(1), PropertyRule::Drop),  // priority
    (PropertyType::ShortText, PropertyRule::Keep), // correlation id
    (PropertyType::ShortText, PropertyRule::Drop), // reply to
    (PropertyType::ShortText, PropertyRule::Drop), // expiration
    (PropertyType::ShortText, PropertyRule::Keep), // message id
    (PropertyType::Bytes(8), PropertyRule::Keep),  // timestamp
    (PropertyType::ShortText, PropertyRule::Keep), // type
    (PropertyType::ShortText, PropertyRule::Drop), // user id
    (PropertyType::ShortText, PropertyRule::Keep), // application id
    (PropertyType::ShortText, PropertyRule::Drop), // cluster id
];

impl<'p> Properties<'p> {
    /// Reads them; what could be read, where something cannot.
    pub(super) fn read(cursor: &mut Cursor<'p>, reader: EnvelopeReader) -> Result<Self, Self> {
        let mut properties = Properties::default();
        let Some(flags) = cursor.u16().filter(|flags| flags & 0b11 == 0) else {
            return Err(properties);
        };
        for (place, (form, choice)) in PROPERTIES.into_iter().enumerate() {
            let flag = 1 << (15 - place);
            if flags & flag == 0 {
                continue;
            }
            let start = *cursor;
            let read = match form {
                PropertyType::Bytes(count) => cursor.take(count).map(|_| true),
                PropertyType::ShortText => {
                    cursor.short().map(|text| std::str::from_utf8(text).is_ok())
                }
                PropertyType::Table => properties.read_headers(cursor, reader).map(|()| true),
            };
            let Some(valid) = read else {
                return Err(properties);
            };
            if !valid || choice == PropertyRule::Drop {
                continue;
            }
            properties.flags |= flag;
            match (flag, start.until(cursor)) {
                (HEADERS_FLAG, _) => {}
                (HEADERS_FLAG.., bytes) => properties.before.push(bytes),
                (_, bytes) => properties.behind.push(bytes),
            }
        }
        Ok(properties)
    }

    fn read_headers(&mut self, cursor: &mut Cursor<'p>, reader: EnvelopeReader) -> Option<()> {
        self.flags |= HEADERS_FLAG;
        let headers = self.headers.insert(Vec::new());
        let length = cursor.u32()? as usize;
        // Of a table that is cut off what is there counts.
        let present = length.min(cursor.0.len());
        let mut table = Cursor(cursor.take(present)?);
        while !table.0.is_empty() {
            let name = table.short()?;
            let kind = table.u8()?;
            let value = table.value(kind)?;
            match judge(name, kind, value, reader) {
                Verdict::Keep if headers.len() + value.len() < HEADERS_BYTES => {
                    write_header(headers, name, kind, value);
                }
                // The type has to be known, if only that it is none.
                Verdict::Blank => write_header(headers, name, b'V', &[]),
                Verdict::Keep | Verdict::Omit => self.omitted += 1,
            }
        }
        (present == length).then_some(())
    }

    pub(super) fn write(&self, own: &[u8], out: &mut Vec<u8>) {
        let flags = match own {
            [] => self.flags,
            _ => self.flags | HEADERS_FLAG,
        };
        out.extend_from_slice(&flags.to_be_bytes());
        self.before
            .iter()
            .for_each(|bytes| out.extend_from_slice(bytes));
        if flags & HEADERS_FLAG != 0 {
            let headers = self.headers.as_deref().unwrap_or_default();
            out.extend_from_slice(&length(headers.len() + own.len()));
            out.extend_from_slice(headers);
            out.extend_from_slice(own);
        }
        self.behind
            .iter()
            .for_each(|bytes| out.extend_from_slice(bytes));
    }
}

enum Verdict {
    Keep,
    /// Keep the name without the value.
    Blank,
    Omit,
}

/// Whether a header stays: plain values under short names. Names with `x-` steer brokers, and so do
/// `CC` and `BCC`, which would send a message that is set aside straight back to the hub.
fn judge(name: &[u8], kind: u8, value: &[u8], reader: EnvelopeReader) -> Verdict {
    let plain = matches!(kind, b'S' | b'x' | b't' | b'I' | b'l' | b'T' | b'd' | b'V');
    let fits = plain && value.len() <= VALUE_BYTES;
    if name == TYPE_HEADER.as_bytes() {
        return if fits { Verdict::Keep } else { Verdict::Blank };
    }
    let own = name.starts_with(OWN_PREFIX.as_bytes()) && reader == EnvelopeReader::Operator;
    let lower = name.to_ascii_lowercase();
    let steers = lower.starts_with(b"x-") || lower == b"cc" || lower == b"bcc";
    let short = name.len() <= NAME_BYTES && std::str::from_utf8(name).is_ok();
    if fits && short && (own || !steers) {
        Verdict::Keep
    } else {
        Verdict::Omit
    }
}

fn write_header(out: &mut Vec<u8>, name: &[u8], kind: u8, value: &[u8]) {
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name);
    out.push(kind);
    out.extend_from_slice(value);
}

pub(super) fn write_own(out: &mut Vec<u8>, name: &str, value: i64) {
    write_header(out, name.as_bytes(), b'l', &value.to_be_bytes());
}

pub(super) fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// Reads what AMQP is made of; `None` where too little is left.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'c>(pub(super) &'c [u8]);

impl<'c> Cursor<'c> {
    fn take(&mut self, count: usize) -> Option<&'c [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Text with a length of one byte.
    fn short(&mut self) -> Option<&'c [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A header's value, without its type. Tables and lists tell their length, so nothing here
    /// recurses.
    fn value(&mut self, kind: u8) -> Option<&'c [u8]> {
        let count = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'l' | b'L' | b'd' | b'T' => 8,
            b'S' | b'x' | b'A' | b'F' => 4 + self.clone().u32()? as usize,
            _ => return None,
        };
        self.take(count)
    }

    /// What was read from here to a later place.
    fn until(&self, later: &Cursor<'_>) -> &'c [u8] {
        &self.0[..self.0.len() - later.0.len()]
    }
}
