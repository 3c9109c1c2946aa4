//! A stream whose peer must read what is sent to it: responses have a minimum rate, as Kestrel's
//! have. Without it a client that never reads keeps its response in memory for ever. What it has
//! sent and was not answered yet counts with what all clients make the server hold.

use crate::signalr::budget::{Account, MemoryBudget};
use crate::signalr::request::MAXIMUM_HEAD;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Bytes a second, and the time before they are asked for: Kestrel's defaults, both ways.
const MINIMUM_RATE: u64 = 240;
const GRACE: Duration = Duration::from_secs(5);

/// Bytes of a request that are not counted: most have no more.
const UNCOUNTED: usize = 2 << 10;

/// When so many bytes must have been moved since `since`.
pub fn deadline(since: Instant, bytes: u64) -> Instant {
    since + GRACE + Duration::from_millis(bytes * 1000 / MINIMUM_RATE)
}

pub struct Paced<S> {
    stream: S,
    /// Set while the peer reads more slowly than is written.
    blocked: Option<Blocked>,
    /// Bytes that were read since something was written: no more of them are kept than a head.
    unanswered: usize,
    account: Account,
}

struct Blocked {
    since: Instant,
    written: u64,
    timer: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub fn new(stream: S, budget: Arc<MemoryBudget>) -> Self {
        Paced {
            stream,
            blocked: None,
            unanswered: 0,
            account: Account::new(budget),
        }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Counts what was read; an error if clients make the server hold too much.
    fn count(&mut self, read: usize) -> io::Result<()> {
        self.unanswered = self.unanswered.saturating_add(read).min(MAXIMUM_HEAD);
        if self.unanswered > UNCOUNTED && !self.account.set(self.unanswered) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(())
    }

    /// Looks at the clock after a write.
    fn check(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Ok(1..)), 1..) = (&result, self.unanswered) {
            self.unanswered = 0;
            self.account.set(0);
        }
        match (&mut self.blocked, &result) {
            (Some(blocked), Poll::Ready(Ok(written))) => {
                blocked.written += *written as u64;
                let until = deadline(blocked.since, blocked.written);
                blocked.timer.as_mut().reset(until);
            }
            (None, Poll::Pending) => {
                let since = Instant::now();
                self.blocked = Some(Blocked {
                    since,
                    written: 0,
                    timer: Box::pin(tokio::time::sleep_until(deadline(since, 0))),
                });
            }
            _ => {}
        }
        let late = |blocked: &mut Blocked| blocked.timer.as_mut().poll(context).is_ready();
        if result.is_pending() && self.blocked.as_mut().is_some_and(late) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.count(buffer.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.check(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.blocked = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
