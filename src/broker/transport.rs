//! The socket under the AMQP library: what comes in passes the [`Envelope`], and stops coming while
//! too much of it waits to be handled.

use super::envelope::{Envelope, EnvelopeReader, HEARTBEAT_FRAME};
use crate::socket::ByteStream;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_util::Stream;
use futures_util::task::AtomicWaker;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// Bytes that one system call reads.
const READ: usize = 64 << 10;
/// How often the library hears from the server while nothing is read: it would take silence for a
/// lost connection.
const STILL_THERE: Duration = Duration::from_secs(4);

/// Bodies that were read and are not handled yet.
#[derive(Debug)]
pub(super) struct InFlight {
    bytes: AtomicU64,
    most: u64,
    reader: AtomicWaker,
}

impl InFlight {
    fn new(reader: EnvelopeReader) -> Arc<Self> {
        let most = match reader {
            // Room for a body of the largest size beside one that is handled.
            EnvelopeReader::Hub { body_bytes } => body_bytes.saturating_mul(2),
            EnvelopeReader::Operator => u64::MAX,
        };
        Arc::new(InFlight {
            bytes: AtomicU64::new(0),
            most,
            reader: AtomicWaker::new(),
        })
    }

    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) > self.most
    }

    /// A body is handled.
    pub(super) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::AcqRel);
        self.reader.wake();
    }
}

/// A connection with what it lets in.
pub(super) struct Guarded<S> {
    stream: S,
    envelope: Envelope,
    in_flight: Arc<InFlight>,
    read: Box<[u8]>,
    /// Rewritten frames, and how much of them the library has taken.
    ready: Vec<u8>,
    taken: usize,
    still_there: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, reader: EnvelopeReader) -> Self {
        Guarded {
            stream,
            envelope: Envelope::new(reader),
            in_flight: InFlight::new(reader),
            read: vec![0; READ].into_boxed_slice(),
            ready: Vec::new(),
            taken: 0,
            still_there: None,
        }
    }

    pub(super) fn in_flight(&self) -> Arc<InFlight> {
        self.in_flight.clone()
    }

    /// Waits until bodies are handled, with a heartbeat now and then.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.in_flight.is_full() {
            self.still_there = None;
            return Poll::Ready(());
        }
        self.in_flight.reader.register(context.waker());
        if !self.in_flight.is_full() {
            return Poll::Ready(());
        }
        let sleep = self
            .still_there
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(STILL_THERE)));
        ready!(sleep.as_mut().poll(context));
        self.still_there = None;
        self.ready.extend_from_slice(&HEARTBEAT_FRAME);
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.taken == this.ready.len() {
            (this.taken, this.ready) = (0, reuse(std::mem::take(&mut this.ready)));
            ready!(this.poll_room(context));
            if !this.ready.is_empty() {
                break;
            }
            let mut read = ReadBuf::new(&mut this.read);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let announced = this.envelope.feed(read.filled(), &mut this.ready);
            this.in_flight.bytes.fetch_add(announced, Ordering::AcqRel);
        }
        let fits = buffer.remaining().min(this.ready.len() - this.taken);
        buffer.put_slice(&this.ready[this.taken..this.taken + fits]);
        this.taken += fits;
        Poll::Ready(Ok(()))
    }
}

/// The same memory, emptied; what one large frame needed is given back.
fn reuse(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    if buffer.capacity() > 2 * READ {
        buffer = Vec::new();
    }
    buffer
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What the library reads from and writes to.
pub(super) type GuardedSocket = Compat<Guarded<Box<dyn ByteStream>>>;

pub(super) fn for_library(guarded: Guarded<Box<dyn ByteStream>>) -> GuardedSocket {
    guarded.compat()
}

/// Tokio, as the library wants to be given it: only the type of sockets is ours, and it makes none
/// itself.
#[derive(Debug, Clone)]
pub(super) struct GuardedTokio(Tokio);

pub(super) fn runtime() -> Runtime<GuardedTokio> {
    Runtime::new(GuardedTokio(Tokio::current()))
}

impl RuntimeKit for GuardedTokio {}

impl Executor for GuardedTokio {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        // Boxed: the library has thirty kinds of it, and the runtime's code is compiled for each.
        let future: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(future);
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for GuardedTokio {
    type TcpStream = GuardedSocket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<
        impl futures_util::io::AsyncRead + futures_util::io::AsyncWrite + Send + Unpin + 'static,
    > {
        Err::<GuardedSocket, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
