//! WebSocket frames, the server's half of RFC 6455: masked frames in, unmasked frame heads out.
//!
//! Data is handed on as it comes, frame by frame: SignalR's messages are cut by their own
//! separators, not by frames, so nothing is held back to assemble a message.

mod error;
mod utf8;
mod write;

pub use error::FrameError;
pub use write::{
    accept_key, binary_frame, close_frame, payload, pong_frame, text_frame, write_head,
};

use utf8::Utf8;

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
