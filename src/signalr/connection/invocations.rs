//! What a client asks for: messages acted on, methods started, their answers and streams sent.

use super::running::RunningInvocation;
use super::{Connection, Ending, STREAM_ROOM};
use crate::signalr::hub::{Call, Hub, Refusal, Started};
use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{
    ClientMessage, Completed, Encoded, Protocol, ProtocolError, ServerMessage,
};
use crate::signalr::results::Settlement;
use crate::signalr::value::Value;
use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// Why an invocation was not started.
enum NotStarted {
    /// The client is told, and goes on.
    Told(String),
    Breach(ProtocolError),
}

impl<H: Hub> Connection<H> {
    pub(super) fn poll_running(&mut self, context: &mut Context<'_>) {
        let mut place = 0;
        while place < self.running.len() {
            match self.running[place].task.as_mut().poll(context) {
                Poll::Pending => place += 1,
                Poll::Ready(outcome) => {
                    let invocation = self.running.remove(place);
                    self.finish(invocation, outcome);
                }
            }
        }
    }

    pub(super) fn poll_streams(&mut self, context: &mut Context<'_>) {
        let Some(mut streams) = self.streams.take() else {
            return;
        };
        let outbox = &self.client.outbox;
        streams.poll(
            context,
            self.server.options.detailed_errors,
            || outbox.waiting_bytes() < STREAM_ROOM,
            |message| self.send(message),
        );
        self.streams = Some(streams);
    }

    /// Whether as many invocations go on as may.
    pub(super) fn is_full(&self) -> bool {
        self.running.len() >= self.server.options.parallel_invocations
    }

