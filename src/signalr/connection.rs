//! One client's life, whatever carries its bytes: handshake, invocations one at a time, keep-alive, end.

use crate::signalr::protocol::{ClientMessage, Handshake, ProtocolError, RECORD_SEPARATOR, json};
use crate::signalr::registry::Client;
use crate::signalr::transport::websocket;
use crate::signalr::{Call, Caller, Hub, HubError, Refusal, Server, Task};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Why a connection ends, which decides what its client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The handshake was refused, and the client told why.
    Refused,
    /// The client asked for it.
    Asked,
    /// It broke the protocol, fell silent or did not read.
    Error,
    /// Redis could not be told of it.
    Unreachable,
    /// The server stops.
    Stopping,
    /// The peer is gone; nobody is left to tell.
    Gone,
}

/// A client's state between its bytes coming in and frames going out through its outbox.
pub struct Connection<H: Hub> {
    server: Arc<Server<H>>,
    client: Arc<Client>,
    inbound: Vec<u8>,
    phase: Phase,
    timer: Pin<Box<Sleep>>,
    next_ping: Instant,
    /// Long polls keep themselves alive.
    pings: bool,
    /// When silence becomes an error; only a client that has pinged is held to it.
    silent_until: Option<Instant>,
}

enum Phase {
    Handshake { until: Instant },
    /// Ready for the next message.
    Open,
    /// Nothing is read until this is done.
    Busy(Task<Done>),
    Ended,
}

/// What a busy connection waited for.
enum Done {
    Connected(Result<(), HubError>),
    Answered { invocation_id: Option<String>, target: String, outcome: Result<Vec<u8>, HubError> },
}

