//! What a client asks for: messages acted on, methods started, their results and streams sent.

use super::running::RunningInvocation;
use super::texts::{failed, refusal_text, too_many_streams};
use super::{Connection, Ending};
use crate::signalr::clients::Asking;
use crate::signalr::hub::{Call, Hub, Refusal, StartedMethod};
use crate::signalr::hub_error::HubError;
use crate::signalr::protocol::{
    ClientCompletion, ClientMessage, Completed, Encoded, Protocol, ProtocolError, ServerMessage,
};
use crate::signalr::results::Settlement;
use crate::signalr::streams::Upload;
use crate::signalr::value::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

/// Why an invocation was not started.
enum NotStarted {
    /// The client is told, and the connection goes on.
    Told(String),
    Breach(ProtocolError),
}

/// One call as its message has it.
struct Asked<'m> {
    id: Option<&'m str>,
    target: &'m str,
    arguments: Encoded<'m>,
    /// Streams that come with it.
    streams: &'m Result<Vec<Cow<'m, str>>, ProtocolError>,
    /// The client wants a stream back.
    streaming: bool,
}

impl<H: Hub> Connection<H> {
    pub(super) fn poll_running(&mut self, context: &mut Context<'_>) {
        let mut place = 0;
        while let Some(work) = &mut self.work
            && place < work.running.len()
        {
            match work.running[place].task.as_mut().poll(context) {
                Poll::Pending => place += 1,
                Poll::Ready(outcome) => {
                    let invocation = work.running.remove(place);
                    self.finish(invocation, outcome);
                }
            }
        }
    }

    /// Acts on a message. Pending if its upload must take other items first.
    pub(super) fn act(
        &mut self,
        protocol: Protocol,
        raw: &[u8],
        message: &ClientMessage<'_>,
        context: &mut Context<'_>,
    ) -> Result<Poll<()>, Ending> {
        match message {
            ClientMessage::Ping | ClientMessage::Ignored => {}
            ClientMessage::Close => return Err(Ending::Asked),
            ClientMessage::Ack(number) => self.client.outbox.acknowledge(*number),
            ClientMessage::Sequence(number) => {
                if let Some(resume) = &mut self.resume {
                    let checked = resume.sequence(*number);
                    checked.map_err(|error| self.breach(error))?;
                }
            }
            ClientMessage::Cancel { id } => self.cancel(id),
            ClientMessage::StreamItem { id, item } => {
                if let Some(work) = &mut self.work {
                    return Ok(work.streams.item(context, id, raw.len(), || {
                        let unreadable = || HubError::new("an item can't be read");
                        item.value().ok_or_else(unreadable)
                    }));
                }
            }
            ClientMessage::Completion { id, outcome } => {
                if !self.server.clients.results.is_awaited(id) {
                    outcome.check().map_err(|error| self.breach(error))?;
                }
                if let Some(work) = &mut self.work
                    && work.streams.end(context, id, outcome.error()).is_pending()
                {
                    return Ok(Poll::Pending);
                }
                self.settle(protocol, raw, id, outcome)?;
            }
            ClientMessage::Invocation {
                invocation_id,
                target,
                arguments,
                streams,
                streaming,
            } => {
                let asked = Asked {
                    id: invocation_id.as_deref(),
                    target,
                    arguments: *arguments,
                    streams,
                    streaming: *streaming,
                };
                self.invoke(&asked, context)?;
            }
        }
        Ok(Poll::Ready(()))
    }

    /// The client returns what it was asked for.
    fn settle(
        &self,
        protocol: Protocol,
        raw: &[u8],
        id: &str,
        outcome: &ClientCompletion<'_>,
    ) -> Result<(), Ending> {
        let clients = &self.server.clients;
        match clients.results.settle(&self.client.id, id, outcome) {
            Settlement::Nothing | Settlement::Settled => {}
            Settlement::Elsewhere(channel) => {
                let framed = protocol.with_framing(raw);
                clients.backplane.send_result(channel, protocol, framed);
            }
            Settlement::Breach(error) => return Err(self.breach(error)),
        }
        Ok(())
    }

