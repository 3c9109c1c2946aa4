//! Server-sent events and long polling: what a client sends comes by POST, what it hears by GET
//! (protocol.md, "Transports").

use crate::signalr::connection::{Connection, Ending};
use crate::signalr::frame;
use crate::signalr::hub::Hub;
use crate::signalr::registry::Client;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::poll_fn as stream_fn;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Pieces of bodies that may wait for the connection; a POST waits while there are more.
const PIECES: usize = 1;

/// One connection over a http transport, as its requests see it.
pub struct HttpTransport {
    client: Arc<Client>,
    inbound: mpsc::Sender<Bytes>,
    /// The connection is over; what it said last may still wait to be fetched.
    ended: CancellationToken,
    aborted: AtomicBool,
    /// The client asked for the end.
    deleted: AtomicBool,
    /// Its client polls, and so hears of the end by a poll; a stream just ends.
    polled: bool,
    /// Cancelled by a newer poll.
    present_poll: Mutex<CancellationToken>,
    /// Polls take turns.
    turn: tokio::sync::Mutex<()>,
    idle_since: Mutex<Option<Instant>>,
}

/// What a poll brings.
#[derive(Debug, PartialEq, Eq)]
pub enum Polled {
    Data(Vec<u8>),
    /// Nothing came in time; the client polls again.
    Nothing,
    /// A newer poll came, or the connection is over.
    Over,
}

impl HttpTransport {
    /// Starts a connection; `idle` is how long it may be without a poll, where it is polled at all.
    /// `early` was sent before it was opened.
    pub fn start<H: Hub>(
        mut connection: Connection<H>,
        client: Arc<Client>,
        early: &[u8],
        idle: Option<Duration>,
    ) -> Arc<Self> {
        connection.feed(early);
        let (inbound, mut pieces) = mpsc::channel::<Bytes>(PIECES);
        let http = Arc::new(HttpTransport {
            client,
            inbound,
            ended: CancellationToken::new(),
            aborted: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            polled: idle.is_some(),
            present_poll: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            idle_since: Mutex::new(Some(Instant::now())),
        });
        let own = http.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            poll_fn(|context| {
                own.client.outbox.register_owner(context);
                loop {
                    while tick.poll_tick(context).is_ready() {}
                    if own.is_idle_for(idle) {
                        own.aborted.store(true, Ordering::Release);
                    }
                    if own.aborted.load(Ordering::Acquire) {
                        return Poll::Ready(Ending::Gone);
                    }
                    if own.deleted.load(Ordering::Acquire) {
                        connection.end();
                    }
                    if let Poll::Ready(ending) = connection.poll(context) {
                        return Poll::Ready(ending);
                    }
                    if !connection.wants_input() {
                        return Poll::Pending;
                    }
                    match pieces.poll_recv(context) {
                        Poll::Ready(Some(piece)) => connection.feed(&piece),
                        Poll::Ready(None) => return Poll::Ready(Ending::Gone),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await;
            if own.aborted.load(Ordering::Acquire) {
                // Nobody is left to fetch what waits.
                own.client.outbox.clear();
            }
            own.ended.cancel();
            own.client.outbox.wake();
        });
        http
    }

    /// Hands over what a client sent; waits while too much waits. False if the connection is over
    /// and not even polled any more: a client that polls is told of the end by its poll.
    pub async fn send(&self, piece: Bytes) -> bool {
        tokio::select! {
            sent = self.inbound.send(piece) => sent.is_ok() || self.polled,
            () = self.ended.cancelled() => self.polled,
        }
    }

    /// Ends the connection at its client's wish; a poll that waits gets the last message.
    pub fn delete(&self) {
        self.deleted.store(true, Ordering::Release);
        self.client.outbox.wake();
    }

    /// Ends the connection of a client that is gone.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.client.outbox.wake();
    }

    /// Its token is worth nothing any more: it was ended from outside, or nobody has to be told of
    /// its end.
    pub fn is_gone(&self) -> bool {
        self.aborted.load(Ordering::Acquire) || (self.ended.is_cancelled() && !self.polled)
    }

    /// The connection is over and nothing it said waits any more.
    pub fn is_over(&self) -> bool {
        self.ended.is_cancelled() && self.client.outbox.is_empty()
    }

    /// One long poll: what waits, or what comes within a time.
    pub async fn poll(&self, within: Duration) -> Polled {
        let own = CancellationToken::new();
        std::mem::replace(
            &mut *self
                .present_poll
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            own.clone(),
        )
        .cancel();
        let _turn = self.turn.lock().await;
        let _busy = Busy::new(self);
        tokio::select! {
            biased;
            () = own.cancelled() => Polled::Over,
            data = poll_fn(|context| self.poll_take(context)) => match data {
                Some(data) => Polled::Data(data),
                None => Polled::Over,
            },
            () = tokio::time::sleep(within) => Polled::Nothing,
        }
    }

    /// Everything that waits; `None` once the connection is over and all was fetched.
    fn poll_take(&self, context: &mut std::task::Context<'_>) -> Poll<Option<Vec<u8>>> {
        // Asked before looking: what comes between the two wakes us.
        let ended = self.ended.is_cancelled();
        let frames = self.client.outbox.take(context);
        if frames.is_empty() {
            return if ended {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        }
        Poll::Ready(Some(
            frames
                .iter()
                .flat_map(|frame| frame::payload(frame))
                .copied()
                .collect(),
        ))
    }

    /// The stream of server-sent events; dropping it ends the connection.
    pub fn events(self: Arc<Self>) -> impl Stream<Item = Bytes> + Send {
        let end = AbortOnDrop(self);
        let mut opened = false;
        stream_fn(move |context| {
            if !std::mem::replace(&mut opened, true) {
                // Opens the client's event source before there is anything to say.
                return Poll::Ready(Some(Bytes::from_static(b":\r\n")));
            }
            end.0
                .poll_take(context)
                .map(|data| data.map(|data| event(&data)))
        })
    }

    fn is_idle_for(&self, limit: Option<Duration>) -> bool {
        let idle = *self
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        limit
            .zip(idle)
            .is_some_and(|(limit, idle)| idle.elapsed() > limit)
    }
}

/// One event: each line of the data after `data: `.
fn event(data: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(data.len() + 16);
    let mut lines = data.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        event.extend_from_slice(b"data: ");
        // A carriage return belongs to the end of a line only before a line feed.
        let ends = lines.peek().is_some();
        let ending = line.strip_suffix(b"\r").filter(|_| ends);
        event.extend_from_slice(ending.unwrap_or(line));
        event.extend_from_slice(b"\r\n");
    }
    event.extend_from_slice(b"\r\n");
    event.into()
}

/// Ends the connection when the stream that carries it is dropped.
struct AbortOnDrop(Arc<HttpTransport>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A poll is under way, so the connection is not idle.
struct Busy<'h>(&'h HttpTransport);

impl<'h> Busy<'h> {
    fn new(http: &'h HttpTransport) -> Self {
        *http
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        Busy(http)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *self
            .0
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
