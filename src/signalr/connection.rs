//! One client's connection, whatever carries its bytes: handshake, messages, keep-alive, end.
//!
//! A connection is a state machine written by hand, and not a task with a `select!` loop, for its
//! cost: there are up to a hundred thousand of them. One task polls the connection, its socket and
//! its running methods; nothing is allocated for a message that arrives, an idle connection holds no
//! read buffer and a single timer, and broadcasts are written to its socket without waking it. A
//! loop would need a future as large as its largest branch, a channel from its reader, and a wake
//! for each message.

mod handshake;
mod invocations;
mod running;

use crate::signalr::gate::Admitted;
use crate::signalr::hub::{Caller, Hub, OpeningRequest, Task};
use crate::signalr::outbox::Queued;
use crate::signalr::protocol::{Cut, Protocol, ProtocolError, ServerMessage};
use crate::signalr::registry::Client;
use crate::signalr::resume::Resume;
use crate::signalr::server::Server;
use crate::signalr::streams::Streams;
use crate::signalr::transport_type::TransportType;
use running::RunningInvocation;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Why a connection ends, which decides what its client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The handshake was refused, and the client told why.
    Refused,
    /// The client asked for it.
    Asked,
    /// It broke the protocol or fell silent.
    Error(Option<ProtocolError>),
    /// It did not read what was sent to it.
    Slow,
    /// Redis could not be told of it, or the hub refused it.
    Unreachable,
    /// The server stops.
    Stopping,
    /// The peer is gone; nobody is left to tell.
    Gone,
}

/// Bytes that may wait for a client before its streams pause.
const STREAM_ROOM: usize = 64 << 10;

/// Who opened a connection.
#[derive(Clone, Default)]
pub struct Visitor {
    /// Kept where the hub's methods ask for it.
    pub request: Option<Arc<OpeningRequest>>,
    /// When its token ends, and the connection with it.
    pub expires: Option<Instant>,
    /// Its place among those that were let in.
    pub admitted: Option<Arc<Admitted>>,
}

/// A client's state between its bytes coming in and frames going out through its outbox.
pub struct Connection<H: Hub> {
    server: Arc<Server<H>>,
    client: Arc<Client>,
    inbound: Vec<u8>,
    phase: Phase,
    timer: Pin<Box<Sleep>>,
    next_ping: Instant,
    /// When silence becomes an error; only a client that has pinged is held to it.
    silent_until: Option<Instant>,
    transport: TransportType,
    visitor: Visitor,
    /// Invocations under way.
    running: Vec<RunningInvocation>,
    streams: Option<Box<Streams>>,
    /// A message waits for room or for its turn, and what follows it with it.
    stalled: bool,
    /// The client negotiated that it may come back, and then did not take it back.
    resume: Option<Box<Resume>>,
    may_resume: bool,
    /// The second that began last, and the messages that came in it.
    pace: (Instant, u32),
    /// Methods whose failure was logged.
    complained: Vec<String>,
}

enum Phase {
    Handshake {
        until: Instant,
    },
    /// The backplane is told, then the hub.
    Connecting(Task<Result<(), Ending>>),
    Open,
    Ended,
}

impl<H: Hub> Connection<H> {
    pub fn new(
        server: Arc<Server<H>>,
        client: Arc<Client>,
        transport: TransportType,
        visitor: Visitor,
    ) -> Self {
        let now = Instant::now();
        let until = now + server.options.handshake_timeout;
        server
            .metrics
            .connections_opened
            .fetch_add(1, Ordering::Relaxed);
        server.clients.registry.add(client.clone());
        let raw = server.hub.raw().is_some();
        Connection {
            next_ping: now + server.options.keep_alive,
            timer: Box::pin(tokio::time::sleep_until(until)),
            phase: if raw {
                Phase::Open
            } else {
                Phase::Handshake { until }
            },
            inbound: Vec::new(),
            silent_until: None,
            transport,
            visitor,
            running: Vec::new(),
            streams: None,
            stalled: false,
            resume: None,
            may_resume: false,
            pace: (now, 0),
            complained: Vec::new(),
            server,
            client,
        }
    }

    /// The client may come back on another socket, if its handshake says that it can.
    pub fn offer_resume(&mut self) {
        self.may_resume = true;
    }

    /// Whether the connection outlives its socket.
    pub fn is_resumable(&self) -> bool {
        self.resume.is_some() && !self.is_over()
    }

