//! From an HTTP request to a WebSocket: who may open one, and which connection uses it
//! (protocol.md, "Transports" and "Stateful reconnect").

use super::HubEndpoint;
use super::refusal::{conflict, no_id, other_transport, unknown_id};
use super::sessions::{Session, new_id};
use crate::signalr::connection::{Connection, Visitor, WayBack};
use crate::signalr::frame;
use crate::signalr::hub::Hub;
use crate::signalr::outbox::Outbox;
use crate::signalr::paced::Paced;
use crate::signalr::registry::Client;
use crate::signalr::request::websocket_key;
use crate::signalr::response::{HttpResponse, text, whole};
use crate::signalr::transport::socket::ClientSocket;
use crate::signalr::transport::websocket::{Further, Handover, run_websocket};
use crate::signalr::transport_type::TransportType;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Where the next socket of a client that may reconnect comes from.
type Reconnection = (Further, Arc<WayBack>);

/// A WebSocket about to be opened.
struct Opening {
    id: Arc<str>,
    token: Option<String>,
    further: Option<Reconnection>,
    visitor: Visitor,
}

impl<H: Hub> HubEndpoint<H> {
    /// Opens a WebSocket: of a negotiated connection, of one that reconnects, or of a new one if
    /// there is no token.
    pub(super) async fn open_websocket(
        &self,
        token: Option<String>,
        request: &mut Request<Incoming>,
        visitor: Visitor,
    ) -> HttpResponse {
        if let Some(refusal) = self.turn_away() {
            return refusal;
        }
        let Some(key) = websocket_key(request.headers()) else {
            return text(StatusCode::BAD_REQUEST, "");
        };
        let options = &self.server.options;
        let (id, further) = match &token {
            None => match new_id(options.random) {
                Ok(id) => (id.into(), None),
                Err(error) => return no_id(error),
            },
            Some(token) => match self.sessions.find(token, options.disconnect_timeout) {
                None => match self.adopt(token).await {
                    Some(id) => (id, None),
                    None => return no_such_connection(),
                },
                Some(Session::Http { .. }) => return other_transport(),
                Some(Session::WebSocket) => return conflict(),
                Some(Session::Resumable { way_back, .. }) if way_back.is_closed() => {
                    return conflict();
                }
                Some(Session::Resumable { sockets, .. }) => {
                    tokio::spawn(hand_over(sockets, hyper::upgrade::on(request)));
                    return switching(&key);
                }
                Some(Session::Negotiated(_)) => match self.bind(token) {
                    Some(bound) => bound,
                    None => return conflict(),
                },
            },
        };
        let opening = Opening {
            id,
            token,
            further,
            visitor,
        };
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(self.clone().upgraded(opening, upgrade));
        switching(&key)
    }

    /// Takes over a connection that another server negotiated: its id.
    async fn adopt(&self, token: &str) -> Option<Arc<str>> {
        let (id, _) = self.server.backplane().redeem(token).await?;
        self.sessions.adopt(token).then(|| id.into())
    }

    /// Binds a negotiated connection to the WebSocket: its id; `None` if another request did so
    /// first.
    fn bind(&self, token: &str) -> Option<(Arc<str>, Option<Reconnection>)> {
        let mut bound = None;
        self.sessions.bind(token, |negotiated| {
            if !negotiated.resumable {
                bound = Some((negotiated.id, None));
                return Session::WebSocket;
            }
            let (sockets, receiver) = mpsc::channel(1);
            let way_back = Arc::<WayBack>::default();
            let further = Further { sockets: receiver };
            bound = Some((negotiated.id, Some((further, way_back.clone()))));
            Session::Resumable { sockets, way_back }
        })?;
        self.server.backplane().retract(token);
        bound
    }

    /// Runs the connection once its socket is ours.
    async fn upgraded(self, opening: Opening, upgrade: OnUpgrade) {
        let Opening {
            id,
            token,
            further,
            visitor,
        } = opening;
        let server = &self.server;
        if let Some((socket, early)) = socket(upgrade).await {
            let direct = match &socket {
                // If another socket may follow, only the connection's task knows the current one.
                ClientSocket::Plain(stream) if further.is_none() => Some(stream.clone()),
                _ => None,
            };
            let outbox = Outbox::new(server.options.outbox, direct, server.budget.clone());
            let client = Arc::new(Client::new(id, outbox));
            let websockets = TransportType::WebSockets;
            let mut connection = Connection::new(server.clone(), client, websockets, visitor);
            let further = further.map(|(further, way_back)| {
                connection.offer_resume(way_back);
                further
            });
            run_websocket(connection, socket, &early, further).await;
        }
        if let Some(token) = token {
            self.sessions.remove(&token);
        }
    }
}

/// Without a content type, as ASP.NET Core answers a WebSocket.
fn no_such_connection() -> HttpResponse {
    let mut response = unknown_id();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

fn switching(key: &[u8]) -> HttpResponse {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&frame::accept_key(key)) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Gives a connection that continues its new socket.
async fn hand_over(sockets: mpsc::Sender<Handover>, upgrade: OnUpgrade) {
    if let Some(handover) = socket(upgrade).await {
        // A connection that ended meanwhile drops the socket.
        let _ = sockets.send(handover).await;
    }
}

/// The socket of an upgraded request, and the bytes that followed it.
async fn socket(upgrade: OnUpgrade) -> Option<Handover> {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "an upgrade failed");
            return None;
        }
    };
    Some(match upgraded.downcast::<TokioIo<Paced<TcpStream>>>() {
        // Copied, as a rule nothing: the buffer behind it takes eight kilobytes for as long as the
        // connection lives.
        Ok(parts) => (
            ClientSocket::Plain(Arc::new(parts.io.into_inner().into_inner())),
            parts.read_buf.to_vec(),
        ),
        Err(upgraded) => (
            ClientSocket::Tls(Box::new(TokioIo::new(upgraded))),
            Vec::new(),
        ),
    })
}
