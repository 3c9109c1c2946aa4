//! AMQP frames on their way in, made harmless before the client library parses them.
//!
//! Whoever may publish chooses a message's properties and headers, byte by byte. The library parses
//! them with recursion, refuses text that is not UTF-8 by ending the connection, and refuses frames
//! over the negotiated size: each time RabbitMQ delivers the same message again, for ever. So each
//! content header is rewritten here: a few properties and short, plain headers stay. A body over
//! the limit is passed over.

mod properties;

pub use properties::EnvelopeReader;
pub(super) use properties::OWN_PREFIX;
use properties::{Cursor, HEADERS_BYTES, Properties, length, write_own};

/// What a frame begins with (type, channel, size), and the byte that ends it.
const FRAME_HEAD: usize = 7;
const FRAME_END: u8 = 0xCE;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
/// A heartbeat, whole.
pub(super) const HEARTBEAT_FRAME: [u8; 8] = [HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END];

/// What is read of a frame that has to be understood; the rest is passed over.
const READ_AT_MOST: usize = 1 << 20;
/// How many of its headers a message was stripped of.
pub(super) const OMITTED_HEADER: &str = "x-harmony-headers-omitted";
/// The size of a body that was passed over.
pub(super) const BODY_BYTES_HEADER: &str = "x-harmony-body-bytes";
/// The properties or headers cannot be read.
pub(super) const UNREADABLE_HEADER: &str = "x-harmony-unreadable";

/// Class and method numbers of the methods that carry text chosen by publishers.
const BASIC: u16 = 60;
const RETURN: u16 = 50;
const DELIVER: u16 = 60;
const GET_OK: u16 = 71;