    /// Whether it is at its end; its last words may still be on their way.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Whether its handshake is behind it.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Connecting(_))
    }

    /// Goes on over a new socket: what the client lacks is sent again, and half a message forgotten.
    pub fn resumed(&mut self) {
        self.inbound.clear();
        let (protocol, naming) = (self.client.protocol(), self.server.options.naming);
        self.client.outbox.replay(|number| {
            protocol.frame(&protocol.write(&ServerMessage::Sequence(number), naming))
        });
    }

    /// Whether streams wait for room in the outbox.
    pub fn is_sending_streams(&self) -> bool {
        self.streams
            .as_ref()
            .is_some_and(|streams| streams.is_sending())
    }

    pub fn disconnect_timeout(&self) -> Duration {
        self.server.options.disconnect_timeout
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn send_timeout(&self) -> Duration {
        self.server.options.send_timeout
    }

    pub fn close_timeout(&self) -> Duration {
        self.server.options.close_timeout
    }

    /// Takes bytes from the transport; they are looked at by [`poll`](Self::poll).
    pub fn feed(&mut self, bytes: &[u8]) {
        self.inbound.extend_from_slice(bytes);
    }

    /// Whether more bytes are wanted: none while a message waits for an invocation to end, or for room.
    pub fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Handshake { .. } | Phase::Open) && !self.stalled
    }

    /// Does what can be done now. Ready once the connection is at its end, its last message queued.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        let ending = match self.step(context) {
            Poll::Ready(ending) => ending,
            Poll::Pending => return Poll::Pending,
        };
        self.phase = Phase::Ended;
        self.client.set_ready(false);
        const ERROR: &str = "Connection closed with an error.";
        let close = |error, allow_reconnect| {
            self.send(&ServerMessage::Close {
                error,
                allow_reconnect,
            })
        };
        match &ending {
            _ if self.server.hub.raw().is_some() => {}
            Ending::Asked => close(None, false),
            Ending::Error(Some(error)) if self.server.options.detailed_errors => {
                close(
                    Some(&format!("{ERROR} InvalidDataException: {error}")),
                    true,
                );
            }
            Ending::Error(_) => close(Some(ERROR), true),
            Ending::Slow => close(
                Some(&format!("{ERROR} It does not read what is sent to it.")),
                true,
            ),
            Ending::Unreachable => close(Some(ERROR), false),
            Ending::Stopping => close(None, true),
            Ending::Refused | Ending::Gone => {}
        }
        Poll::Ready(ending)
    }

    fn step(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        loop {
            if self.server.is_stopping() {
                return Poll::Ready(Ending::Stopping);
            }
            if self.client.outbox.overflowed() {
                self.server.metrics.too_slow.fetch_add(1, Ordering::Relaxed);
                self.client.outbox.clear();
                return Poll::Ready(Ending::Slow);
            }
            if let Phase::Connecting(task) = &mut self.phase {
                match task.as_mut().poll(context) {
                    Poll::Pending => return self.poll_timer(context),
                    Poll::Ready(Err(ending)) => return Poll::Ready(ending),
                    Poll::Ready(Ok(())) => self.phase = Phase::Open,
                }
            }
            self.poll_running(context);
            self.poll_streams(context);
            self.stalled = false;
            if let Err(ending) = self.read_messages(context) {
                return Poll::Ready(ending);
            }
            // A handshake that was begun is looked at once before waiting.
            if !matches!(self.phase, Phase::Connecting(_)) {
                self.poll_streams(context);
                return self.poll_timer(context);
            }
        }
    }

    /// Handles messages until none is whole or one has to wait.
    fn read_messages(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        let mut inbound = std::mem::take(&mut self.inbound);
        if let Some(answer) = self.server.hub.raw() {
            if !inbound.is_empty() {
                self.push(Protocol::Json.frame(&answer(&inbound)));
            }
            return Ok(());
        }
        let mut start = 0;
        while self.wants_input() {
            let maximum = self.server.options.maximum_message;
            let shaking = matches!(self.phase, Phase::Handshake { .. });
            let protocol = if shaking {
                Protocol::Json
            } else {
                self.client.protocol()
            };
            let (message, taken) = match protocol.cut(&inbound[start..], maximum) {
                Ok(Cut::Message(message, taken)) => (message, taken),
                Ok(Cut::Partial) => break,
                Err(_) if shaking => return Err(self.cancel_handshake()),
                Err(_) if self.is_full() => {
                    self.stalled = true;
                    break;
                }
                Err(error) => return Err(self.breach(error)),
            };
            if shaking {
                self.shake_hands(message)?;
            } else if self.is_too_fast() || self.dispatch(protocol, message, context)?.is_pending()
            {
                self.stalled = true;
                break;
            }
            start += taken;
        }
        // An idle connection holds no buffer; a busy one keeps what came behind its invocation.
        if start < inbound.len() {
            inbound.drain(..start);
            self.inbound = inbound;
        }
        Ok(())
    }

    /// Counts a message; whether it has to wait for the next second.
    fn is_too_fast(&mut self) -> bool {
        const SECOND: Duration = Duration::from_secs(1);
        let (began, count) = &mut self.pace;
        let now = Instant::now();
        if now - *began >= SECOND {
            (*began, *count) = (now, 0);
        }
        *count += 1;
        if *count <= self.server.options.messages_per_second {
            return false;
        }
        let next = *began + SECOND;
        if next < self.timer.deadline() {
            self.timer.as_mut().reset(next);
        }
        self.server
            .metrics
            .throttled
            .fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The client broke the protocol.
    fn breach(&self, error: ProtocolError) -> Ending {
        self.server.metrics.breaches.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(connection = &*self.client.id, %error, "a message that breaks the protocol");
        Ending::Error(Some(error))
    }

    fn caller(&self) -> Caller {
        Caller {
            client: self.client.clone(),
            clients: self.server.clients.clone(),
            transport: self.transport,
            request: self.visitor.request.clone(),
        }
    }

    fn send(&self, message: &ServerMessage<'_>) {
        let protocol = self.client.protocol();
        let frame = protocol.frame(&protocol.write(message, self.server.options.naming));
        match message {
            ServerMessage::Invocation { .. }
            | ServerMessage::StreamItem { .. }
            | ServerMessage::Completion { .. } => self.push(frame),
            _ => self.push_control(frame),
        }
    }

    fn push(&self, frame: bytes::Bytes) {
        if self.client.outbox.push(frame) == Queued::First {
            // Over a half transport another task writes, and has to be told.
            self.client.outbox.wake_writer();
        }
    }

    fn push_control(&self, frame: bytes::Bytes) {
        if self.client.outbox.push_control(frame) == Queued::First {
            self.client.outbox.wake_writer();
        }
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        if let Some(at) = self
            .resume
            .as_ref()
            .and_then(|resume| resume.wakes_at())
            .filter(|at| *at < self.timer.deadline())
        {
            self.timer.as_mut().reset(at);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if let Phase::Handshake { until } = self.phase
                && now >= until
            {
                return Poll::Ready(self.cancel_handshake());
            }
            if self.visitor.expires.is_some_and(|end| now >= end) {
                tracing::debug!(
                    connection = &*self.client.id,
                    "the client's token has ended"
                );
                return Poll::Ready(Ending::Error(None));
            }
            let open = matches!(self.phase, Phase::Open) && self.running.is_empty();
            if open && self.silent_until.is_some_and(|until| now >= until) {
                tracing::debug!(connection = &*self.client.id, "the client fell silent");
                return Poll::Ready(Ending::Error(None));
            }
            if !matches!(self.phase, Phase::Handshake { .. }) && now >= self.next_ping {
                // Long polls keep themselves alive.
                if self.transport != TransportType::LongPolling && self.server.hub.raw().is_none() {
                    self.send(&ServerMessage::Ping);
                }
                self.next_ping = now + self.server.options.keep_alive;
            }
            if let Some(number) = self
                .resume
                .as_mut()
                .and_then(|resume| resume.acknowledge(now))
            {
                self.send(&ServerMessage::Ack(number));
            }
            let next = match self.phase {
                Phase::Handshake { until } => until,
                _ => self
                    .silent_until
                    .map_or(self.next_ping, |until| until.max(now).min(self.next_ping)),
            };
            let next = self
                .resume
                .as_ref()
                .and_then(|resume| resume.wakes_at())
                .map_or(next, |acknowledge| next.min(acknowledge));
            let next = self.visitor.expires.map_or(next, |end| next.min(end));
            let next = if open {
                next
            } else {
                next.max(now + Duration::from_millis(100))
            };
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }
}

impl<H: Hub> Drop for Connection<H> {
    fn drop(&mut self) {
        self.server.clients.disconnected(&self.client);
        self.server
            .metrics
            .connections_closed
            .fetch_add(1, Ordering::Relaxed);
    }
}
