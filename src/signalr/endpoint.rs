//! The hub's HTTP: who asks for what, half transports, and what is refused (spec: signalr.md B).

mod negotiate;
mod upgrade;

use crate::signalr::answer::{Answer, never_cache, text, typed};
use crate::signalr::connection::{Connection, Visitor};
use crate::signalr::gate::Admitted;
use crate::signalr::outbox::Outbox;
use crate::signalr::registry::Client;
use crate::signalr::sessions::{Session, Transport};
use crate::signalr::transport::half::{Half, Polled};
use crate::signalr::{Admission, Hub, OpeningRequest, Server};
use base64::Engine;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use negotiate::negotiate;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use upgrade::{open_websocket, websocket_key};

/// How long a poll may wait for something to say.
const POLL_WITHIN: Duration = Duration::from_secs(90);

/// Answers a request below `hub`, its path in lower case; `None` where the path is another.
pub async fn answer<H: Hub>(
    server: &Arc<Server<H>>,
    hub: &str,
    request: &mut Request<Incoming>,
) -> Option<Answer> {
    let path = request.uri().path().to_ascii_lowercase();
    let below = path.strip_suffix('/').unwrap_or(&path).strip_prefix(hub)?;
    if !matches!(below, "" | "/negotiate") {
        return None;
    }
    let expires = match server.hub.admit(token(request).as_deref()) {
        Admission::Welcome => None,
        Admission::Until(end) => Some(end),
        Admission::Refused => {
            let mut answer = text(StatusCode::UNAUTHORIZED, "");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Some(answer);
        }
    };
    match below {
        "" => Some(connect(server, request, expires).await),
        "/negotiate" => Some(negotiate(server, request).await),
        _ => None,
    }
}

/// The client's token: `Authorization: Bearer`, else `access_token`, since a browser's WebSocket has no headers.
fn token(request: &Request<Incoming>) -> Option<String> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = header
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    bearer
        .map(|(_, token)| token.trim().to_owned())
        .or_else(|| query(request, "access_token").filter(|token| !token.is_empty()))
}

async fn connect<H: Hub>(
    server: &Arc<Server<H>>,
    request: &mut Request<Incoming>,
    expires: Option<Instant>,
) -> Answer {
    let method = request.method().clone();
    if ![Method::GET, Method::POST, Method::DELETE].contains(&method) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let token = query(request, "id").filter(|id| !id.is_empty());
    let key = (method == Method::GET && !accepts_events(request))
        .then(|| websocket_key(request.headers()))
        .flatten();
    if let Some(key) = key {
        return open_websocket(server, token, &key, request, expires).await;
    }
    let offered = if accepts_events(request) {
        Transport::ServerSentEvents
    } else {
        Transport::LongPolling
    };
    if method == Method::GET && !server.options.transports.contains(&offered) {
        return not_offered(offered);
    }
    let opening = opening(server, request, expires);
    let mut answer = match token {
        None => text(StatusCode::BAD_REQUEST, "Connection ID required"),
        Some(token) => match server
            .sessions
            .find(&token, server.options.disconnect_timeout)
        {
            None => elsewhere(server, &token).await,
            Some(session) => match method {
                Method::POST => send(server, &token, session, request.body_mut()).await,
                Method::DELETE => end(server, &token, &session),
                _ if accepts_events(request) => open_events(server, &token, session, opening),
                _ => poll(server, &token, session, opening).await,
            },
        },
    };
    if method == Method::GET && !accepts_events(request) {
        never_cache(answer.headers_mut());
    }
    answer
}

fn unknown_id() -> Answer {
    text(StatusCode::NOT_FOUND, "No Connection with that ID")
}

/// A half transport speaks to one server only: where it is another one, that is said.
async fn elsewhere<H: Hub>(server: &Server<H>, token: &str) -> Answer {
    match server.backplane().redeem(token).await {
        None => unknown_id(),
        Some((_, name)) => text(
            StatusCode::NOT_FOUND,
            &format!(
                "No Connection with that ID here: it was negotiated at {name}. Server-sent events and long polling need sticky sessions."
            ),
        ),
    }
}

fn not_offered(transport: Transport) -> Answer {
    text(
        StatusCode::NOT_FOUND,
        &format!(
            "{} transport not supported by this end point type",
            transport.name()
        ),
    )
}

/// The request, where the hub's methods will ask for it.
fn opening<H: Hub>(
    server: &Server<H>,
    request: &Request<Incoming>,
    expires: Option<Instant>,
) -> Visitor {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let kept = server.hub.keeps_requests().then(|| {
        Arc::new(OpeningRequest {
            headers: request.headers().clone(),
            query,
        })
    });
    Visitor {
        request: kept,
        expires,
        admitted: request.extensions().get::<Arc<Admitted>>().cloned(),
    }
}

fn other_transport() -> Answer {
    text(
        StatusCode::BAD_REQUEST,
        "Cannot change transports mid-connection",
    )
}

