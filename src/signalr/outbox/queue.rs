//! The queued frames of one connection, written as many at a time as the socket accepts.

use super::replay::Replay;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::net::TcpStream;

/// A client with more queued frames, or more bytes, is behind.
const BEHIND: usize = 4096;
const BYTES_BEHIND: usize = 2 << 20;
/// How many frames one system call writes.
const FRAMES_PER_WRITE: usize = 64;
/// The capacity that an idle connection keeps: what the first frame allocates.
const ROOM_KEPT: usize = 4;
/// The memory that a frame uses beside its bytes.
const FRAME: usize = std::mem::size_of::<Bytes>();

#[derive(Default)]
pub(super) struct FrameQueue {
    /// The socket, if senders may write to it.
    pub(super) direct: Option<Arc<TcpStream>>,
    /// The connection is over.
    pub(super) closed: bool,
    pub(super) frames: VecDeque<Bytes>,
    pub(super) bytes: usize,
    /// How much of it is counted in the budget of all connections.
    pub(super) counted: usize,
    /// The first frame is partly written.
    pub(super) begun: bool,
    /// Something was written: since a stream asked for room, and since a producer was told that it
    /// is too fast.
    pub(super) wrote: bool,
    pub(super) read: bool,
    /// With stateful reconnect: the frames that the client has not acknowledged.
    pub(super) replay: Option<Box<Replay>>,
}

impl FrameQueue {
    /// The memory that the queue uses.
    pub(super) fn cost(&self) -> usize {
        let unacknowledged = self
            .replay
            .as_ref()
            .map_or(0, |replay| replay.written_bytes());
        self.bytes + self.frames.len() * FRAME + unacknowledged
    }

    /// Whether a frame may be written without being queued.
    pub(super) fn is_idle(&self) -> bool {
        self.frames.is_empty() && self.replay.is_none()
    }

    /// Queues the rest of a frame that was partly written.
    pub(super) fn begin(&mut self, rest: Bytes) {
        self.bytes += rest.len();
        self.frames.push_back(rest);
        self.begun = true;
    }

    /// Whether the client is reading but behind: something was written since this was last true.
    pub(super) fn is_behind(&mut self) -> bool {
        (self.frames.len() > BEHIND || self.bytes > BYTES_BEHIND) && std::mem::take(&mut self.read)
    }

    /// Writes once, as much as one call accepts. Returns true if nothing is left.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        if self.frames.is_empty() {
            self.shrink();
            return Ok(true);
        }
        if self.replay.as_ref().is_some_and(|replay| replay.is_full()) && !self.begun {
            // Wait until the client acknowledges some frames; that wakes the writer.
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

    /// Keeps a small buffer on an idle connection, so that the next frame needs no allocation.
    fn shrink(&mut self) {
        if self.frames.capacity() > ROOM_KEPT {
            self.frames = VecDeque::new();
        }
    }
}
