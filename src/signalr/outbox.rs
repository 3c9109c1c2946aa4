//! The send queue of one connection: bounded, with frames shared between connections, and flushed
//! in one `writev`.
//!
//! A sender with frames for many connections pushes all of them first and flushes afterwards, so
//! that frames that arrive together leave in one system call. On a plain socket the sender flushes;
//! it wakes the connection's own task only if the socket is full.

mod queue;
mod reconnect;
mod replay;

use crate::signalr::budget::MemoryBudget;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use queue::FrameQueue;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use tokio::net::TcpStream;

/// How much may wait for one connection. A connection that exceeds it is closed as too slow.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    pub messages: usize,
    pub bytes: usize,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        OutboxLimits {
            messages: 65_536,
            bytes: 16 << 20,
        }
    }
}

/// The state of the queue after a frame was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// The frame is the first: the caller must [`flush`](Outbox::flush).
    First,
    /// The connection's task will write it, or the queue was full.
    Waits,
    /// Thousands of frames wait before it, and the client is reading.
    Behind,
}

/// The queue in front of one connection's socket.
pub struct Outbox {
    queue: Mutex<FrameQueue>,
    limits: OutboxLimits,
    overflowed: AtomicBool,
    /// Wakes the task that writes.
    waker: AtomicWaker,
    /// Wakes the connection's task if another task writes.
    owner: AtomicWaker,
    budget: Arc<MemoryBudget>,
}

/// A queue below these limits is not counted towards the budget of all connections.
const UNCOUNTED: usize = 64;
const UNCOUNTED_BYTES: usize = 16 << 10;

impl Outbox {
    /// `direct` is a plain socket that senders may write to; without it only the connection's task
    /// writes.
    pub fn new(
        limits: OutboxLimits,
        direct: Option<Arc<TcpStream>>,
        budget: Arc<MemoryBudget>,
    ) -> Self {
        Outbox {
            queue: Mutex::new(FrameQueue {
                direct,
                ..FrameQueue::default()
            }),
            limits,
            overflowed: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            owner: AtomicWaker::new(),
            budget,
        }
    }

    /// Queues a frame without writing it.
    pub fn push(&self, frame: Bytes) -> Queued {
        self.queue(frame, true)
    }

    /// Queues a frame that is not numbered for stateful reconnect: a ping, a close, an
    /// acknowledgement.
    pub fn push_control(&self, frame: Bytes) -> Queued {
        self.queue(frame, false)
    }

    /// Writes a frame at once if the queue is empty, and queues what the socket does not accept.
    /// Returns what [`flush`](Self::flush) returns.
    pub fn send(&self, frame: &Bytes) -> bool {
        let mut queue = self.lock();
        if queue.is_idle()
            && let Some(socket) = &queue.direct
            && let Ok(written @ 1..) = SockRef::from(&**socket).send(frame)
        {
            queue.wrote = true;
            if written < frame.len() {
                queue.begin(frame.slice(written..));
                drop(queue);
                self.waker.wake();
            }
            return false;
        }
        drop(queue);
        match self.push(frame.clone()) {
            Queued::First => self.flush(),
            queued => queued == Queued::Behind,
        }
    }

    fn queue(&self, frame: Bytes, counted: bool) -> Queued {
        if frame.is_empty() {
            return Queued::Waits;
        }
        let mut queue = self.lock();
        if queue.closed {
            return Queued::Waits;
        }
        let full = queue.frames.len() >= self.limits.messages
            || queue.bytes + frame.len() > self.limits.bytes;
        if full || (queue.counted > 0 && self.budget.is_too_much(queue.cost())) {
            drop(queue);
            self.overflowed.store(true, Ordering::Relaxed);
            self.wake();
            return Queued::Waits;
        }
        let first = queue.frames.is_empty();
        queue.bytes += frame.len();
        if let Some(replay) = &mut queue.replay {
            replay.queued(&frame, counted);
        }
        queue.frames.push_back(frame);
        if queue.frames.len().is_multiple_of(UNCOUNTED)
            || queue.bytes > queue.counted + UNCOUNTED_BYTES
        {
            self.recount(&mut queue);
        }
        match first {
            true => Queued::First,
            false if queue.is_behind() => Queued::Behind,
            false => Queued::Waits,
        }
    }

