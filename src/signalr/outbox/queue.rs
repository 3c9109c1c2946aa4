//! The frames that wait for one connection, and writing as many as fit.

use super::replay::Replay;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::net::TcpStream;

/// More frames than that, or more bytes, are many for one client.
const BEHIND: usize = 4096;
const BYTES_BEHIND: usize = 2 << 20;
/// Frames that one system call takes.
const FRAMES_PER_WRITE: usize = 64;
/// The room for frames that an idle connection keeps: what the first of them allocates.
const ROOM_KEPT: usize = 4;
/// What a frame costs beside its bytes.
const FRAME: usize = std::mem::size_of::<Bytes>();

#[derive(Default)]
pub(super) struct FrameQueue {
    /// The socket, if frames go to it as they are.
    pub(super) direct: Option<Arc<TcpStream>>,
    /// The connection is over.
    pub(super) closed: bool,
    pub(super) frames: VecDeque<Bytes>,
    pub(super) bytes: usize,
    /// What of it is counted with all others.
    pub(super) counted: usize,
    /// The first frame is written in part.
    pub(super) begun: bool,
    /// Something was written: since a stream asked for room, and since a producer was told that it is too fast.
    pub(super) wrote: bool,
    pub(super) read: bool,
    /// Where the client may come back on another socket: what it has not acknowledged.
    pub(super) replay: Option<Box<Replay>>,
}

impl FrameQueue {
    /// What it takes of the memory.
    pub(super) fn cost(&self) -> usize {
        let unacknowledged = self
            .replay
            .as_ref()
            .map_or(0, |replay| replay.written_bytes());
        self.bytes + self.frames.len() * FRAME + unacknowledged
    }

    /// Whether a frame may go out beside the queue.
    pub(super) fn is_idle(&self) -> bool {
        self.frames.is_empty() && self.replay.is_none()
    }

    /// Takes the rest of a frame that was written in part.
    pub(super) fn begin(&mut self, rest: Bytes) {
        self.bytes += rest.len();
        self.frames.push_back(rest);
        self.begun = true;
    }

    /// Whether many wait although the client reads: something was taken since this was last true.
    pub(super) fn is_behind(&mut self) -> bool {
        (self.frames.len() > BEHIND || self.bytes > BYTES_BEHIND) && std::mem::take(&mut self.read)
    }

    /// One write of as much as fits into it; true once nothing is left.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        if self.frames.is_empty() {
            self.shrink();
            return Ok(true);
        }
        if self.replay.as_ref().is_some_and(|replay| replay.is_full()) && !self.begun {
            // Nothing more until the client acknowledges some; that wakes the writer.
            return Ok(true);
        }
        let mut written = if self.frames.len() == 1 {
            write(&[IoSlice::new(&self.frames[0])])?
        } else {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let count = self.frames.len().min(FRAMES_PER_WRITE);
            for (slice, frame) in slices.iter_mut().zip(&self.frames) {
                *slice = IoSlice::new(frame);
            }
            write(&slices[..count])?
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes -= written;
        (self.wrote, self.read) = (true, true);
        while let Some(front) = self.frames.front_mut() {
            if written < front.len() {
                front.advance(written);
                self.begun |= written > 0;
                break;
            }
            written -= front.len();
            self.frames.pop_front();
            self.begun = false;
            if let Some(replay) = &mut self.replay {
                replay.wrote();
            }
        }
        if self.frames.is_empty() {
            self.shrink();
        }
        Ok(self.frames.is_empty())
    }

    /// An idle connection holds next to no buffer, and the next frame needs no allocation.
    fn shrink(&mut self) {
        if self.frames.capacity() > ROOM_KEPT {
            self.frames = VecDeque::new();
        }
    }
}
