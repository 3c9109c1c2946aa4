//! One client's connection, whatever carries its bytes: handshake, messages, keep-alive, end.
//!
//! A connection is a state machine written by hand, and not a task with a `select!` loop, for its
//! cost: there are up to a hundred thousand of them. One task polls the connection, its socket and
//! its running methods; nothing is allocated for a message that arrives, an idle connection holds
//! no read buffer and a single timer, and broadcasts are written to its socket without waking it. A
//! loop needs a future as large as its largest branch, a channel, and a wake for each message.

mod downloads;
mod ending;
mod ends;
mod handshake;
mod input;
mod invocations;
mod leftovers;
mod running;
mod texts;
mod timer;
mod visitor;
mod way_back;
mod work;

pub use ending::Ending;
pub use visitor::Visitor;
pub use way_back::WayBack;

use crate::signalr::clients::Asking;
use crate::signalr::hub::{Caller, Hub, Task};
use crate::signalr::options::Options;
use crate::signalr::outbox::Queued;
use crate::signalr::protocol::ServerMessage;
use crate::signalr::registry::Client;
use crate::signalr::resume::Resume;
use crate::signalr::server::Server;
use crate::signalr::transport_type::TransportType;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};
use work::ClientWork;

/// A client's state between its bytes coming in and frames going out through its outbox.
pub struct Connection<H: Hub> {
    server: Arc<Server<H>>,
    client: Arc<Client>,
    transport: TransportType,
    visitor: Visitor,
    phase: Phase,
    /// Bytes that no message was made of yet.
    inbound: Vec<u8>,
    /// What of the input is counted with what all clients make the server hold.
    counted: usize,
    /// Methods and streams under way; `None` if there are none.
    work: Option<Box<ClientWork>>,
    timer: Pin<Box<Sleep>>,
    next_ping: Instant,
    /// When silence becomes an error; only a client that has pinged is held to it.
    silent_until: Option<Instant>,
    /// When the current second began, and how many messages came in it.
    pace: (Instant, u32),
    /// Methods whose failure was logged.
    complained: Vec<String>,
    /// The client sends too many messages; they are not looked at before the next second.
    throttled: bool,
    /// Set if the client may reconnect.
    resume: Option<Box<Resume>>,
    /// Set if the client negotiated to reconnect.
    way_back: Option<Arc<WayBack>>,
    /// The transport was told to end.
    ends: bool,
    /// Groups, results and methods are given up.
    left: bool,
}

enum Phase {
    Handshake {
        until: Instant,
    },
    /// The backplane is told of the client, then the hub.
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
        let phase = match server.hub.raw() {
            Some(_) => Phase::Open,
            None => Phase::Handshake { until },
        };
        Connection {
            next_ping: now + server.options.keep_alive,
            timer: Box::pin(tokio::time::sleep_until(until)),
            phase,
            inbound: Vec::new(),
            counted: 0,
            work: None,
            silent_until: None,
            pace: (now, 0),
            throttled: false,
            resume: None,
            way_back: None,
            ends: false,
            left: false,
            transport,
            visitor,
            complained: Vec::new(),
            server,
            client,
        }
    }

    /// Lets the client reconnect on another socket, if its handshake says that it can.
    pub fn offer_resume(&mut self, way_back: Arc<WayBack>) {
        self.way_back = Some(way_back);
    }

    /// Whether it outlives its socket.
    pub fn is_resumable(&self) -> bool {
        self.resume.is_some() && !matches!(self.phase, Phase::Ended)
    }

    /// Continues on a new socket: sends again what the client lacks, and forgets half a message.
    pub fn resumed(&mut self) {
        self.inbound.clear();
        let (protocol, naming) = (self.client.protocol(), self.server.options.naming);
        self.client.outbox.replay(|number| {
            protocol.frame(&protocol.write(&ServerMessage::Sequence(number), naming))
        });
    }

    /// Ends the connection at the next [`poll`](Self::poll): its client ended its transport.
    pub fn end(&mut self) {
        self.ends = true;
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn options(&self) -> &Options {
        &self.server.options
    }

    /// Does what can be done now. Ready once the connection is over, with its last message queued.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        let ending = match self.step(context) {
            Poll::Ready(ending) => ending,
            Poll::Pending => match self.count_input() {
                Ok(()) => return Poll::Pending,
                Err(ending) => ending,
            },
        };
        self.phase = Phase::Ended;
        // Before the last message: a quick client may try to reconnect as soon as it has it.
        if let Some(way_back) = &self.way_back {
            way_back.close();
        }
        self.client.set_ready(false);
        if self.server.hub.raw().is_none() {
            ending.tell(self.server.options.detailed_errors, |close| {
                self.send(close);
            });
        }
        self.leave();
        Poll::Ready(ending)
    }

    fn step(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        loop {
            if let Some(ending) = self.told_to_end() {
                return Poll::Ready(ending);
            }
            if let Phase::Connecting(task) = &mut self.phase {
                match task.as_mut().poll(context) {
                    Poll::Pending => return self.poll_timer(context),
                    Poll::Ready(Err(ending)) => return Poll::Ready(ending),
                    Poll::Ready(Ok(())) => self.phase = Phase::Open,
                }
            }
            self.poll_running(context);
            let messages = self
                .continue_waiting(context)
                .and_then(|()| self.read_messages(context));
            if let Err(ending) = messages {
                return Poll::Ready(ending);
            }
            self.poll_streams(context);
            if self.work.as_ref().is_some_and(|work| work.is_idle()) {
                self.work = None;
            }
            // A handshake that has begun is polled once before waiting.
            if !matches!(self.phase, Phase::Connecting(_)) {
                return match self.told_to_end() {
                    Some(ending) => Poll::Ready(ending),
                    None => self.poll_timer(context),
                };
            }
        }
    }

    fn caller(&self, asking: Asking) -> Caller {
        Caller {
            client: self.client.clone(),
            clients: self.server.clients.asking(asking),
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
            // Without a WebSocket another task writes, and has to be told.
            self.client.outbox.wake_writer();
        }
    }

    fn push_control(&self, frame: bytes::Bytes) {
        if self.client.outbox.push_control(frame) == Queued::First {
            self.client.outbox.wake_writer();
        }
    }

    /// Leaves the groups, fails the results that the client owes, and leaves its methods to
    /// themselves.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        self.server.clients.leave_all(&self.client);
        let mut work = self.work.take();
        let connecting = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Connecting(task) => Some(task),
            Phase::Handshake { .. } | Phase::Open | Phase::Ended => None,
        };
        if connecting.is_some() && !self.inbound.is_empty() {
            work.get_or_insert_default().waiting = std::mem::take(&mut self.inbound);
        }
        if let Some(work) = work {
            let (caller, protocol) = (self.caller(Asking::Anybody), self.client.protocol());
            leftovers::finish(self.server.clone(), caller, protocol, connecting, *work);
        }
        self.server.budget.recount(&mut self.counted, 0);
    }
}

impl<H: Hub> Drop for Connection<H> {
    fn drop(&mut self) {
        if let Some(way_back) = &self.way_back {
            way_back.close();
        }
        self.client.set_ready(false);
        self.leave();
        self.client.outbox.close();
        self.server.clients.registry.remove(&self.client);
        self.server
            .metrics
            .connections_closed
            .fetch_add(1, Ordering::Relaxed);
    }
}