    fn invoke(&mut self, asked: &Asked<'_>, context: &mut Context<'_>) -> Result<(), Ending> {
        self.server
            .metrics
            .invocations
            .fetch_add(1, Ordering::Relaxed);
        match self.bind(asked) {
            Ok(Some(invocation)) => {
                let slots = self.server.options.parallel_invocations;
                let work = self.work.as_ref();
                if work.is_some_and(|work| !work.has_room_for(&invocation, slots)) {
                    self.work.get_or_insert_default().held = Some(invocation);
                } else {
                    self.run(invocation, context);
                }
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(NotStarted::Told(error)) => {
                self.answer(asked.id, Err(&error));
                Ok(())
            }
            Err(NotStarted::Breach(error)) => Err(self.breach(error)),
        }
    }

    /// Runs a method as far as it gets; one that has nothing to wait for is done at once.
    pub(super) fn run(&mut self, mut invocation: RunningInvocation, context: &mut Context<'_>) {
        match invocation.task.as_mut().poll(context) {
            Poll::Ready(outcome) => self.finish(invocation, outcome),
            Poll::Pending => {
                let work = self.work.get_or_insert_default();
                work.running.push(invocation);
            }
        }
    }

    /// Binds an invocation to its method: what to run, nothing if a stream was begun, or why that
    /// is not possible (protocol.md, "Error texts").
    fn bind(&mut self, asked: &Asked<'_>) -> Result<Option<RunningInvocation>, NotStarted> {
        let (uploads, mut breach) = match asked.streams {
            Ok(streams) => (streams.iter().map(|id| id.to_string()).collect(), None),
            Err(error) => (Vec::new(), Some(error.clone())),
        };
        if asked.streaming && asked.id.is_none() {
            breach = Some(ProtocolError::Missing("invocationId"));
        }
        let slot = (!asked.streaming && uploads.is_empty()).then(Default::default);
        let asking = match &slot {
            Some(slot) => Asking::InSlot(Arc::clone(slot)),
            None => Asking::Anybody,
        };
        let mut call = Call {
            target: asked.target,
            arguments: asked.arguments,
            uploads: self.open_uploads(asked.target, &uploads)?,
        };
        let started = self.server.hub.invoke(self.caller(asking), &mut call);
        let (target, left) = (call.target, call.uploads.len());
        // As .NET, which looks at the arguments first.
        if let (Some(error), Ok(_) | Err(Refusal::Failed(_) | Refusal::Streams { .. })) =
            (breach, &started)
        {
            return Err(NotStarted::Breach(error));
        }
        let refused = |refusal: Refusal| {
            let detailed = self.server.options.detailed_errors;
            refusal_text(&refusal, target, detailed)
        };
        let result = match (started, asked.streaming) {
            (Err(refusal), _) => Err(refused(refusal)),
            (Ok(StartedMethod::Result(_)), true) => Err(format!(
                "The client attempted to invoke the non-streaming '{target}' method with a \
                 streaming invocation."
            )),
            (Ok(StartedMethod::Stream(_)), false) => Err(format!(
                "The client attempted to invoke the streaming '{target}' method with a \
                 non-streaming invocation."
            )),
            (Ok(_), _) if left > 0 => Err(refused(Refusal::Streams {
                sent: left,
                expected: 0,
            })),
            (Ok(StartedMethod::Result(task)), false) => Ok(Some(RunningInvocation {
                id: asked.id.map(str::to_owned),
                target: target.to_owned(),
                uploads: uploads.clone(),
                slot,
                task,
            })),
            (Ok(StartedMethod::Stream(items)), true) => {
                let id = asked.id.unwrap_or_default();
                let streams = &mut self.work.get_or_insert_default().streams;
                if streams.is_running(id) {
                    Err(format!("Invocation ID '{id}' is already in use."))
                } else if streams.start(id.to_owned(), items) {
                    Ok(None)
                } else {
                    Err(too_many_streams(target))
                }
            }
        };
        if let (Err(_), Some(work)) = (&result, &mut self.work) {
            work.streams.close(&uploads);
        }
        result.map_err(NotStarted::Told)
    }

    fn open_uploads(&mut self, target: &str, ids: &[String]) -> Result<Vec<Upload>, NotStarted> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let streams = &mut self.work.get_or_insert_default().streams;
        let opened = streams.open(ids);
        opened.ok_or_else(|| NotStarted::Told(too_many_streams(target)))
    }

    fn finish(&mut self, invocation: RunningInvocation, outcome: Result<Value, HubError>) {
        let RunningInvocation {
            id,
            target,
            uploads,
            ..
        } = invocation;
        if let Some(work) = &mut self.work {
            work.streams.close(&uploads);
        }
        let failure = outcome.as_ref().err().map(|error| {
            self.server.metrics.invocations_failed.fetch_add(1, Ordering::Relaxed);
            // A client can call as often as it likes: one line for each method, the rest is
            // counted.
            if !self.complained.contains(&target) {
                self.complained.push(target.clone());
                tracing::warn!(connection = &*self.client.id, target, %error, "a hub method failed; more are only counted");
            }
            failed(&target) + &error.suffix(self.server.options.detailed_errors)
        });
        if self.client.is_aborted() {
            return;
        }
        let told = outcome
            .as_ref()
            .map_err(|_| failure.as_deref().unwrap_or_default());
        self.answer(id.as_deref(), told);
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
