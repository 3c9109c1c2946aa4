//! What waits to be written to one connection: a bounded queue of shared frames, flushed in one `writev`.
//!
//! Whoever has frames for many connections pushes them all first and flushes afterwards, so that
//! frames that come together leave together: one system call, not one each. On a plain socket the
//! flush happens right there; the connection's own task is woken only where the socket is full.

use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use tokio::net::TcpStream;

/// Frames that one system call takes.
const FRAMES_PER_WRITE: usize = 64;

/// How much may wait for one connection before it is closed as too slow.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    pub messages: usize,
    pub bytes: usize,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        OutboxLimits { messages: 16_384, bytes: 16 << 20 }
    }
}

/// The queue in front of one connection's socket.
pub struct Outbox {
    queue: Mutex<Queue>,
    limits: OutboxLimits,
    overflowed: AtomicBool,
    /// Wakes whoever writes.
    waker: AtomicWaker,
    /// Wakes the connection, where another task writes.
    owner: AtomicWaker,
    direct: Option<Arc<TcpStream>>,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The first frame is written in part.
    begun: bool,
}

impl Outbox {
    /// `direct` is the socket where frames go as they are; without it only the connection's task writes.
    pub fn new(limits: OutboxLimits, direct: Option<Arc<TcpStream>>) -> Self {
        Outbox {
            queue: Mutex::default(),
            limits,
            overflowed: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            owner: AtomicWaker::new(),
            direct,
        }
    }

    /// Queues a frame without writing it. True where the queue was empty: the caller owes a [`flush`](Self::flush).
    pub fn push(&self, frame: Bytes) -> bool {
        let mut queue = self.lock();
        if queue.frames.len() >= self.limits.messages || queue.bytes + frame.len() > self.limits.bytes {
            drop(queue);
            self.overflowed.store(true, Ordering::Relaxed);
            self.wake();
            return false;
        }
        let first = queue.frames.is_empty();
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        first
    }

    /// Writes what waits, as far as the socket takes it; the rest is left to the connection's task.
    pub fn flush(&self) {
        let Some(socket) = &self.direct else { return self.waker.wake() };
        let mut queue = self.lock();
        let flushed = loop {
            match queue.write(|slices| socket.try_write_vectored(slices)) {
                Ok(true) => break true,
                Ok(false) => {}
                Err(_) => break false,
            }
        };
        drop(queue);
        if !flushed {
            self.waker.wake();
        }
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
        loop {
            match queue.write(|slices| write(context, slices)) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
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
        std::mem::take(&mut queue.frames)
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
        self.overflowed.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves the queue whole: every change to it is a single step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// One write of as much as fits into it; true once nothing is left.
    fn write(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<bool> {
        if self.frames.is_empty() {
            // An idle connection holds no buffer.
            self.frames = VecDeque::new();
            return Ok(true);
        }
        let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
        let count = self.frames.len().min(FRAMES_PER_WRITE);
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame);
        }
        let mut written = write(&slices[..count])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes -= written;
        while let Some(front) = self.frames.front_mut() {
            if written < front.len() {
                front.advance(written);
                self.begun |= written > 0;
                break;
            }
            written -= front.len();
            self.frames.pop_front();
            self.begun = false;
        }
        Ok(self.frames.is_empty() && {
            self.frames = VecDeque::new();
            true
        })
    }
}