impl<H: Hub> Connection<H> {
    pub fn new(server: Arc<Server<H>>, client: Arc<Client>, pings: bool) -> Self {
        let now = Instant::now();
        let until = now + server.options.handshake_timeout;
        server.metrics.connections_opened.fetch_add(1, Ordering::Relaxed);
        server.groups.registry.add(client.clone());
        Connection {
            next_ping: now + server.options.keep_alive,
            timer: Box::pin(tokio::time::sleep_until(until)),
            phase: Phase::Handshake { until },
            inbound: Vec::new(),
            silent_until: None,
            pings,
            server,
            client,
        }
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

    /// Whether more bytes are wanted: none while an invocation runs.
    pub fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Handshake { .. } | Phase::Open)
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
        match ending {
            Ending::Asked => self.send(&json::close(None, false)),
            Ending::Error => self.send(&json::close(Some(ERROR), true)),
            Ending::Unreachable => self.send(&json::close(Some(ERROR), false)),
            Ending::Stopping => self.send(&json::close(None, true)),
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
                return Poll::Ready(Ending::Error);
            }
            if let Phase::Busy(task) = &mut self.phase {
                let Poll::Ready(done) = task.as_mut().poll(context) else {
                    return self.poll_timer(context);
                };
                self.phase = Phase::Open;
                if let Err(ending) = self.finish(done) {
                    return Poll::Ready(ending);
                }
            }
            if let Err(ending) = self.read_messages() {
                return Poll::Ready(ending);
            }
            if !matches!(self.phase, Phase::Busy(_)) {
                return self.poll_timer(context);
            }
        }
    }

    /// Handles messages until none is whole or one keeps the connection busy.
    fn read_messages(&mut self) -> Result<(), Ending> {
        let mut inbound = std::mem::take(&mut self.inbound);
        let mut start = 0;
        while self.wants_input() {
            let rest = &inbound[start..];
            let length = memchr::memchr(RECORD_SEPARATOR, rest);
            if length.map_or(rest.len(), |length| length + 1) > self.server.options.maximum_message {
                return Err(self.too_large());
            }
            let Some(length) = length else { break };
            let message = &rest[..length];
            if matches!(self.phase, Phase::Handshake { .. }) {
                self.shake_hands(message)?;
            } else {
                self.dispatch(message)?;
            }
            start += length + 1;
        }
        // An idle connection holds no buffer; a busy one keeps what came behind its invocation.
        if start < inbound.len() {
            inbound.drain(..start);
            self.inbound = inbound;
        }
        Ok(())
    }

    fn too_large(&self) -> Ending {
        if matches!(self.phase, Phase::Handshake { .. }) {
            return self.cancel_handshake();
        }
        let limit = self.server.options.maximum_message;
        tracing::debug!(connection = &*self.client.id, limit, "a message is larger than allowed");
        Ending::Error
    }

    fn cancel_handshake(&self) -> Ending {
        self.send(&json::handshake_refused("Handshake was canceled."));
        Ending::Refused
    }

    fn shake_hands(&mut self, message: &[u8]) -> Result<(), Ending> {
        if let Err(error) = Handshake::read(message) {
            tracing::debug!(connection = &*self.client.id, error, "handshake refused");
            self.send(&json::handshake_refused(&error));
            return Err(Ending::Refused);
        }
        self.send(json::HANDSHAKE_ACCEPTED);
        self.client.set_ready(true);
        self.next_ping = Instant::now() + self.server.options.keep_alive;
        let (groups, client) = (self.server.groups.clone(), self.client.clone());
        self.phase = Phase::Busy(Box::pin(async move {
            Done::Connected(groups.connected(&client).await.map_err(|error| HubError(error.to_string())))
        }));
        Ok(())
    }

    fn dispatch(&mut self, message: &[u8]) -> Result<(), Ending> {
        let message = json::read(message).map_err(|error: ProtocolError| {
            tracing::debug!(connection = &*self.client.id, %error, "a message that breaks the protocol");
            Ending::Error
        })?;
        let now = Instant::now();
        if message == ClientMessage::Ping || self.silent_until.is_some() {
            self.silent_until = Some(now + self.server.options.client_timeout);
        }
        match message {
            ClientMessage::Ping | ClientMessage::Ignored => {}
            ClientMessage::Close => return Err(Ending::Asked),
            ClientMessage::Invocation { invocation_id, target, arguments, streams, streaming } => {
                self.server.metrics.invocations.fetch_add(1, Ordering::Relaxed);
                let id = invocation_id.map(std::borrow::Cow::into_owned);
                match self.start(&target, arguments, streams, streaming) {
                    Err(error) => self.answer(id.as_deref(), Err(&error)),
                    Ok(task) => {
                        let target = target.into_owned();
                        self.phase = Phase::Busy(Box::pin(async move {
                            Done::Answered { invocation_id: id, target, outcome: task.await }
                        }));
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts an invocation, or the text of why it can't be (spec: signalr.md D4).
    fn start(
        &self,
        target: &str,
        arguments: &[u8],
        streams: usize,
        streaming: bool,
    ) -> Result<Task<Result<Vec<u8>, HubError>>, String> {
        let caller = Caller { client: self.client.clone(), groups: self.server.groups.clone() };
        let task = self.server.hub.invoke(caller, Call { target, arguments }).map_err(|refusal| {
            let reason = match refusal {
                Refusal::NoSuchMethod => " HubException: Method does not exist.",
                Refusal::Arguments => "",
            };
            format!("Failed to invoke '{target}' due to an error on the server.{reason}")
        })?;
        if streaming {
            return Err(format!(
                "The client attempted to invoke the non-streaming '{target}' method with a streaming invocation."
            ));
        }
        if streams > 0 {
            return Err(format!(
                "{} HubException: Client sent {streams} stream(s), Hub method expects 0.",
                failed(target)
            ));
        }
        Ok(task)
    }

    fn finish(&mut self, done: Done) -> Result<(), Ending> {
        // The clock of silence stood still meanwhile.
        if self.silent_until.is_some() {
            self.silent_until = Some(Instant::now() + self.server.options.client_timeout);
        }
        match done {
            Done::Connected(Ok(())) => Ok(()),
            Done::Connected(Err(error)) => {
                tracing::warn!(connection = &*self.client.id, %error, "a connection could not be announced to the backplane");
                Err(Ending::Unreachable)
            }
            Done::Answered { invocation_id, target, outcome } => {
                if let Err(error) = &outcome {
                    tracing::warn!(connection = &*self.client.id, target, %error, "a hub method failed");
                }
                let failure = outcome.as_ref().err().map(|_| failed(&target));
                let outcome = outcome.as_deref().map_err(|_| failure.as_deref().unwrap_or_default());
                self.answer(invocation_id.as_deref(), outcome);
                Ok(())
            }
        }
    }

    fn answer(&self, invocation_id: Option<&str>, outcome: Result<&[u8], &str>) {
        if let Some(id) = invocation_id {
            self.send(&json::completion(id, outcome));
        }
    }

    fn send(&self, message: &[u8]) {
        if self.client.outbox.push(websocket::text_frame(message).into()) {
            // Over a half transport another task writes, and has to be told.
            self.client.outbox.wake_writer();
        }
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if let Phase::Handshake { until } = self.phase
                && now >= until
            {
                return Poll::Ready(self.cancel_handshake());
            }
            let open = matches!(self.phase, Phase::Open);
            if open && self.silent_until.is_some_and(|until| now >= until) {
                tracing::debug!(connection = &*self.client.id, "the client fell silent");
                return Poll::Ready(Ending::Error);
            }
            if !matches!(self.phase, Phase::Handshake { .. }) && now >= self.next_ping {
                if self.pings {
                    self.send(json::PING);
                }
                self.next_ping = now + self.server.options.keep_alive;
            }
            let next = match self.phase {
                Phase::Handshake { until } => until,
                _ => self.silent_until.map_or(self.next_ping, |until| until.max(now).min(self.next_ping)),
            };
            let next = if open { next } else { next.max(now + Duration::from_millis(100)) };
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }
}

impl<H: Hub> Drop for Connection<H> {
    fn drop(&mut self) {
        self.server.groups.disconnected(&self.client);
        self.server.backplane().disconnected(&self.client.id);
        self.server.metrics.connections_closed.fetch_add(1, Ordering::Relaxed);
    }
}

fn failed(target: &str) -> String {
    format!("An unexpected error occurred invoking '{target}' on the server.")
}
