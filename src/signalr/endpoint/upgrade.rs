//! From an HTTP request to a WebSocket: who may open one, and whose connection goes on over it (spec: signalr.md B and E).

use super::{new_id, not_offered, opening, other_transport, turned_away, unknown_id};
use crate::signalr::answer::{Answer, text, whole};
use crate::signalr::connection::{Connection, Visitor};
use crate::signalr::outbox::Outbox;
use crate::signalr::registry::Client;
use crate::signalr::sessions::{Handover, Session, Transport};
use crate::signalr::transport::socket::Socket;
use crate::signalr::transport::{Further, WayBack, run_websocket, websocket};
use crate::signalr::{Hub, Server};
use base64::Engine;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Opens a WebSocket: of a negotiated connection, one that comes back, or a new one where there is no token.
pub(super) async fn open_websocket<H: Hub>(
    server: &Arc<Server<H>>,
    token: Option<String>,
    key: &[u8],
    request: &mut Request<Incoming>,
    expires: Option<Instant>,
) -> Answer {
    if !server.options.transports.contains(&Transport::WebSocket) {
        return not_offered(Transport::WebSocket);
    }
    if let Some(answer) = turned_away(server) {
        return answer;
    }
    let mut opening = Opening {
        id: None,
        token: token.clone(),
        further: None,
        visitor: opening(server, request, expires),
    };
    if let Some(token) = &token {
        match server
            .sessions
            .find(token, server.options.disconnect_timeout)
        {
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
            Some(Session::Resumable { way_back, .. })
                if way_back.renounced.load(Ordering::Relaxed) =>
            {
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
                    opening.further = Some(Further {
                        sockets: receiver,
                        way_back: way_back.clone(),
                    });
                    Session::Resumable { sockets, way_back }
                });
                if bound.is_none() {
                    return text(StatusCode::CONFLICT, "");
                }
            }
        }
    }
    tokio::spawn(upgraded(
        server.clone(),
        opening,
        hyper::upgrade::on(request),
    ));
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

/// Runs the connection once its socket is ours.
async fn upgraded<H: Hub>(server: Arc<Server<H>>, opening: Opening, upgrade: OnUpgrade) {
    let Opening {
        id,
        token,
        further,
        visitor,
    } = opening;
    if let Some((socket, early)) = socket(upgrade).await {
        let direct = match &socket {
            // Where another socket may follow, only the connection's task knows the present one.
            Socket::Plain(stream) if further.is_none() => Some(stream.clone()),
            _ => None,
        };
        let id = id.unwrap_or_else(|| new_id().into());
        let client = Arc::new(Client::new(
            id,
            Outbox::new(server.options.outbox, direct, server.backlog.clone()),
        ));
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
        Ok(parts) => (
            Socket::Plain(Arc::new(parts.io.into_inner())),
            parts.read_buf.to_vec(),
        ),
        Err(upgraded) => (Socket::Tls(Box::new(TokioIo::new(upgraded))), Vec::new()),
    })
}

/// The client's key, where the request asks for a WebSocket in the one version that there is.
pub(super) fn websocket_key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let has = |name: HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| {
                value
                    .split(',')
                    .any(|token| token.trim().eq_ignore_ascii_case(wanted))
            })
    };
    let asked = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    // Sixteen bytes, though nobody asks which.
    let good = |key: &&HeaderValue| {
        base64::engine::general_purpose::STANDARD
            .decode(key.as_bytes())
            .is_ok_and(|key| key.len() == 16)
    };
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|_| asked)
        .filter(good)
        .map(|key| key.as_bytes().to_vec())
}