    fn recount(&self, queue: &mut FrameQueue) {
        let now = queue.cost();
        self.budget.recount(&mut queue.counted, now);
    }

    /// Writes as much as the socket accepts; the connection's task writes the rest. Returns true if
    /// thousands of frames still wait for a client that is reading.
    pub fn flush(&self) -> bool {
        let mut queue = self.lock();
        let Some(socket) = queue.direct.take() else {
            let behind = queue.is_behind();
            drop(queue);
            self.waker.wake();
            return behind;
        };
        let flushed = loop {
            match queue.write(|slices| match slices {
                // For one frame, `send` does less work in the kernel than `writev`.
                [frame] => SockRef::from(&*socket).send(frame),
                frames => socket.try_write_vectored(frames),
            }) {
                Ok(true) => break true,
                Ok(false) => {}
                Err(_) => break false,
            }
        };
        queue.direct = Some(socket);
        if queue.counted > 0 {
            self.recount(&mut queue);
        }
        let behind = queue.is_behind();
        drop(queue);
        if !flushed {
            self.waker.wake();
        }
        behind
    }

    /// For the connection's task: registers its waker and writes through `write`. Returns true if
    /// everything is written, false if the socket is full.
    pub fn poll_flush(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&mut Context<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        self.waker.register(context.waker());
        let mut queue = self.lock();
        let written = loop {
            match queue.write(|slices| write(context, slices)) {
                Ok(true) => break Ok(true),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        if queue.counted > 0 || queue.replay.is_some() {
            self.recount(&mut queue);
        }
        written
    }

    /// Whether a frame was dropped because the queue was full.
    pub fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Wakes the connection's tasks.
    pub fn wake(&self) {
        self.waker.wake();
        self.owner.wake();
    }

    /// Wakes the task that writes.
    pub fn wake_writer(&self) {
        self.waker.wake();
    }

    /// Registers the connection's task if another task writes.
    pub fn register_owner(&self, context: &Context<'_>) {
        self.owner.register(context.waker());
    }

    /// Takes all queued frames and registers the caller to be woken by the next one.
    pub fn take(&self, context: &Context<'_>) -> VecDeque<Bytes> {
        self.waker.register(context.waker());
        let mut queue = self.lock();
        queue.bytes = 0;
        let frames = std::mem::take(&mut queue.frames);
        self.recount(&mut queue);
        drop(queue);
        if !frames.is_empty() {
            // A stream that waits for room may go on.
            self.owner.wake();
        }
        frames
    }

    /// The bytes in the queue.
    pub fn waiting_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether something was written since the last call.
    pub fn made_room(&self) -> bool {
        std::mem::take(&mut self.lock().wrote)
    }

    pub fn is_empty(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// Drops all queued frames except one that is partly written, and accepts frames again.
    pub fn clear(&self) {
        let mut queue = self.lock();
        let begun = queue.begun.then(|| queue.frames.pop_front()).flatten();
        queue.bytes = begun.as_ref().map_or(0, Bytes::len);
        queue.frames = begun.into_iter().collect();
        queue.replay = None;
        self.recount(&mut queue);
        self.overflowed.store(false, Ordering::Relaxed);
    }

    /// Ends the queue: accepts no more frames and releases the socket, so that methods that still
    /// run do not keep it open.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.direct = None;
    }

    fn lock(&self) -> MutexGuard<'_, FrameQueue> {
        // A panic elsewhere cannot leave the queue half changed: each change is a single step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.recount(&mut queue.counted, 0);
    }
}
