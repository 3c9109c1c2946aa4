//! Runs a connection over a WebSocket, and over further sockets if its client may reconnect.

use crate::signalr::connection::{Connection, Ending};
use crate::signalr::frame::{Decoder, Event, FrameError, close_frame, pong_frame};
use crate::signalr::hub::Hub;
use crate::signalr::transport::socket::ClientSocket;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Sleep;

thread_local! {
    /// One read buffer a thread, not one a connection: what stays unread is copied out of it.
    static READ_BUFFER: std::cell::RefCell<Box<[u8]>> = std::cell::RefCell::new(vec![0; 16 << 10].into());
}

/// Runs a connection over a WebSocket until it is over. `early` came behind the upgrade request;
/// `further` brings other sockets where the client may come back.
pub async fn run_websocket<H: Hub>(
    connection: Connection<H>,
    socket: ClientSocket,
    early: &[u8],
    further: Option<Further>,
) {
    let mut websocket = WebSocket {
        connection,
        socket,
        decoder: Decoder::default(),
        closing: None,
        peer_closed: false,
        farewell: None,
        stuck: None,
    };
    if !early.is_empty() {
        websocket.take(&mut early.to_vec());
    }
    match further {
        // Apart, so that the many that do not come back pay nothing for those that may.
        Some(further) => Box::pin(run_resumable(websocket, further)).await,
        None => drop(poll_fn(|context| websocket.poll(context)).await),
    }
}

async fn run_resumable<H: Hub>(mut websocket: WebSocket<H>, mut further: Further) {
    let timeout = websocket.connection.options().disconnect_timeout;
    loop {
        let end = poll_fn(
            |context| match further.poll(context, &websocket.connection) {
                Poll::Ready(handover) => Poll::Ready(End::Moved(handover)),
                Poll::Pending => websocket.poll(context),
            },
        );
        let next = match end.await {
            End::Over => None,
            End::Moved(handover) => Some(handover),
            End::Dropped => {
                let mut waiting = timer(timeout);
                poll_fn(|context| {
                    if let Poll::Ready(handover) = further.poll(context, &websocket.connection) {
                        return Poll::Ready(Some(handover));
                    }
                    if waiting.as_mut().poll(context).is_ready()
                        || websocket.connection.poll(context).is_ready()
                    {
                        return Poll::Ready(None);
                    }
                    Poll::Pending
                })
                .await
            }
        };
        let Some((socket, early)) = next else { return };
        websocket.go_on(socket, early);
    }
}

/// The sockets that a client may come back on.
pub struct Further {
    pub sockets: mpsc::Receiver<Handover>,
}

