//! The hub's HTTP: negotiate, the WebSocket's upgrade, and what is refused (spec: signalr.md A and B).

use crate::signalr::answer::{Answer, json, never_cache, text, typed, whole};
use crate::signalr::connection::{Connection, Visitor};
use crate::signalr::gate::Admitted;
use crate::signalr::outbox::Outbox;
use crate::signalr::registry::Client;
use crate::signalr::sessions::{Handover, Session, Transport};
use crate::signalr::transport::half::{Half, Polled};
use crate::signalr::transport::socket::Socket;
use crate::signalr::transport::{Further, WayBack, run_websocket, websocket};
use crate::signalr::{Admission, Hub, OpeningRequest, Server};
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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long a poll may wait for something to say.
const POLL_WITHIN: Duration = Duration::from_secs(90);

/// Answers a request below `hub`, its path in lower case; `None` where the path is another.
pub async fn answer<H: Hub>(server: &Arc<Server<H>>, hub: &str, request: &mut Request<Incoming>) -> Option<Answer> {
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
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Some(answer);
        }
    };
    match below {
        "" => Some(connect(server, request, expires).await),
        "/negotiate" => Some(negotiate(server, request).await),
        _ => None,
    }
}

async fn negotiate<H: Hub>(server: &Arc<Server<H>>, request: &Request<Incoming>) -> Answer {
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
    let asked = query(request, "useStatefulReconnect").is_some_and(|asked| asked.trim().eq_ignore_ascii_case("true"));
    let resumable = asked && server.options.resume.is_some();
    let lifetime = server.options.disconnect_timeout;
    let most = server.options.maximum_negotiated;
    if server.is_stopping() || !server.sessions.negotiated(&key, id.as_str().into(), resumable, lifetime, most) {
        server.metrics.refused_negotiations.fetch_add(1, Ordering::Relaxed);
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many connections wait to be opened; try again later.");
    }
    // A WebSocket may be opened at any server that shares the backplane.
    server.backplane().announce(&key, &id, lifetime).await;
    let stateful = if resumable { "\"useStatefulReconnect\":true," } else { "" };
    let token = if version == 0 { String::new() } else { format!(",\"connectionToken\":\"{token}\"") };
    let transports: Vec<_> = server.options.transports.iter().map(|transport| {
        let formats = if *transport == Transport::ServerSentEvents { "\"Text\"" } else { "\"Text\",\"Binary\"" };
        format!("{{\"transport\":\"{}\",\"transferFormats\":[{formats}]}}", transport.name())
    }).collect();
    json(format!(
        "{{{stateful}\"negotiateVersion\":{version},\"connectionId\":\"{id}\"{token},\"availableTransports\":[{}]}}",
        transports.join(",")
    ))
}

fn negotiation_error(error: &str) -> Answer {
    json(format!("{{\"error\":\"{error}\"}}"))
}

/// The client's token: `Authorization: Bearer`, else `access_token`, since a browser's WebSocket has no headers.
fn token(request: &Request<Incoming>) -> Option<String> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    bearer.map(|(_, token)| token.trim().to_owned()).or_else(|| query(request, "access_token").filter(|token| !token.is_empty()))
}

async fn connect<H: Hub>(server: &Arc<Server<H>>, request: &mut Request<Incoming>, expires: Option<Instant>) -> Answer {
    let method = request.method().clone();
    if ![Method::GET, Method::POST, Method::DELETE].contains(&method) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let token = query(request, "id").filter(|id| !id.is_empty());
    let key = (method == Method::GET && !accepts_events(request)).then(|| websocket_key(request.headers())).flatten();
    if let Some(key) = key {
        return open_websocket(server, token, &key, request, expires).await;
    }
    let offered = if accepts_events(request) { Transport::ServerSentEvents } else { Transport::LongPolling };
    if method == Method::GET && !server.options.transports.contains(&offered) {
        return not_offered(offered);
    }
    let opening = opening(server, request, expires);
    let mut answer = match token {
        None => text(StatusCode::BAD_REQUEST, "Connection ID required"),
        Some(token) => match server.sessions.find(&token, server.options.disconnect_timeout) {
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
            &format!("No Connection with that ID here: it was negotiated at {name}. Server-sent events and long polling need sticky sessions."),
        ),
    }
}

fn not_offered(transport: Transport) -> Answer {
    text(StatusCode::NOT_FOUND, &format!("{} transport not supported by this end point type", transport.name()))
}

