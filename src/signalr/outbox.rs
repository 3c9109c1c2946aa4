//! What waits to be written to one connection: a bounded queue of shared frames, flushed in one `writev`.
//!
//! Whoever has frames for many connections pushes them all first and flushes afterwards, so that
//! frames that come together leave together: one system call, not one each. On a plain socket the
//! flush happens right there; the connection's own task is woken only where the socket is full.

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

/// How much may wait for one connection before it is closed as too slow.
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

/// What became of a frame that was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// Nothing waits before it: the caller owes a [`flush`](Outbox::flush).
    First,
    /// The connection's task will come to it, or it was one too many.
    Waits,
    /// So do thousands before it, for a client that reads.
    Behind,
}

/// The queue in front of one connection's socket.
pub struct Outbox {
    queue: Mutex<FrameQueue>,
    limits: OutboxLimits,
    overflowed: AtomicBool,
    /// Wakes whoever writes.
    waker: AtomicWaker,
    /// Wakes the connection, where another task writes.
    owner: AtomicWaker,
    budget: Arc<MemoryBudget>,
}

/// Frames, and their bytes, that may be queued before they are counted with what all clients hold.
const UNCOUNTED: usize = 64;
const UNCOUNTED_BYTES: usize = 16 << 10;

impl Outbox {
    /// `direct` is the socket where frames go as they are; without it only the connection's task writes.
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

    /// Queues a frame that does not count where a client may come back: a ping, a close, an acknowledgement.
    pub fn push_control(&self, frame: Bytes) -> Queued {
        self.queue(frame, false)
    }

    /// Writes a frame now where nothing waits before it, as far as the socket takes it; what it does
    /// not take waits. True as of [`flush`](Self::flush).
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

    /// Writes what waits, as far as the socket takes it; the rest is left to the connection's task. True where
    /// thousands still wait for a client that reads.
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
                // The shorter way through the kernel.
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

    /// The connection's task: registers to be woken, and writes through `write` until all is
    /// written (true) or the socket is full (false).
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

    /// Whether more was pushed than may wait.
    pub fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Wakes the connection's tasks.
    pub fn wake(&self) {
        self.waker.wake();
        self.owner.wake();
    }

    /// Wakes whoever writes.
    pub fn wake_writer(&self) {
        self.waker.wake();
    }

    /// Registers the connection's task, where another one writes.
    pub fn register_owner(&self, context: &Context<'_>) {
        self.owner.register(context.waker());
    }

    /// Takes all frames that wait, and registers the taker to be woken by the next.
    pub fn take(&self, context: &Context<'_>) -> VecDeque<Bytes> {
        self.waker.register(context.waker());
        let mut queue = self.lock();
        queue.bytes = 0;
        let frames = std::mem::take(&mut queue.frames);
        self.recount(&mut queue);
        drop(queue);
        if !frames.is_empty() {
            // There is room again for who produces.
            self.owner.wake();
        }
        frames
    }

    /// How much waits to be written.
    pub fn waiting_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Whether something was written since this was last asked.
    pub fn made_room(&self) -> bool {
        std::mem::take(&mut self.lock().wrote)
    }

    pub fn is_empty(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// Drops all that waits but a frame that is on its way, and takes frames again.
    pub fn clear(&self) {
        let mut queue = self.lock();
        let begun = queue.begun.then(|| queue.frames.pop_front()).flatten();
        queue.bytes = begun.as_ref().map_or(0, Bytes::len);
        queue.frames = begun.into_iter().collect();
        queue.replay = None;
        self.recount(&mut queue);
        self.overflowed.store(false, Ordering::Relaxed);
    }

    /// The connection is over: lets go of the socket, which methods that still run must not keep
    /// open, and takes no more frames.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.direct = None;
    }

    fn lock(&self) -> MutexGuard<'_, FrameQueue> {
        // A panic elsewhere leaves the queue whole: every change to it is a single step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.recount(&mut queue.counted, 0);
    }
}
