//! Counted messages that a client may want again on another socket (protocol.md, "Stateful reconnect").

use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Replay {
    unacknowledged: VecDeque<Bytes>,
    /// The number of the first of them.
    first: i64,
    /// How many of them were written, and their bytes; no more is written above the limit.
    written: usize,
    written_bytes: usize,
    limit: usize,
    /// Which of the queue's frames are counted.
    counted: VecDeque<bool>,
}

impl Replay {
    /// Counts from now on; `waiting` frames are in the queue already and do not count.
    pub(super) fn new(limit: usize, waiting: usize) -> Self {
        Replay {
            first: 1,
            limit,
            counted: std::iter::repeat_n(false, waiting).collect(),
            ..Replay::default()
        }
    }

    /// Nothing more may be written until the client acknowledges some.
    pub(super) fn is_full(&self) -> bool {
        self.written_bytes > self.limit
    }

    /// What was written and may be wanted again.
    pub(super) fn written_bytes(&self) -> usize {
        self.written_bytes
    }

    /// A frame goes into the queue.
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

    /// The client has everything up to a number; nobody has what was not written yet.
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

    /// The queue for a new socket: the number of the first unacknowledged message, then all of them.
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
