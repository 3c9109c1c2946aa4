//! WebSocket frames, the server's half of RFC 6455: masked frames in, unmasked frame heads out.
//!
//! Data is handed on as it comes, frame by frame: SignalR's messages are cut by their own
//! separators, not by frames, so nothing is held back to assemble a message.

/// Frame types that a peer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// What a stretch of input turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A piece of a data frame, unmasked.
    Data(&'a [u8]),
    Ping(&'a [u8]),
    /// The peer closes.
    Close,
}

/// A breach of the protocol, with the close code that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame that breaks RFC 6455: {0}")]
    Protocol(&'static str),
    #[error("a text frame that is not UTF-8")]
    Utf8,
}

impl FrameError {
    pub fn close_code(self) -> u16 {
        match self {
            FrameError::Protocol(_) => 1002,
            FrameError::Utf8 => 1007,
        }
    }
}

/// Takes frames apart, whatever pieces they arrive in.
#[derive(Default)]
pub struct Decoder {
    head: [u8; 14],
    head_length: usize,
    /// Payload bytes of the present frame still to come; `None` between frames.
    remaining: Option<u64>,
    opcode: Option<Opcode>,
    last: bool,
    mask: [u8; 4],
    mask_at: usize,
    /// The kind of the message whose fragments are coming.
    message: Option<Opcode>,
    control: Vec<u8>,
    utf8: Utf8,
}

impl Decoder {
    /// Takes `input` apart; `event` is called for each thing found. Unmasks in place.
    pub fn feed<E: From<FrameError>>(
        &mut self,
        mut input: &mut [u8],
        mut event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let Some(remaining) = self.remaining else {
                if input.is_empty() {
                    return Ok(());
                }
                input = self.take_head(input)?;
                continue;
            };
            let length = input
                .len()
                .min(usize::try_from(remaining).unwrap_or(usize::MAX));
            let (payload, rest) = input.split_at_mut(length);
            input = rest;
            self.unmask(payload);
            let left = remaining - length as u64;
            if self.opcode.is_some_and(Opcode::is_control) {
                self.control.extend_from_slice(payload);
            } else if !payload.is_empty() {
                if self.message == Some(Opcode::Text) {
                    self.utf8.check(payload)?;
                }
                event(Event::Data(payload))?;
            }
            if left > 0 {
                self.remaining = Some(left);
                return Ok(());
            }
            self.remaining = None;
            self.finish_frame(&mut event)?;
        }
    }

    fn finish_frame<E: From<FrameError>>(
        &mut self,
        event: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let control = std::mem::take(&mut self.control);
        match self.opcode {
            Some(Opcode::Ping) => event(Event::Ping(&control)),
            Some(Opcode::Close) => {
                check_close(&control)?;
                event(Event::Close)
            }
            Some(Opcode::Pong) | None => Ok(()),
            Some(_) => {
                if self.last {
                    if self.message == Some(Opcode::Text) {
                        self.utf8.end()?;
                    }
                    self.message = None;
                }
                Ok(())
            }
        }
    }

    /// Collects a frame's head, and checks it once it is whole.
    fn take_head<'i>(&mut self, input: &'i mut [u8]) -> Result<&'i mut [u8], FrameError> {
        let wanted = match self.head_length {
            0 | 1 => 2,
            _ => {
                2 + 4
                    + match self.head[1] & 0x7f {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    }
            }
        };
        let taken = (wanted - self.head_length).min(input.len());
        let (head, rest) = input.split_at_mut(taken);
        self.head[self.head_length..self.head_length + taken].copy_from_slice(head);
        self.head_length += taken;
        if self.head_length == 2 {
            self.check_start()?;
        } else if self.head_length == wanted && wanted > 2 {
            self.check_length(wanted)?;
        }
        Ok(rest)
    }

    fn check_start(&mut self) -> Result<(), FrameError> {
        let [first, second, ..] = self.head;
        if first & 0x70 != 0 {
            return Err(FrameError::Protocol("a reserved bit is set"));
        }
        if second & 0x80 == 0 {
            return Err(FrameError::Protocol("the mask is missing"));
        }
        self.last = first & 0x80 != 0;
        let opcode = match first & 0x0f {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(FrameError::Protocol("an unknown opcode")),
        };
        match opcode {
            Opcode::Continuation if self.message.is_none() => {
                return Err(FrameError::Protocol("a continuation of nothing"));
            }
            Opcode::Text | Opcode::Binary if self.message.is_some() => {
                return Err(FrameError::Protocol("a new message inside another"));
            }
            Opcode::Text | Opcode::Binary => self.message = Some(opcode),
            Opcode::Continuation => {}
            _ if !self.last => return Err(FrameError::Protocol("a control frame in pieces")),
            _ => {}
        }
        self.opcode = Some(opcode);
        Ok(())
    }

    fn check_length(&mut self, head: usize) -> Result<(), FrameError> {
        let extended = &self.head[2..head - 4];
        let length = match extended.len() {
            0 => u64::from(self.head[1] & 0x7f),
            _ => extended
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if length >> 63 == 1 {
            return Err(FrameError::Protocol("a length over 63 bits"));
        }
        // As .NET, which takes a length that is not in its shortest form.
        if length > 125 && self.opcode.is_some_and(Opcode::is_control) {
            return Err(FrameError::Protocol("a control frame over 125 bytes"));
        }
        self.mask.copy_from_slice(&self.head[head - 4..head]);
        self.mask_at = 0;
        self.head_length = 0;
        self.remaining = Some(length);
        Ok(())
    }

    fn unmask(&mut self, payload: &mut [u8]) {
        let mut mask = self.mask;
        mask.rotate_left(self.mask_at);
        for chunk in payload.chunks_mut(4) {
            chunk
                .iter_mut()
                .zip(mask)
                .for_each(|(byte, mask)| *byte ^= mask);
        }
        self.mask_at = (self.mask_at + payload.len()) % 4;
    }
}