impl Further {
    fn poll<H: Hub>(
        &mut self,
        context: &mut Context<'_>,
        connection: &Connection<H>,
    ) -> Poll<Handover> {
        match self.sockets.poll_recv(context) {
            Poll::Ready(Some(handover)) if connection.is_resumable() => Poll::Ready(handover),
            // One that may not go on is dropped; the table's sender keeps the channel open.
            Poll::Ready(_) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A new socket for a connection that continues, and the bytes that followed its upgrade.
pub type Handover = (ClientSocket, Vec<u8>);

/// How a socket came to its end.
enum End {
    /// The connection with it.
    Over,
    /// Without a word: the connection may go on over another.
    Dropped,
    Moved(Handover),
}

struct WebSocket<H: Hub> {
    connection: Connection<H>,
    socket: ClientSocket,
    decoder: Decoder,
    /// Set once our close frame is queued: how long the peer may take to answer.
    closing: Option<Pin<Box<Sleep>>>,
    peer_closed: bool,
    /// The code to close with once all that came before is acted on.
    farewell: Option<u16>,
    /// Set while the socket takes nothing: how long it may go on so.
    stuck: Option<Pin<Box<Sleep>>>,
}

/// What a read brought that matters beyond its data.
enum Breach {
    Frame(FrameError),
    Closed,
}

impl From<FrameError> for Breach {
    fn from(error: FrameError) -> Self {
        Breach::Frame(error)
    }
}

impl<H: Hub> WebSocket<H> {
    /// Takes another socket, and begins anew on it.
    fn go_on(&mut self, socket: ClientSocket, mut early: Vec<u8>) {
        self.socket = socket;
        self.decoder = Decoder::default();
        (self.closing, self.farewell, self.stuck) = (None, None, None);
        self.connection.resumed();
        self.take(&mut early);
    }

    /// The peer is gone: for good, unless the connection may go on.
    fn gone(&self) -> End {
        if self.closing.is_none() && self.connection.is_resumable() {
            End::Dropped
        } else {
            End::Over
        }
    }

    /// Ready when the socket can be dropped.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if self.closing.is_none() {
                match (self.connection.poll(context), self.farewell.take()) {
                    (Poll::Ready(Ending::Gone), _) => return Poll::Ready(End::Over),
                    (Poll::Ready(Ending::Stopping), _) => self.close(1001),
                    (Poll::Ready(_), code) => self.close(code.unwrap_or(1000)),
                    (Poll::Pending, Some(code)) => self.close(code),
                    (Poll::Pending, None) => {}
                }
            }
            let written = match self.poll_write(context) {
                Ok(written) => written,
                Err(_) => return Poll::Ready(self.gone()),
            };
            if self.peer_closed && written {
                return Poll::Ready(End::Over);
            }
            if written
                && self.connection.is_sending_streams()
                && self.connection.client().outbox.made_room()
            {
                // Streams that waited for room go on.
                continue;
            }
            let overdue = [&mut self.closing, &mut self.stuck]
                .into_iter()
                .any(|timer| {
                    timer
                        .as_mut()
                        .is_some_and(|timer| timer.as_mut().poll(context).is_ready())
                });
            if overdue {
                return Poll::Ready(self.gone());
            }
            if self.closing.is_none() && !self.connection.wants_input() {
                return Poll::Pending;
            }
            match self.poll_read(context) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(self.gone()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Writes what waits; true when all is written.
    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let socket = &mut self.socket;
        let mut progress = false;
        let written = self
            .connection
            .client()
            .outbox
            .poll_flush(context, |context, slices| {
                match socket.poll_write(context, slices) {
                    Poll::Ready(result) => {
                        progress = true;
                        result
                    }
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            })?;
        let flushed = match socket.poll_flush(context) {
            Poll::Ready(result) => result.map(|()| true)?,
            Poll::Pending => false,
        };
        if written || progress {
            self.stuck = None;
        }
        if !written && self.stuck.is_none() {
            self.stuck = Some(timer(self.connection.options().send_timeout));
        }
        Ok(written && flushed)
    }

    /// Reads once; false when the peer is gone.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let length = match ready!(self.socket.poll_read(context, buffer)) {
                Ok(0) | Err(_) => return Poll::Ready(false),
                Ok(length) => length,
            };
            self.take(&mut buffer[..length]);
            Poll::Ready(true)
        })
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let closing = self.closing.is_some();
        let connection = &mut self.connection;
        let result = self.decoder.feed(bytes, |event| match event {
            // After our close frame only the peer's is of interest.
            Event::Data(_) | Event::Ping(_) if closing => Ok(()),
            Event::Data(data) => {
                connection.feed(data);
                Ok(())
            }
            Event::Ping(payload) => {
                connection
                    .client()
                    .outbox
                    .push_control(pong_frame(payload).into());
                Ok(())
            }
            Event::Close => Err(Breach::Closed),
        });
        match result {
            Ok(()) => {}
            Err(Breach::Closed) => {
                self.peer_closed = true;
                if !closing {
                    // Whatever code came, as ASP.NET Core does.
                    self.farewell = Some(1000);
                }
            }
            Err(Breach::Frame(error)) => {
                tracing::debug!(%error, "a WebSocket is closed");
                self.peer_closed = true; // nothing more that it says can be understood
                if !closing {
                    self.farewell = Some(error.close_code());
                }
            }
        }
    }

    fn close(&mut self, code: u16) {
        self.connection
            .client()
            .outbox
            .push_control(close_frame(code).into());
        self.closing = Some(timer(self.connection.options().close_timeout));
    }
}

fn timer(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(duration))
}