/// Whether one more connection can be had.
fn turned_away<H: Hub>(server: &Server<H>) -> Option<Answer> {
    let full = server.is_stopping() || server.connections() >= server.options.maximum_connections;
    full.then(|| {
        server.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
        text(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many connections; try again later.",
        )
    })
}

/// Binds a waiting connection to a half transport.
fn open_half<H: Hub>(
    server: &Arc<Server<H>>,
    token: &str,
    transport: Transport,
    visitor: Visitor,
) -> Option<Arc<Half>> {
    let idle = (transport == Transport::LongPolling).then_some(server.options.disconnect_timeout);
    let session = server.sessions.bind(token, |waiting| {
        let client = Arc::new(Client::new(
            waiting.id,
            Outbox::new(server.options.outbox, None, server.backlog.clone()),
        ));
        let connection = Connection::new(server.clone(), client.clone(), transport, visitor);
        Session::Half {
            transport,
            half: Half::start(connection, client, &waiting.early, idle),
        }
    });
    match session {
        Some(Session::Half { half, .. }) => Some(half),
        _ => None,
    }
}

fn open_events<H: Hub>(
    server: &Arc<Server<H>>,
    token: &str,
    session: Session,
    visitor: Visitor,
) -> Answer {
    match session {
        Session::Half {
            transport: Transport::ServerSentEvents,
            ..
        } => return text(StatusCode::CONFLICT, ""),
        Session::Half { .. } | Session::WebSocket | Session::Resumable { .. } => {
            return other_transport();
        }
        Session::Waiting(_) => {}
    }
    if let Some(answer) = turned_away(server) {
        return answer;
    }
    let Some(half) = open_half(server, token, Transport::ServerSentEvents, visitor) else {
        return text(StatusCode::CONFLICT, "");
    };
    let events = half.events().map(|event| Ok(Frame::data(event)));
    let mut answer = Response::new(StreamBody::new(events).boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache,no-store"),
    );
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::CONTENT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    answer
}

async fn poll<H: Hub>(
    server: &Arc<Server<H>>,
    token: &str,
    session: Session,
    visitor: Visitor,
) -> Answer {
    let half = match session {
        Session::Half {
            transport: Transport::LongPolling,
            half,
        } => half,
        Session::Half { .. } | Session::WebSocket | Session::Resumable { .. } => {
            return other_transport();
        }
        Session::Waiting(_) => {
            // The first poll only opens the connection; clients send once it is answered.
            return turned_away(server).unwrap_or_else(|| {
                match open_half(server, token, Transport::LongPolling, visitor) {
                    Some(_) => typed(StatusCode::OK, "application/octet-stream", Vec::new()),
                    None => text(StatusCode::CONFLICT, ""),
                }
            });
        }
    };
    let _waiting = WaitingPoll::new(&server.metrics.polls);
    match half.poll(POLL_WITHIN).await {
        Polled::Data(data) => typed(StatusCode::OK, "application/octet-stream", data),
        Polled::Nothing => text(StatusCode::OK, ""),
        Polled::Over => {
            if half.is_over() {
                server.sessions.remove(token);
            }
            text(StatusCode::NO_CONTENT, "")
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

/// Takes what a client sends over a half transport.
async fn send<H: Hub>(
    server: &Arc<Server<H>>,
    token: &str,
    mut session: Session,
    body: &mut Incoming,
) -> Answer {
    if matches!(session, Session::WebSocket | Session::Resumable { .. }) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "POST requests are not allowed for WebSocket connections.",
        );
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return text(StatusCode::BAD_REQUEST, "");
        };
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if matches!(session, Session::Waiting(_)) {
            if server.sessions.keep_early(token, &piece) {
                continue;
            }
            // A poll opened it meanwhile.
            match server
                .sessions
                .find(token, server.options.disconnect_timeout)
            {
                Some(opened) => session = opened,
                None => return unknown_id(),
            }
        }
        match &session {
            Session::Half { half, .. } if half.send(piece).await => {}
            _ => return unknown_id(),
        }
    }
    text(StatusCode::OK, "")
}

fn end<H: Hub>(server: &Arc<Server<H>>, token: &str, session: &Session) -> Answer {
    match session {
        Session::Half {
            transport: Transport::LongPolling,
            half,
        } => {
            half.abort();
            server.sessions.remove(token);
            text(StatusCode::ACCEPTED, "")
        }
        _ => text(
            StatusCode::BAD_REQUEST,
            "Cannot terminate this connection using the DELETE endpoint.",
        ),
    }
}

fn accepts_events(request: &Request<Incoming>) -> bool {
    request
        .headers()
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| {
            accept.to_str().is_ok_and(|accept| {
                accept
                    .split(',')
                    .any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
            })
        })
}

/// A value of the query, several of one name with commas between them; names are matched without regard to case.
fn query(request: &Request<Incoming>, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    let values = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values
        .map(|(_, value)| value.into_owned())
        .reduce(|all, value| format!("{all},{value}"))
}

/// 128 random bits in 22 characters.
fn new_id() -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(crate::secret::random::<16>())
}