    /// Acts on a message. Pending where it has to wait for room, and must be read again.
    pub(super) fn dispatch(
        &mut self,
        protocol: Protocol,
        raw: &[u8],
        context: &mut Context<'_>,
    ) -> Result<Poll<()>, Ending> {
        let full = self.is_full();
        let message = match protocol.read(raw) {
            Ok(message) => message,
            // What came before it is answered first.
            Err(_) if full => return Ok(Poll::Pending),
            Err(error) => return Err(self.breach(error)),
        };
        let now = Instant::now();
        if message == ClientMessage::Ping || self.silent_until.is_some() {
            self.silent_until = Some(now + self.server.options.client_timeout);
        }
        if full
            && matches!(
                message,
                ClientMessage::Invocation {
                    streaming: false,
                    ..
                } | ClientMessage::Close
            )
        {
            return Ok(Poll::Pending);
        }
        let new = self
            .resume
            .as_ref()
            .is_none_or(|resume| resume.is_new(&message));
        // A message that must wait is read again, and counts only once.
        if new && self.feed_upload(&message, context).is_pending() {
            return Ok(Poll::Pending);
        }
        if let Some(resume) = &mut self.resume {
            resume.count(&message);
        }
        if !new {
            return Ok(Poll::Ready(()));
        }
        match message {
            ClientMessage::Ping | ClientMessage::Ignored | ClientMessage::StreamItem { .. } => {}
            ClientMessage::Close => return Err(Ending::Asked),
            ClientMessage::Ack(number) => self.client.outbox.acknowledge(number),
            ClientMessage::Sequence(number) => {
                if let Some(resume) = &mut self.resume {
                    resume
                        .sequence(number)
                        .map_err(|error| self.breach(error))?;
                }
            }
            ClientMessage::Cancel { id } => {
                if self
                    .streams
                    .as_mut()
                    .is_some_and(|streams| streams.cancel(&id))
                {
                    self.send(&ServerMessage::Completion {
                        id: &id,
                        outcome: Completed::Void,
                    });
                }
            }
            ClientMessage::Completion { id, outcome } => {
                let outcome = outcome
                    .as_ref()
                    .map(|value| *value)
                    .map_err(|error| &**error);
                let settled = self
                    .server
                    .clients
                    .results
                    .settle(&self.client.id, &id, outcome);
                if let Settlement::Elsewhere(channel) = settled {
                    self.server.clients.backplane.send_result(
                        channel,
                        protocol,
                        protocol.with_framing(raw),
                    );
                }
            }
            ClientMessage::Invocation {
                invocation_id,
                target,
                arguments,
                streams,
                streaming,
            } => {
                self.server
                    .metrics
                    .invocations
                    .fetch_add(1, Ordering::Relaxed);
                let id = invocation_id.map(Cow::into_owned);
                match self.start(id.as_deref(), &target, arguments, streams, streaming) {
                    // One that has nothing to wait for is answered before what comes next.
                    Ok(()) => self.poll_running(context),
                    Err(NotStarted::Told(error)) => self.answer(id.as_deref(), Err(&error)),
                    Err(NotStarted::Breach(error)) => return Err(self.breach(error)),
                }
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Hands what belongs to an upload to the method that takes it. Pending while that has too much already.
    fn feed_upload(&mut self, message: &ClientMessage<'_>, context: &mut Context<'_>) -> Poll<()> {
        let Some(streams) = &mut self.streams else {
            return Poll::Ready(());
        };
        match message {
            ClientMessage::StreamItem { id, item } => streams.item(context, id, || {
                item.value()
                    .ok_or_else(|| HubError::new("an item can't be read"))
            }),
            ClientMessage::Completion { id, outcome } => {
                streams.end(context, id, outcome.as_ref().err().map(|error| &**error))
            }
            _ => Poll::Ready(()),
        }
    }

    /// Starts an invocation, or says why it can't be (protocol.md, "Error texts").
    fn start(
        &mut self,
        id: Option<&str>,
        target: &str,
        arguments: Encoded<'_>,
        streams: Result<Vec<Cow<'_, str>>, ProtocolError>,
        streaming: bool,
    ) -> Result<(), NotStarted> {
        let mut breach =
            (streaming && id.is_none()).then_some(ProtocolError::Missing("invocationId"));
        let streams = streams.unwrap_or_else(|error| {
            breach.get_or_insert(error);
            Vec::new()
        });
        let uploads: Vec<_> = streams.into_iter().map(Cow::into_owned).collect();
        let opened = if uploads.is_empty() {
            Vec::new()
        } else {
            let streams = self.streams.get_or_insert_default();
            let too_many =
                || NotStarted::Told(format!("{} HubException: too many streams", failed(target)));
            streams.open(&uploads).ok_or_else(too_many)?
        };
        let mut call = Call {
            target,
            arguments,
            uploads: opened,
        };
        let running = self.server.hub.invoke(self.caller(), &mut call);
        let (target, left) = (call.target, call.uploads.len());
        // As .NET, which looks at the arguments first.
        if let (Some(error), Ok(_) | Err(Refusal::Failed(_) | Refusal::Streams { .. })) =
            (breach, &running)
        {
            return Err(NotStarted::Breach(error));
        }
        let running = match (running, streaming) {
            (Ok(Started::Result(_)), false) | (Ok(Started::Stream(_)), true) if left > 0 => {
                Err(Refusal::Streams {
                    sent: left,
                    expected: 0,
                })
            }
            (running, _) => running,
        };
        let started = running.map_err(|refusal| {
            let unable = format!("Failed to invoke '{target}' due to an error on the server.");
            match refusal {
                Refusal::NoSuchMethod => format!("{unable} HubException: Method does not exist."),
                Refusal::Arguments if self.server.options.detailed_errors => {
                    format!("{unable} InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked.")
                }
                Refusal::Arguments => unable,
                Refusal::Failed(error) => failed(target) + &error.suffix(self.server.options.detailed_errors),
                Refusal::Streams { sent, expected } => {
                    format!("{} HubException: Client sent {sent} stream(s), Hub method expects {expected}.", failed(target))
                }
            }
        });
        let result = started.and_then(|running| match (running, streaming) {
            (Started::Result(task), false) => {
                self.running.push(RunningInvocation { id: id.map(str::to_owned), target: target.to_owned(), uploads: uploads.clone(), task });
                Ok(())
            }
            (Started::Result(_), true) => {
                Err(format!("The client attempted to invoke the non-streaming '{target}' method with a streaming invocation."))
            }
            (Started::Stream(_), false) => {
                Err(format!("The client attempted to invoke the streaming '{target}' method with a non-streaming invocation."))
            }
            (Started::Stream(items), true) => {
                let Some(id) = id else { return Ok(()) };
                let streams = self.streams.get_or_insert_default();
                if streams.is_running(id) {
                    return Err(format!("Invocation ID '{id}' is already in use."));
                }
                if streams.start(id.to_owned(), items) { Ok(()) } else { Err(format!("{} HubException: too many streams", failed(target))) }
            }
        });
        if let (Err(_), Some(streams)) = (&result, &mut self.streams) {
            streams.close(&uploads);
        }
        result.map_err(NotStarted::Told)
    }

    fn finish(&mut self, invocation: RunningInvocation, outcome: Result<Value, HubError>) {
        // The clock of silence stood still meanwhile.
        if self.silent_until.is_some() {
            self.silent_until = Some(Instant::now() + self.server.options.client_timeout);
        }
        let RunningInvocation {
            id,
            target,
            uploads,
            task: _,
        } = invocation;
        if let Some(streams) = &mut self.streams {
            streams.close(&uploads);
        }
        let failure = outcome.as_ref().err().map(|error| {
            self.server.metrics.invocations_failed.fetch_add(1, Ordering::Relaxed);
            // A client can call as often as it likes: one line for each method, the rest is counted.
            if !self.complained.contains(&target) {
                self.complained.push(target.clone());
                tracing::warn!(connection = &*self.client.id, target, %error, "a hub method failed; more are only counted");
            }
            failed(&target) + &error.suffix(self.server.options.detailed_errors)
        });
        self.answer(
            id.as_deref(),
            outcome
                .as_ref()
                .map_err(|_| failure.as_deref().unwrap_or_default()),
        );
    }

    fn answer(&self, id: Option<&str>, outcome: Result<&Value, &str>) {
        if let Some(id) = id {
            self.send(&ServerMessage::Completion {
                id,
                outcome: outcome.map_or_else(Completed::Error, Completed::Result),
            });
        }
    }
}

fn failed(target: &str) -> String {
    format!("An unexpected error occurred invoking '{target}' on the server.")
}