/// Rewrites a stream of frames.
#[derive(Debug)]
pub struct Envelope {
    reader: EnvelopeReader,
    state: FrameState,
    /// The frame that is being read: its head, then as much of its payload as is needed.
    frame: Vec<u8>,
    /// The channel whose body is passed over, and how much of it is still to come.
    passed_over: Option<(u16, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameState {
    Head,
    /// Bytes of a frame to be understood that are still to come.
    Collect(u64),
    /// Bytes to be passed on, or not.
    Stream(u64, FrameAction),
    /// Not AMQP 0-9-1: the library says what is wrong.
    Raw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameAction {
    Forward,
    Discard,
}

impl Envelope {
    pub fn new(reader: EnvelopeReader) -> Self {
        Envelope {
            reader,
            state: FrameState::Head,
            frame: Vec::new(),
            passed_over: None,
        }
    }

    /// Takes bytes from the server; appends to `out` what the library may see. Returns the size of
    /// the bodies that were announced.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> u64 {
        let mut announced = 0;
        while !bytes.is_empty() {
            match self.state {
                FrameState::Raw => {
                    out.extend_from_slice(bytes);
                    return announced;
                }
                FrameState::Head => {
                    let taken = bytes.len().min(FRAME_HEAD - self.frame.len());
                    self.frame.extend_from_slice(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    if self.frame.len() == FRAME_HEAD {
                        self.begin(out);
                    }
                }
                FrameState::Stream(left, fate) => {
                    let (taken, rest) = split(bytes, left);
                    if fate == FrameAction::Forward {
                        out.extend_from_slice(taken);
                    }
                    bytes = rest;
                    self.state = after(left, taken, |left| FrameState::Stream(left, fate));
                }
                FrameState::Collect(left) => {
                    let (taken, rest) = split(bytes, left);
                    let room = (FRAME_HEAD + READ_AT_MOST).saturating_sub(self.frame.len());
                    self.frame
                        .extend_from_slice(&taken[..taken.len().min(room)]);
                    bytes = rest;
                    self.state = after(left, taken, FrameState::Collect);
                    if self.state == FrameState::Head {
                        announced += self.finish(out);
                    }
                }
            }
        }
        announced
    }

    /// Decides what becomes of a frame by its head.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let mut head = Cursor(&self.frame);
        let (Some(kind), Some(channel), Some(size)) = (head.u8(), head.u16(), head.u32()) else {
            return;
        };
        let whole = u64::from(size) + 1;
        self.state = match kind {
            METHOD | HEADER => {
                self.state = FrameState::Collect(whole);
                return;
            }
            BODY if self.passes_over(channel, u64::from(size)) => {
                FrameState::Stream(whole, FrameAction::Discard)
            }
            BODY | HEARTBEAT => {
                out.extend_from_slice(&self.frame);
                FrameState::Stream(whole, FrameAction::Forward)
            }
            _ => {
                out.extend_from_slice(&self.frame);
                FrameState::Raw
            }
        };
        self.frame.clear();
    }

    fn passes_over(&mut self, channel: u16, size: u64) -> bool {
        match &mut self.passed_over {
            Some((of, left)) if *of == channel => {
                *left = left.saturating_sub(size);
                if *left == 0 {
                    self.passed_over = None;
                }
                true
            }
            _ => false,
        }
    }

    /// Rewrites the frame that was collected.
    fn finish(&mut self, out: &mut Vec<u8>) -> u64 {
        let frame = std::mem::take(&mut self.frame);
        let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
        let whole = frame.len() == FRAME_HEAD + size + 1;
        // The last byte of a whole frame is its end.
        let payload = &frame[FRAME_HEAD..frame.len() - usize::from(whole)];
        let channel = u16::from_be_bytes([frame[1], frame[2]]);
        let mut announced = 0;
        let mut rewritten = Vec::with_capacity(payload.len().min(HEADERS_BYTES));
        if frame[0] == METHOD {
            rewritten.extend_from_slice(payload);
            clean_method(&mut rewritten);
        } else {
            announced = self.rewrite_header(channel, payload, &mut rewritten);
        }
        out.extend_from_slice(&frame[..3]);
        out.extend_from_slice(&length(rewritten.len()));
        out.extend_from_slice(&rewritten);
        out.push(FRAME_END);
        announced
    }

    fn rewrite_header(&mut self, channel: u16, payload: &[u8], out: &mut Vec<u8>) -> u64 {
        let mut cursor = Cursor(payload);
        let class = cursor.u16().unwrap_or(BASIC);
        let weight = cursor.u16().unwrap_or_default();
        let size = cursor.u64().unwrap_or_default();
        let (properties, readable) = match Properties::read(&mut cursor, self.reader) {
            Ok(properties) => (properties, true),
            Err(read_so_far) => (read_so_far, false),
        };
        let mut own = Vec::new();
        let mut kept = size;
        if let EnvelopeReader::Hub { body_bytes } = self.reader
            && size > body_bytes
        {
            kept = 0;
            self.passed_over = Some((channel, size));
            write_own(&mut own, BODY_BYTES_HEADER, size.cast_signed());
        }
        if !readable {
            write_own(&mut own, UNREADABLE_HEADER, 1);
        }
        if properties.omitted > 0 {
            write_own(&mut own, OMITTED_HEADER, properties.omitted);
        }
        out.extend_from_slice(&class.to_be_bytes());
        out.extend_from_slice(&weight.to_be_bytes());
        out.extend_from_slice(&kept.to_be_bytes());
        properties.write(&own, out);
        kept
    }
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len())))
}

fn after(left: u64, taken: &[u8], more: impl FnOnce(u64) -> FrameState) -> FrameState {
    match left - taken.len() as u64 {
        0 => FrameState::Head,
        left => more(left),
    }
}

/// Text in methods that publishers choose: the names of exchanges, and routing keys.
fn clean_method(payload: &mut [u8]) {
    let mut cursor = Cursor(payload);
    if cursor.u16() != Some(BASIC) {
        return;
    }
    // What stands before and between the short texts.
    let layout: &[usize] = match cursor.u16() {
        Some(DELIVER) => &[0, 9, 0],
        Some(GET_OK) => &[9, 0],
        Some(RETURN) => &[2, 0, 0],
        _ => return,
    };
    let mut at = 4;
    for skipped in layout {
        at += skipped;
        let Some(length) = payload.get(at) else {
            return;
        };
        let end = at + 1 + usize::from(*length);
        let Some(text) = payload.get_mut(at + 1..end) else {
            return;
        };
        if std::str::from_utf8(text).is_err() {
            text.iter_mut()
                .filter(|byte| !byte.is_ascii())
                .for_each(|byte| *byte = b'?');
        }
        at = end;
    }
}
