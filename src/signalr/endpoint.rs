//! The hub's HTTP: negotiate, the WebSocket's upgrade, and what is refused (spec: signalr.md A and B).

use crate::signalr::answer::{Answer, json, never_cache, text, typed, whole};
use crate::signalr::connection::Connection;
use crate::signalr::outbox::Outbox;
use crate::signalr::registry::Client;
use crate::signalr::sessions::{Session, Transport};
use crate::signalr::transport::half::{Half, Polled};
use crate::signalr::transport::{Socket, run_websocket, websocket};
use crate::signalr::{Hub, Server};
use base64::Engine;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a poll may wait for something to say.
const POLL_WITHIN: Duration = Duration::from_secs(90);

/// Answers a request below `hub`, its path in lower case; `None` where the path is another.
pub async fn answer<H: Hub>(server: &Arc<Server<H>>, hub: &str, request: &mut Request<Incoming>) -> Option<Answer> {
    let path = request.uri().path().to_ascii_lowercase();
    match path.trim_end_matches('/').strip_prefix(hub)? {
        "" => Some(connect(server, request).await),
        "/negotiate" => Some(negotiate(server, request)),
        _ => None,
    }
}

fn negotiate<H: Hub>(server: &Arc<Server<H>>, request: &Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let version = match query(request, "negotiateVersion") {
        None => 0,
        Some(version) => match version.trim().parse::<i32>() {
            Err(_) => return negotiation_error("The client requested a non-integer protocol version."),
            Ok(version) if version < 0 => {
                return negotiation_error(&format!(
                    "The client requested version '{version}', but the server does not support this version."
                ));
            }
            Ok(version) => version.min(1),
        },
    };
    let (id, token) = (new_id(), new_id());
    // Version 0 knows no token: there the id opens the connection.
    let key = if version == 0 { id.clone() } else { token.clone() };
    if server.is_stopping() || !server.sessions.negotiated(&key, id.as_str().into(), server.options.disconnect_timeout) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many connections wait to be opened; try again later.");
    }
    let token = if version == 0 { String::new() } else { format!(",\"connectionToken\":\"{token}\"") };
    json(format!(
        "{{\"negotiateVersion\":{version},\"connectionId\":\"{id}\"{token},\"availableTransports\":[\
         {{\"transport\":\"WebSockets\",\"transferFormats\":[\"Text\",\"Binary\"]}},\
         {{\"transport\":\"ServerSentEvents\",\"transferFormats\":[\"Text\"]}},\
         {{\"transport\":\"LongPolling\",\"transferFormats\":[\"Text\",\"Binary\"]}}]}}"
    ))
}

fn negotiation_error(error: &str) -> Answer {
    json(format!("{{\"error\":\"{error}\"}}"))
}