/// The request, where the hub's methods will ask for it.
fn opening<H: Hub>(server: &Server<H>, request: &Request<Incoming>, expires: Option<Instant>) -> Visitor {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let kept = server.hub.keeps_requests().then(|| Arc::new(OpeningRequest { headers: request.headers().clone(), query }));
    Visitor { request: kept, expires, admitted: request.extensions().get::<Arc<Admitted>>().cloned() }
}

fn other_transport() -> Answer {
    text(StatusCode::BAD_REQUEST, "Cannot change transports mid-connection")
}

/// Whether one more connection can be had.
fn turned_away<H: Hub>(server: &Server<H>) -> Option<Answer> {
    let full = server.is_stopping() || server.connections() >= server.options.maximum_connections;
    full.then(|| {
        server.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
        text(StatusCode::SERVICE_UNAVAILABLE, "Too many connections; try again later.")
    })
}

async fn open_websocket<H: Hub>(server: &Arc<Server<H>>, token: Option<String>, key: &[u8], request: &mut Request<Incoming>, expires: Option<Instant>) -> Answer {
    if !server.options.transports.contains(&Transport::WebSocket) {
        return not_offered(Transport::WebSocket);
    }
    if let Some(answer) = turned_away(server) {
        return answer;
    }
    let mut opening = Opening { id: None, token: token.clone(), further: None, visitor: opening(server, request, expires) };
    if let Some(token) = &token {
        match server.sessions.find(token, server.options.disconnect_timeout) {
            None => match server.backplane().redeem(token).await {
                Some((id, _)) if server.sessions.adopt(token) => opening.id = Some(id.into()),
                _ => {
                    let mut answer = unknown_id();
                    answer.headers_mut().remove(header::CONTENT_TYPE);
                    return answer;
                }
            },
            Some(Session::Half { .. }) => return other_transport(),
            Some(Session::WebSocket) => return text(StatusCode::CONFLICT, ""),
            Some(Session::Resumable { way_back, .. }) if way_back.renounced.load(Ordering::Relaxed) => {
                return text(StatusCode::NO_CONTENT, "");
            }
            Some(Session::Resumable { sockets, .. }) => {
                tokio::spawn(hand_over(sockets, hyper::upgrade::on(request)));
                return switching(key);
            }
            Some(Session::Waiting(_)) => {
                let bound = server.sessions.bind(token, |waiting| {
                    opening.id = Some(waiting.id);
                    if !waiting.resumable {
                        return Session::WebSocket;
                    }
                    let (sockets, receiver) = mpsc::channel(1);
                    let way_back = Arc::<WayBack>::default();
                    opening.further = Some(Further { sockets: receiver, way_back: way_back.clone() });
                    Session::Resumable { sockets, way_back }
                });
                if bound.is_none() {
                    return text(StatusCode::CONFLICT, "");
                }
            }
        }
    }
    tokio::spawn(upgraded(server.clone(), opening, hyper::upgrade::on(request)));
    switching(key)
}

/// A WebSocket about to be opened.
struct Opening {
    id: Option<Arc<str>>,
    token: Option<String>,
    /// Set where its client may come back.
    further: Option<Further>,
    visitor: Visitor,
}

