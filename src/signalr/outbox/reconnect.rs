//! Keeping frames for a client that comes back on another socket (protocol.md, "Stateful reconnect").

use super::Outbox;
use super::queue::FrameQueue;
use super::replay::Replay;
use bytes::Bytes;

impl Outbox {
    /// From now on counted frames are kept until they are acknowledged; at most `limit` bytes of
    /// them are under way at a time.
    pub fn keep_for_replay(&self, limit: usize) {
        let mut queue = self.lock();
        // What waits already, the handshake's answer, does not count.
        queue.replay = Some(Box::new(Replay::new(limit, queue.frames.len())));
    }

    /// The client has all counted frames up to a number.
    pub fn acknowledge(&self, number: i64) {
        let mut queue = self.lock();
        let Some(replay) = &mut queue.replay else {
            return;
        };
        replay.acknowledge(number);
        drop(queue);
        self.wake();
    }

    /// Begins again on a new socket: the frame that tells the number of the first unacknowledged
    /// message, then all of them.
    pub fn replay(&self, sequence: impl FnOnce(i64) -> Bytes) {
        let mut queue = self.lock();
        let FrameQueue {
            frames,
            bytes,
            begun,
            replay: Some(replay),
            ..
        } = &mut *queue
        else {
            return;
        };
        *frames = replay.restart(sequence);
        *bytes = frames.iter().map(Bytes::len).sum();
        *begun = false;
    }
}