async fn connect<H: Hub>(server: &Arc<Server<H>>, request: &mut Request<Incoming>) -> Answer {
    let method = request.method().clone();
    if ![Method::GET, Method::POST, Method::DELETE].contains(&method) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let token = query(request, "id");
    let key = (method == Method::GET && !accepts_events(request)).then(|| websocket_key(request.headers())).flatten();
    if let Some(key) = key {
        return open_websocket(server, token, &key, request);
    }
    let mut answer = match token {
        None => text(StatusCode::BAD_REQUEST, "Connection ID required"),
        Some(token) => match server.sessions.find(&token, server.options.disconnect_timeout) {
            None => unknown_id(),
            Some(session) => match method {
                Method::POST => send(server, &token, session, request.body_mut()).await,
                Method::DELETE => end(server, &token, &session),
                _ if accepts_events(request) => open_events(server, &token, session),
                _ => poll(server, &token, session).await,
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

fn other_transport() -> Answer {
    text(StatusCode::BAD_REQUEST, "Cannot change transports mid-connection")
}

/// Whether one more connection can be had.
fn turned_away<H: Hub>(server: &Server<H>) -> Option<Answer> {
    let full = server.is_stopping() || server.connections() >= server.options.maximum_connections;
    full.then(|| {
        server.metrics.turned_away.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        text(StatusCode::SERVICE_UNAVAILABLE, "Too many connections; try again later.")
    })
}

fn open_websocket<H: Hub>(server: &Arc<Server<H>>, token: Option<String>, key: &[u8], request: &mut Request<Incoming>) -> Answer {
    if let Some(answer) = turned_away(server) {
        return answer;
    }
    let mut id = None;
    if let Some(token) = &token {
        match server.sessions.find(token, server.options.disconnect_timeout) {
            None => {
                let mut answer = unknown_id();
                answer.headers_mut().remove(header::CONTENT_TYPE);
                return answer;
            }
            Some(Session::Half { .. }) => return other_transport(),
            Some(Session::WebSocket) => return text(StatusCode::CONFLICT, ""),
            Some(Session::Waiting { .. }) => {}
        }
        let bound = server.sessions.bind(token, |waiting, _| {
            id = Some(waiting);
            Session::WebSocket
        });
        if bound.is_none() {
            return text(StatusCode::CONFLICT, "");
        }
    }
    let id = id.unwrap_or_else(|| new_id().into());
    tokio::spawn(upgraded(server.clone(), id, token, hyper::upgrade::on(request)));
    let mut answer = Response::new(whole(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&websocket::accept_key(key)) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

/// Binds a waiting connection to a half transport.
fn open_half<H: Hub>(server: &Arc<Server<H>>, token: &str, transport: Transport) -> Option<Arc<Half>> {
    let idle = (transport == Transport::LongPolling).then_some(server.options.disconnect_timeout);
    let session = server.sessions.bind(token, |id, early| {
        let client = Arc::new(Client::new(id, Outbox::new(server.options.outbox, None)));
        let pings = transport != Transport::LongPolling;
        let connection = Connection::new(server.clone(), client.clone(), pings);
        Session::Half { transport, half: Half::start(connection, client, &early, idle) }
    });
    match session {
        Some(Session::Half { half, .. }) => Some(half),
        _ => None,
    }
}

fn open_events<H: Hub>(server: &Arc<Server<H>>, token: &str, session: Session) -> Answer {
    match session {
        Session::Half { transport: Transport::ServerSentEvents, .. } => return text(StatusCode::CONFLICT, ""),
        Session::Half { .. } | Session::WebSocket => return other_transport(),
        Session::Waiting { .. } => {}
    }
    if let Some(answer) = turned_away(server) {
        return answer;
    }
    let Some(half) = open_half(server, token, Transport::ServerSentEvents) else { return text(StatusCode::CONFLICT, "") };
    let events = half.events().map(|event| Ok(Frame::data(event)));
    let mut answer = Response::new(StreamBody::new(events).boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache,no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    answer
}

async fn poll<H: Hub>(server: &Arc<Server<H>>, token: &str, session: Session) -> Answer {
    let half = match session {
        Session::Half { transport: Transport::LongPolling, half } => half,
        Session::Half { .. } | Session::WebSocket => return other_transport(),
        Session::Waiting { .. } => {
            // The first poll only opens the connection; clients send once it is answered.
            return turned_away(server).unwrap_or_else(|| match open_half(server, token, Transport::LongPolling) {
                Some(_) => typed(StatusCode::OK, "application/octet-stream", Vec::new()),
                None => text(StatusCode::CONFLICT, ""),
            });
        }
    };
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

/// Takes what a client sends over a half transport.
async fn send<H: Hub>(server: &Arc<Server<H>>, token: &str, session: Session, body: &mut Incoming) -> Answer {
    if matches!(session, Session::WebSocket) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "POST requests are not allowed for WebSocket connections.");
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return text(StatusCode::BAD_REQUEST, "") };
        let Ok(piece) = frame.into_data() else { continue };
        let taken = match &session {
            Session::Half { half, .. } => half.send(piece).await,
            _ => server.sessions.keep_early(token, &piece),
        };
        if !taken {
            return unknown_id();
        }
    }
    text(StatusCode::OK, "")
}

fn end<H: Hub>(server: &Arc<Server<H>>, token: &str, session: &Session) -> Answer {
    match session {
        Session::Half { transport: Transport::LongPolling, half } => {
            half.abort();
            server.sessions.remove(token);
            text(StatusCode::ACCEPTED, "")
        }
        _ => text(StatusCode::BAD_REQUEST, "Cannot terminate this connection using the DELETE endpoint."),
    }
}

/// Runs the connection once its socket is ours.
async fn upgraded<H: Hub>(server: Arc<Server<H>>, id: Arc<str>, token: Option<String>, upgrade: OnUpgrade) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return tracing::debug!(%error, "an upgrade came to nothing"),
    };
    let limits = server.options.outbox;
    let (socket, outbox, early) = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let stream = Arc::new(parts.io.into_inner());
            // Copied, as a rule nothing: the buffer behind it is eight kilobytes, for as long as the connection lives.
            (Socket::Plain(stream.clone()), Outbox::new(limits, Some(stream)), parts.read_buf.to_vec())
        }
        Err(upgraded) => (Socket::Tls(Box::new(TokioIo::new(upgraded))), Outbox::new(limits, None), Vec::new()),
    };
    let connection = Connection::new(server.clone(), Arc::new(Client::new(id, outbox)), true);
    run_websocket(connection, socket, &early).await;
    if let Some(token) = token {
        server.sessions.remove(&token);
    }
}

/// The client's key, where the request asks for a WebSocket in the one version that there is.
fn websocket_key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let has = |name: HeaderName, wanted: &str| {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
            value.split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted))
        })
    };
    let asked = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked).map(|key| key.as_bytes().to_vec())
}

fn accepts_events(request: &Request<Incoming>) -> bool {
    request.headers().get_all(header::ACCEPT).iter().any(|accept| {
        accept.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"))
    })
}

/// A value of the query; names are matched without regard to case.
fn query(request: &Request<Incoming>, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}

/// 128 random bits in 22 characters.
fn new_id() -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(crate::secret::random::<16>())
}
