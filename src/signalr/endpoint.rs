//! The hub's HTTP: negotiate, the WebSocket's upgrade, and what is refused (spec: signalr.md A and B).

use crate::signalr::connection::Connection;
use crate::signalr::outbox::Outbox;
use crate::signalr::registry::Client;
use crate::signalr::transport::{Socket, run_websocket, websocket};
use crate::signalr::{Hub, Server};
use base64::Engine;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub type Answer = Response<Full<Bytes>>;

/// Negotiated connections that nobody has opened yet, at most.
const MAXIMUM_NEGOTIATED: usize = 100_000;

/// Connections that were negotiated and wait to be opened: their token, id and birth.
#[derive(Default)]
pub struct Negotiated {
    waiting: Mutex<HashMap<String, (Arc<str>, Instant)>>,
}

impl Negotiated {
    fn add(&self, token: String, id: Arc<str>, lifetime: Duration) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Swept when the table has doubled, so that the cost per connection stays constant.
        if waiting.len() >= 1024 && waiting.len().is_power_of_two() {
            waiting.retain(|_, (_, born)| born.elapsed() < lifetime);
        }
        if waiting.len() >= MAXIMUM_NEGOTIATED {
            waiting.retain(|_, (_, born)| born.elapsed() < lifetime);
        }
        let room = waiting.len() < MAXIMUM_NEGOTIATED;
        if room {
            waiting.insert(token, (id, Instant::now()));
        }
        room
    }

    fn take(&self, token: &str, lifetime: Duration) -> Option<Arc<str>> {
        let (id, born) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(token)?;
        (born.elapsed() < lifetime).then_some(id)
    }

    fn holds(&self, token: &str) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).contains_key(token)
    }
}

/// Answers a request below `hub`, its path in lower case; `None` where the path is another.
pub fn answer<H: Hub>(server: &Arc<Server<H>>, hub: &str, request: &mut Request<Incoming>) -> Option<Answer> {
    let path = request.uri().path().to_ascii_lowercase();
    match path.trim_end_matches('/').strip_prefix(hub)? {
        "" => Some(connect(server, request)),
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
    if server.is_stopping() || !server.negotiated.add(key, id.as_str().into(), server.options.disconnect_timeout) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many connections wait to be opened; try again later.");
    }
    let token = if version == 0 { String::new() } else { format!(",\"connectionToken\":\"{token}\"") };
    json(format!(
        "{{\"negotiateVersion\":{version},\"connectionId\":\"{id}\"{token},\"availableTransports\":[\
         {{\"transport\":\"WebSockets\",\"transferFormats\":[\"Text\",\"Binary\"]}}]}}"
    ))
}

fn negotiation_error(error: &str) -> Answer {
    json(format!("{{\"error\":\"{error}\"}}"))
}

fn connect<H: Hub>(server: &Arc<Server<H>>, request: &mut Request<Incoming>) -> Answer {
    let method = request.method().clone();
    if ![Method::GET, Method::POST, Method::DELETE].contains(&method) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let token = query(request, "id");
    let key = (method == Method::GET).then(|| websocket_key(request.headers())).flatten();
    let Some(key) = key else {
        let mut answer = match &token {
            None => text(StatusCode::BAD_REQUEST, "Connection ID required"),
            Some(token) if server.negotiated.holds(token) => {
                text(StatusCode::NOT_FOUND, &format!("{} transport not supported by this end point type", transport(request)))
            }
            Some(_) => text(StatusCode::NOT_FOUND, "No Connection with that ID"),
        };
        if method == Method::GET && !accepts_events(request) {
            never_cache(answer.headers_mut());
        }
        return answer;
    };
    let id = match token {
        None => new_id().into(),
        Some(token) => match server.negotiated.take(&token, server.options.disconnect_timeout) {
            Some(id) => id,
            None => {
                let mut answer = text(StatusCode::NOT_FOUND, "No Connection with that ID");
                answer.headers_mut().remove(header::CONTENT_TYPE);
                return answer;
            }
        },
    };
    if server.is_stopping() || server.connections() >= server.options.maximum_connections {
        server.metrics.turned_away.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many connections; try again later.");
    }
    tokio::spawn(upgraded(server.clone(), id, hyper::upgrade::on(request)));
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&websocket::accept_key(&key)) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

/// Runs the connection once its socket is ours.
async fn upgraded<H: Hub>(server: Arc<Server<H>>, id: Arc<str>, upgrade: OnUpgrade) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return tracing::debug!(%error, "an upgrade came to nothing"),
    };
    let limits = server.options.outbox;
    let (socket, outbox, early) = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let stream = Arc::new(parts.io.into_inner());
            (Socket::Plain(stream.clone()), Outbox::new(limits, Some(stream)), parts.read_buf)
        }
        Err(upgraded) => (Socket::Tls(Box::new(TokioIo::new(upgraded))), Outbox::new(limits, None), Bytes::new()),
    };
    let connection = Connection::new(server, Arc::new(Client::new(id, outbox)));
    run_websocket(connection, socket, &early).await;
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

fn transport(request: &Request<Incoming>) -> &'static str {
    if accepts_events(request) { "ServerSentEvents" } else { "LongPolling" }
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

/// The server's name among its peers: the host's, an underscore and a random number.
pub fn new_server_name(host: &str) -> String {
    let hex: String = crate::secret::random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{host}_{hex}")
}

/// A plain text answer.
pub fn text(status: StatusCode, body: &str) -> Answer {
    typed(status, "text/plain", body.to_owned())
}

fn json(body: String) -> Answer {
    typed(StatusCode::OK, "application/json", body)
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// The headers with which ASP.NET Core keeps answers out of caches.
pub fn never_cache(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

/// The answer to a CORS preflight; every origin, header and method is welcome, with credentials.
pub fn preflight(request: &Request<Incoming>) -> Option<Answer> {
    let method = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if request.method() != Method::OPTIONS || !request.headers().contains_key(header::ORIGIN) {
        return None;
    }
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    if let Some(headers) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
    }
    Some(answer)
}

/// Lets the asking origin read the answer.
pub fn allow_origin(answer: &mut Answer, origin: Option<HeaderValue>) {
    let Some(origin) = origin else { return };
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
