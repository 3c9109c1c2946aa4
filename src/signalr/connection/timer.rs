//! What a connection does by the clock: time-outs, pings, acknowledgements. One timer serves all.

use super::{Connection, Ending, Phase};
use crate::signalr::hub::Hub;
use crate::signalr::protocol::ServerMessage;
use crate::signalr::transport_type::TransportType;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// A deadline that cannot be met yet is looked at again after this time.
const AGAIN: Duration = Duration::from_millis(100);
const SILENT: &str =
    "Client hasn't sent a message/ping within the configured ClientTimeoutInterval.";
const EXPIRED: &str = "The client's token has expired.";

impl<H: Hub> Connection<H> {
    /// Sets the timer to `at`, unless it fires before that.
    pub(super) fn wake_at(&mut self, at: Instant) {
        if at < self.timer.deadline() {
            self.timer.as_mut().reset(at);
        }
    }

    /// Ready if a time limit has passed.
    pub(super) fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        if let Some(at) = self.resume.as_ref().and_then(|resume| resume.wakes_at()) {
            self.wake_at(at);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if let Some(ending) = self.overdue(now) {
                return Poll::Ready(ending);
            }
            self.send_what_is_due(now);
            let next = self.next_deadline(now);
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }

    fn overdue(&mut self, now: Instant) -> Option<Ending> {
        if let Phase::Handshake { until } = self.phase
            && now >= until
        {
            return Some(self.cancel_handshake());
        }
        if self.visitor.expires.is_some_and(|end| now >= end) {
            return Some(Ending::Lapsed(EXPIRED));
        }
        if self.silent_until.is_some() && (self.throttled || !self.wants_input()) {
            // Nothing is read: the client cannot be blamed for its silence.
            self.silent_until = Some(now + self.server.options.client_timeout);
        }
        let silent = self.silent_until.is_some_and(|until| now >= until);
        silent.then_some(Ending::Lapsed(SILENT))
    }

    fn send_what_is_due(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Handshake { .. }) && now >= self.next_ping {
            // Long polls keep themselves alive.
            if self.transport != TransportType::LongPolling && self.server.hub.raw().is_none() {
                self.send(&ServerMessage::Ping);
            }
            self.next_ping = now + self.server.options.keep_alive;
        }
        let acknowledged = self
            .resume
            .as_mut()
            .and_then(|resume| resume.acknowledge(now));
        if let Some(number) = acknowledged {
            self.send(&ServerMessage::Ack(number));
        }
    }

    fn next_deadline(&self, now: Instant) -> Instant {
        let first = match self.phase {
            Phase::Handshake { until } => until,
            _ => self.next_ping,
        };
        let others = [
            self.silent_until,
            self.visitor.expires,
            self.resume.as_ref().and_then(|resume| resume.wakes_at()),
            self.throttled.then(|| self.pace.0 + Duration::from_secs(1)),
        ];
        let next = others.into_iter().flatten().fold(first, Instant::min);
        if next > now { next } else { now + AGAIN }
    }
}
