//! Numbered messages, kept until the client acknowledges them (protocol.md, "Stateful reconnect").

use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Replay {
    unacknowledged: VecDeque<Bytes>,
    /// The number of the first of them.
    first: i64,
    /// How many of them are written, and their bytes; above the limit nothing more is written.
    written: usize,
    written_bytes: usize,
    limit: usize,
    /// For each frame in the queue, whether it is numbered.
    counted: VecDeque<bool>,
}

impl Replay {
    /// Numbers frames from now on; the `waiting` frames that are queued already are not numbered.
    pub(super) fn new(limit: usize, waiting: usize) -> Self {
        Replay {
            first: 1,
            limit,
            counted: std::iter::repeat_n(false, waiting).collect(),
            ..Replay::default()
        }
    }

    /// Whether the client must acknowledge some frames before more are written.
    pub(super) fn is_full(&self) -> bool {
        self.written_bytes > self.limit
    }

    /// The bytes that are kept.
    pub(super) fn written_bytes(&self) -> usize {
        self.written_bytes
    }

    /// A frame was queued.
    pub(super) fn queued(&mut self, frame: &Bytes, counted: bool) {
        self.counted.push_back(counted);
        if counted {
            self.unacknowledged.push_back(frame.clone());
        }
    }

    /// The queue's first frame was written.
    pub(super) fn wrote(&mut self) {
        if self.counted.pop_front() == Some(true)
            && let Some(frame) = self.unacknowledged.get(self.written)
        {
            self.written_bytes += frame.len();
            self.written += 1;
        }
    }

    /// The client acknowledges everything up to a number. It cannot acknowledge what is not
    /// written.
    pub(super) fn acknowledge(&mut self, number: i64) {
        while self.written > 0 && self.first <= number {
            self.written_bytes -= self
                .unacknowledged
                .pop_front()
                .map_or(0, |frame| frame.len());
            self.written -= 1;
            self.first += 1;
        }
    }

    /// Returns the queue for a new socket: the frame with the number of the first unacknowledged
    /// message, then all unacknowledged messages.
    pub(super) fn restart(&mut self, sequence: impl FnOnce(i64) -> Bytes) -> VecDeque<Bytes> {
        let frames: VecDeque<_> = std::iter::once(sequence(self.first))
            .chain(self.unacknowledged.iter().cloned())
            .collect();
        self.counted = frames
            .iter()
            .enumerate()
            .map(|(place, _)| place > 0)
            .collect();
        (self.written, self.written_bytes) = (0, 0);
        frames
    }
}
