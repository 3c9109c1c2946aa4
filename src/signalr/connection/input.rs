//! From bytes to messages: how much is read, how fast, and which messages wait.

use super::{Connection, Ending, Phase};
use crate::signalr::hub::Hub;
use crate::signalr::protocol::{ClientMessage, Cut, Protocol};
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that may wait for one connection before its transport reads no more, as in .NET.
const ROOM: usize = 64 << 10;

/// Input that is not counted with what all clients make the server hold.
const UNCOUNTED: usize = 1 << 10;

const SECOND: Duration = Duration::from_secs(1);

impl<H: Hub> Connection<H> {
    /// Takes bytes from the transport; [`poll`](Self::poll) looks at them.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.inbound.extend_from_slice(bytes);
    }

    /// Whether the transport should read more.
    pub fn wants_input(&self) -> bool {
        let waiting = self.work.as_ref().map_or(0, |work| work.waiting.len());
        // Part of a message must never fill the room that its rest needs.
        let most = ROOM.max(self.server.options.maximum_message + 1);
        !matches!(self.phase, Phase::Ended) && waiting < ROOM && self.inbound.len() < most
    }

    /// Counts the input that waits with what all clients make the server hold.
    pub(super) fn count_input(&mut self) -> Result<(), Ending> {
        let waiting = self.work.as_ref().map_or(0, |work| work.input_bytes());
        let held = self.inbound.capacity() + waiting;
        let held = if held > UNCOUNTED { held } else { 0 };
        if held == self.counted {
            return Ok(());
        }
        let grew = held > self.counted;
        self.server.budget.recount(&mut self.counted, held);
        if grew && self.server.budget.is_too_much(held) {
            let metric = &self.server.metrics.held_too_much;
            metric.fetch_add(1, Ordering::Relaxed);
            return Err(Ending::TooMuch);
        }
        Ok(())
    }

    /// Looks at the messages that came.
    pub(super) fn read_messages(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        let mut inbound = std::mem::take(&mut self.inbound);
        if let Some(respond) = self.server.hub.raw() {
            if !inbound.is_empty() {
                self.push(Protocol::Json.frame(&respond(&inbound)));
            }
            return Ok(());
        }
        let mut start = 0;
        while self.looks_at_messages() {
            let rest = &inbound[start..];
            match self.read_one(rest, context)? {
                0 => break,
                taken => start += taken,
            }
        }
        // An idle connection holds no buffer.
        if start < inbound.len() {
            inbound.drain(..start);
            self.inbound = inbound;
        }
        Ok(())
    }

    fn looks_at_messages(&mut self) -> bool {
        match self.phase {
            Phase::Handshake { .. } => true,
            Phase::Open => !self.is_throttled(),
            Phase::Connecting(_) | Phase::Ended => false,
        }
    }

    /// Looks at one message; how many bytes it took, 0 if it is not whole.
    fn read_one(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Result<usize, Ending> {
        let shaking = matches!(self.phase, Phase::Handshake { .. });
        let protocol = if shaking {
            Protocol::Json
        } else {
            self.client.protocol()
        };
        match protocol.cut(bytes, self.server.options.maximum_message) {
            Ok(Cut::Partial) => Ok(0),
            Ok(Cut::Message(message, taken)) if shaking => {
                self.shake_hands(message)?;
                Ok(taken)
            }
            Ok(Cut::Message(message, taken)) => {
                self.pace.1 += 1;
                self.receive(protocol, message, &bytes[..taken], context)?;
                Ok(taken)
            }
            Err(_) if shaking => Err(self.cancel_handshake()),
            Err(error) => Err(self.breach(error)),
        }
    }

    /// Acts on a message, or keeps it until that is possible.
    fn receive(
        &mut self,
        protocol: Protocol,
        raw: &[u8],
        framed: &[u8],
        context: &mut Context<'_>,
    ) -> Result<(), Ending> {
        let message = protocol.read(raw).map_err(|error| self.breach(error))?;
        if message == ClientMessage::Ping || self.silent_until.is_some() {
            self.silent_until = Some(Instant::now() + self.server.options.client_timeout);
        }
        if let Some(resume) = &mut self.resume {
            let is_new = resume.is_new(&message);
            resume.count(&message);
            if !is_new {
                return Ok(());
            }
        }
        let (results, id) = (&self.server.clients.results, &self.client.id);
        let waits = self.work.as_ref().is_some_and(|work| {
            work.is_blocked() && !work.may_overtake(&message, |result| results.is_owed(id, result))
        });
        if waits || self.act(protocol, raw, &message, context)?.is_pending() {
            self.work.get_or_insert_default().keep(&message, framed);
        }
        Ok(())
    }

    /// Starts the invocation that waited longest and acts on what came behind it, as far as
    /// possible.
    pub(super) fn continue_waiting(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        while let Some(work) = &mut self.work
            && work.is_blocked()
        {
            let slots = self.server.options.parallel_invocations;
            if let Some(held) = work.held.take() {
                if !work.has_room_for(&held, slots) {
                    work.held = Some(held);
                    return Ok(());
                }
                self.run(held, context);
                continue;
            }
            let waiting = std::mem::take(&mut work.waiting);
            let done = self.act_on(&waiting, context)?;
            let work = self.work.get_or_insert_default();
            work.waiting.extend_from_slice(&waiting[done..]);
            if work.waiting.is_empty() {
                work.streams.hold_back_none();
            } else if work.held.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Acts on messages that waited until one has to wait again; how many bytes these were.
    fn act_on(&mut self, waiting: &[u8], context: &mut Context<'_>) -> Result<usize, Ending> {
        let protocol = self.client.protocol();
        let mut done = 0;
        while let Ok(Cut::Message(raw, taken)) = protocol.cut(&waiting[done..], usize::MAX) {
            let message = protocol.read(raw).map_err(|error| self.breach(error))?;
            let is_held = self.work.as_ref().is_some_and(|work| work.held.is_some());
            if is_held || self.act(protocol, raw, &message, context)?.is_pending() {
                break;
            }
            done += taken;
        }
        Ok(done)
    }

    /// Whether the client has sent as many messages as it may in a second; wakes the connection
    /// when the next begins.
    fn is_throttled(&mut self) -> bool {
        let (began, count) = &mut self.pace;
        if *count < self.server.options.messages_per_second {
            return false;
        }
        let (now, next) = (Instant::now(), *began + SECOND);
        if now >= next {
            (*began, *count) = (now, 0);
            self.throttled = false;
            return false;
        }
        if !std::mem::replace(&mut self.throttled, true) {
            self.server
                .metrics
                .throttled
                .fetch_add(1, Ordering::Relaxed);
        }
        self.wake_at(next);
        true
    }
}
