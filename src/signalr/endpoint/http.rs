//! Server-sent events and long polling: opening, polling, sending, ending (protocol.md,
//! "Transports").

use super::HubEndpoint;
use super::refusal::{conflict, other_transport, unknown_id};
use super::sessions::Session;
use crate::signalr::connection::{Connection, Visitor};
use crate::signalr::hub::Hub;
use crate::signalr::outbox::Outbox;
use crate::signalr::paced::deadline;
use crate::signalr::registry::Client;
use crate::signalr::response::{HttpResponse, refused, text, typed};
use crate::signalr::transport::http::{HttpTransport, Polled};
use crate::signalr::transport_type::TransportType;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a poll may wait for a message.
const POLL_WITHIN: Duration = Duration::from_secs(90);

impl<H: Hub> HubEndpoint<H> {
    /// Responds to a request of a client that does not use a WebSocket; `transport` is set for a
    /// GET.
    pub(super) async fn over_http(
        &self,
        token: &str,
        transport: Option<TransportType>,
        request: &mut Request<Incoming>,
        visitor: Visitor,
    ) -> HttpResponse {
        let lifetime = self.server.options.disconnect_timeout;
        let Some(session) = self.sessions.find(token, lifetime) else {
            return self.not_here(token).await;
        };
        match (request.method(), transport) {
            (&Method::POST, _) => self.send(token, session, request.body_mut()).await,
            (&Method::DELETE, _) => self.end(token, &session),
            (_, Some(TransportType::ServerSentEvents)) => self.open_events(token, session, visitor),
            _ => self.poll(token, session, visitor).await,
        }
    }

    /// These transports reach one server only; say so if the token is another server's.
    async fn not_here(&self, token: &str) -> HttpResponse {
        match self.server.backplane().redeem(token).await {
            None => unknown_id(),
            Some((_, name)) => text(
                StatusCode::NOT_FOUND,
                &format!(
                    "No Connection with that ID here: it was negotiated at {name}. Server-sent \
                     events and long polling need sticky sessions."
                ),
            ),
        }
    }

    /// Binds a negotiated connection to a transport; `None` if another request did so first.
    fn open(
        &self,
        token: &str,
        transport: TransportType,
        visitor: Visitor,
    ) -> Option<Arc<HttpTransport>> {
        let server = &self.server;
        let idle =
            (transport == TransportType::LongPolling).then_some(server.options.disconnect_timeout);
        let session = self.sessions.bind(token, |negotiated| {
            let client = Arc::new(Client::new(
                negotiated.id,
                Outbox::new(server.options.outbox, None, server.budget.clone()),
            ));
            let connection = Connection::new(server.clone(), client.clone(), transport, visitor);
            Session::Http {
                transport,
                http: HttpTransport::start(connection, client, &negotiated.early, idle),
            }
        });
        match session {
            Some(Session::Http { http, .. }) => {
                server.backplane().retract(token);
                Some(http)
            }
            _ => None,
        }
    }

    fn open_events(&self, token: &str, session: Session, visitor: Visitor) -> HttpResponse {
        match session {
            Session::Http {
                transport: TransportType::ServerSentEvents,
                ..
            } => return conflict(),
            Session::Http { .. } | Session::WebSocket | Session::Resumable { .. } => {
                return other_transport();
            }
            Session::Negotiated(_) => {}
        }
        if let Some(refusal) = self.turn_away() {
            return refusal;
        }
        let Some(http) = self.open(token, TransportType::ServerSentEvents, visitor) else {
            return conflict();
        };
        let events = http.events().map(|event| Ok(Frame::data(event)));
        let mut response = Response::new(StreamBody::new(events).boxed_unsync());
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache,no-store"),
            (header::PRAGMA, "no-cache"),
            (header::CONTENT_ENCODING, "identity"),
            // A proxy that collects a response before it passes it on would hold events back.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }

    async fn poll(&self, token: &str, session: Session, visitor: Visitor) -> HttpResponse {
        let http = match session {
            Session::Http {
                transport: TransportType::LongPolling,
                http,
            } => http,
            Session::Http { .. } | Session::WebSocket | Session::Resumable { .. } => {
                return other_transport();
            }
            Session::Negotiated(_) => return self.first_poll(token, visitor),
        };
        let _waiting = WaitingPoll::new(&self.server.metrics.polls);
        match http.poll(POLL_WITHIN).await {
            Polled::Data(data) => typed(StatusCode::OK, "application/octet-stream", data),
            Polled::Nothing => text(StatusCode::OK, ""),
            Polled::Over => {
                if http.is_over() {
                    self.sessions.remove(token);
                }
                text(StatusCode::NO_CONTENT, "")
            }
        }
    }

    /// The first poll only opens the connection; clients send once it has its response.
    fn first_poll(&self, token: &str, visitor: Visitor) -> HttpResponse {
        if let Some(refusal) = self.turn_away() {
            return refusal;
        }
        match self.open(token, TransportType::LongPolling, visitor) {
            Some(_) => typed(StatusCode::OK, "application/octet-stream", Vec::new()),
            None => conflict(),
        }
    }

    /// Takes what a client sends.
    async fn send(&self, token: &str, mut session: Session, body: &mut Incoming) -> HttpResponse {
        if matches!(session, Session::WebSocket | Session::Resumable { .. }) {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "POST requests are not allowed for WebSocket connections.",
            );
        }
        let (mut began, mut received) = (Instant::now(), 0);
        loop {
            let frame = match timeout_at(deadline(began, received), body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return text(StatusCode::BAD_REQUEST, ""),
                Err(_) => return refused(StatusCode::REQUEST_TIMEOUT),
            };
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            received += piece.len() as u64;
            let looked_at = Instant::now();
            if matches!(session, Session::Negotiated(_)) {
                if self.sessions.keep_early(token, &piece) {
                    continue;
                }
                // A poll has opened it meanwhile.
                let lifetime = self.server.options.disconnect_timeout;
                match self.sessions.find(token, lifetime) {
                    Some(opened) => session = opened,
                    None => return unknown_id(),
                }
            }
            match &session {
                Session::Http { http, .. } if http.send(piece).await => {}
                _ => return unknown_id(),
            }
            // The client is not to blame for the time that its connection took.
            began += looked_at.elapsed();
        }
        text(StatusCode::OK, "")
    }

    fn end(&self, token: &str, session: &Session) -> HttpResponse {
        match session {
            Session::Http {
                transport: TransportType::LongPolling,
                http,
            } => {
                http.delete();
                self.sessions.remove(token);
                text(StatusCode::ACCEPTED, "")
            }
            _ => text(
                StatusCode::BAD_REQUEST,
                "Cannot terminate this connection using the DELETE endpoint.",
            ),
        }
    }
}

/// Counts a poll while it waits; its client may go away meanwhile.
struct WaitingPoll<'m>(&'m AtomicU64);

impl<'m> WaitingPoll<'m> {
    fn new(polls: &'m AtomicU64) -> Self {
        polls.fetch_add(1, Ordering::Relaxed);
        WaitingPoll(polls)
    }
}

impl Drop for WaitingPoll<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