fn switching(key: &[u8]) -> Answer {
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
fn open_half<H: Hub>(server: &Arc<Server<H>>, token: &str, transport: Transport, visitor: Visitor) -> Option<Arc<Half>> {
    let idle = (transport == Transport::LongPolling).then_some(server.options.disconnect_timeout);
    let session = server.sessions.bind(token, |waiting| {
        let client = Arc::new(Client::new(waiting.id, Outbox::new(server.options.outbox, None, server.backlog.clone())));
        let connection = Connection::new(server.clone(), client.clone(), transport, visitor);
        Session::Half { transport, half: Half::start(connection, client, &waiting.early, idle) }
    });
    match session {
        Some(Session::Half { half, .. }) => Some(half),
        _ => None,
    }
}

fn open_events<H: Hub>(server: &Arc<Server<H>>, token: &str, session: Session, visitor: Visitor) -> Answer {
    match session {
        Session::Half { transport: Transport::ServerSentEvents, .. } => return text(StatusCode::CONFLICT, ""),
        Session::Half { .. } | Session::WebSocket | Session::Resumable { .. } => return other_transport(),
        Session::Waiting(_) => {}
    }
    if let Some(answer) = turned_away(server) {
        return answer;
    }
    let Some(half) = open_half(server, token, Transport::ServerSentEvents, visitor) else { return text(StatusCode::CONFLICT, "") };
    let events = half.events().map(|event| Ok(Frame::data(event)));
    let mut answer = Response::new(StreamBody::new(events).boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache,no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    answer
}

async fn poll<H: Hub>(server: &Arc<Server<H>>, token: &str, session: Session, visitor: Visitor) -> Answer {
    let half = match session {
        Session::Half { transport: Transport::LongPolling, half } => half,
        Session::Half { .. } | Session::WebSocket | Session::Resumable { .. } => return other_transport(),
        Session::Waiting(_) => {
            // The first poll only opens the connection; clients send once it is answered.
            return turned_away(server).unwrap_or_else(|| match open_half(server, token, Transport::LongPolling, visitor) {
                Some(_) => typed(StatusCode::OK, "application/octet-stream", Vec::new()),
                None => text(StatusCode::CONFLICT, ""),
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
async fn send<H: Hub>(server: &Arc<Server<H>>, token: &str, mut session: Session, body: &mut Incoming) -> Answer {
    if matches!(session, Session::WebSocket | Session::Resumable { .. }) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "POST requests are not allowed for WebSocket connections.");
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return text(StatusCode::BAD_REQUEST, "") };
        let Ok(piece) = frame.into_data() else { continue };
        if matches!(session, Session::Waiting(_)) {
            if server.sessions.keep_early(token, &piece) {
                continue;
            }
            // A poll opened it meanwhile.
            match server.sessions.find(token, server.options.disconnect_timeout) {
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
        Session::Half { transport: Transport::LongPolling, half } => {
            half.abort();
            server.sessions.remove(token);
            text(StatusCode::ACCEPTED, "")
        }
        _ => text(StatusCode::BAD_REQUEST, "Cannot terminate this connection using the DELETE endpoint."),
    }
}

/// Runs the connection once its socket is ours.
async fn upgraded<H: Hub>(server: Arc<Server<H>>, opening: Opening, upgrade: OnUpgrade) {
    let Opening { id, token, further, visitor } = opening;
    if let Some((socket, early)) = socket(upgrade).await {
        let direct = match &socket {
            // Where another socket may follow, only the connection's task knows the present one.
            Socket::Plain(stream) if further.is_none() => Some(stream.clone()),
            _ => None,
        };
        let id = id.unwrap_or_else(|| new_id().into());
        let client = Arc::new(Client::new(id, Outbox::new(server.options.outbox, direct, server.backlog.clone())));
        let mut connection = Connection::new(server.clone(), client, Transport::WebSocket, visitor);
        if further.is_some() {
            connection.offer_resume();
        }
        run_websocket(connection, socket, &early, further).await;
    }
    if let Some(token) = token {
        server.sessions.remove(&token);
    }
}

/// Gives a connection that goes on its new socket.
async fn hand_over(sockets: mpsc::Sender<Handover>, upgrade: OnUpgrade) {
    if let Some(handover) = socket(upgrade).await {
        // A connection that ended meanwhile wants no socket.
        let _ = sockets.send(handover).await;
    }
}

/// The socket of an upgraded request, and what came behind it.
async fn socket(upgrade: OnUpgrade) -> Option<Handover> {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "an upgrade came to nothing");
            return None;
        }
    };
    Some(match upgraded.downcast::<TokioIo<TcpStream>>() {
        // Copied, as a rule nothing: the buffer behind it is eight kilobytes, for as long as the connection lives.
        Ok(parts) => (Socket::Plain(Arc::new(parts.io.into_inner())), parts.read_buf.to_vec()),
        Err(upgraded) => (Socket::Tls(Box::new(TokioIo::new(upgraded))), Vec::new()),
    })
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
    // Sixteen bytes, though nobody asks which.
    let good = |key: &&HeaderValue| base64::engine::general_purpose::STANDARD.decode(key.as_bytes()).is_ok_and(|key| key.len() == 16);
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked).filter(good).map(|key| key.as_bytes().to_vec())
}

fn accepts_events(request: &Request<Incoming>) -> bool {
    request.headers().get_all(header::ACCEPT).iter().any(|accept| {
        accept.to_str().is_ok_and(|accept| accept.split(',').any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream")))
    })
}

/// A value of the query, several of one name with commas between them; names are matched without regard to case.
fn query(request: &Request<Incoming>, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    let values = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value.into_owned()).reduce(|all, value| format!("{all},{value}"))
}

/// 128 random bits in 22 characters.
fn new_id() -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(crate::secret::random::<16>())
}
