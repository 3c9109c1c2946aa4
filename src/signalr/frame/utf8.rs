//! UTF-8 that arrives in pieces.

use super::error::FrameError;

/// Checks UTF-8 that arrives in pieces; up to three bytes wait for the rest of their character.
#[derive(Default)]
pub(super) struct Utf8 {
    waiting: [u8; 4],
    length: usize,
}

impl Utf8 {
    pub(super) fn check(&mut self, mut piece: &[u8]) -> Result<(), FrameError> {
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

    pub(super) fn end(&mut self) -> Result<(), FrameError> {
        if self.length == 0 {
            Ok(())
        } else {
            Err(FrameError::Utf8)
        }
    }
}