/// A code and a reason, both of which may be missing.
fn check_close(payload: &[u8]) -> Result<(), FrameError> {
    match payload {
        [] => Ok(()),
        [_] => Err(FrameError::Protocol("half a close code")),
        [high, low, reason @ ..] => {
            // As .NET has it; of a message the error is another.
            std::str::from_utf8(reason)
                .map_err(|_| FrameError::Protocol("a reason that is not UTF-8"))?;
            match u16::from_be_bytes([*high, *low]) {
                1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(()),
                _ => Err(FrameError::Protocol("a close code that may not be sent")),
            }
        }
    }
}

/// Checks UTF-8 that arrives in pieces; up to three bytes wait for the rest of their character.
#[derive(Default)]
struct Utf8 {
    waiting: [u8; 4],
    length: usize,
}

impl Utf8 {
    fn check(&mut self, mut piece: &[u8]) -> Result<(), FrameError> {
        while self.length > 0 {
            let Some((first, rest)) = piece.split_first() else {
                return Ok(());
            };
            self.waiting[self.length] = *first;
            self.length += 1;
            piece = rest;
            match std::str::from_utf8(&self.waiting[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() || self.length == 4 => {
                    return Err(FrameError::Utf8);
                }
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(FrameError::Utf8),
            Err(error) => {
                let tail = &piece[error.valid_up_to()..];
                self.waiting[..tail.len()].copy_from_slice(tail);
                self.length = tail.len();
                Ok(())
            }
        }
    }

    fn end(&mut self) -> Result<(), FrameError> {
        if self.length == 0 {
            Ok(())
        } else {
            Err(FrameError::Utf8)
        }
    }
}

/// Appends the head of an unmasked, final frame: `0x81` text, `0x82` binary.
pub fn write_head(out: &mut Vec<u8>, first: u8, length: usize) {
    out.push(first);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// A whole text frame.
pub fn text_frame(payload: &[u8]) -> Vec<u8> {
    data_frame(0x81, payload)
}

/// A whole binary frame.
pub fn binary_frame(payload: &[u8]) -> Vec<u8> {
    data_frame(0x82, payload)
}

fn data_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    write_head(&mut frame, first, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// What a data frame of ours carries; nothing for any other frame.
pub fn payload(frame: &[u8]) -> &[u8] {
    match frame {
        [0x81 | 0x82, 126, _, _, payload @ ..] => payload,
        [0x81 | 0x82, 127, _, _, _, _, _, _, _, _, payload @ ..] => payload,
        [0x81 | 0x82, _, payload @ ..] => payload,
        _ => &[],
    }
}

/// The pong that answers a ping.
pub fn pong_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 2);
    write_head(&mut frame, 0x8a, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// A close frame without a reason, as ASP.NET Core sends it.
pub fn close_frame(code: u16) -> Vec<u8> {
    let mut frame = vec![0x88, 2];
    frame.extend(code.to_be_bytes());
    frame
}

/// `Sec-WebSocket-Accept` for a client's key.
pub fn accept_key(key: &[u8]) -> String {
    use base64::Engine;
    let mut digest = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(digest.finish())
}
