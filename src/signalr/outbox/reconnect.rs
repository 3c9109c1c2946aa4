//! Keeping frames for a client that comes back on another socket (protocol.md, "Stateful
//! reconnect").

use super::Outbox;
use super::queue::FrameQueue;
use super::replay::Replay;
use bytes::Bytes;

impl Outbox {
    /// From now on keeps numbered frames until the client acknowledges them. At most `limit` bytes
    /// are written without an acknowledgement.
    pub fn keep_for_replay(&self, limit: usize) {
        let mut queue = self.lock();
        // The handshake response, which is queued already, is not numbered.
        queue.replay = Some(Box::new(Replay::new(limit, queue.frames.len())));
    }

    /// The client has received all numbered frames up to `number`.
    pub fn acknowledge(&self, number: i64) {
        let mut queue = self.lock();
        let Some(replay) = &mut queue.replay else {
            return;
        };
        replay.acknowledge(number);
        drop(queue);
        self.wake();
    }

    /// Starts again on a new socket: first the frame with the number of the first unacknowledged
    /// message, then all unacknowledged messages.
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
