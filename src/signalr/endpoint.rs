//! A hub at its path: which request belongs to which transport, and which requests are refused
//! (protocol.md, "Transports").

mod http;
mod negotiate;
mod refusal;
mod sessions;
mod upgrade;

use crate::signalr::connection::Visitor;
use crate::signalr::gate::Admitted;
use crate::signalr::hub::{Admission, Hub, OpeningRequest};
use crate::signalr::request::{accepts_events, bearer_token, matched_path, query, websocket_key};
use crate::signalr::response::{HttpResponse, never_cache, text};
use crate::signalr::server::Server;
use crate::signalr::transport_type::TransportType;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use sessions::Sessions;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// Where clients reach a hub. Clones share their connections.
pub struct HubEndpoint<H> {
    server: Arc<Server<H>>,
    sessions: Arc<Sessions>,
    /// In lower case: paths are matched without regard to case.
    path: Arc<str>,
}

impl<H> Clone for HubEndpoint<H> {
    fn clone(&self) -> Self {
        HubEndpoint {
            server: self.server.clone(),
            sessions: self.sessions.clone(),
            path: self.path.clone(),
        }
    }
}

impl<H: Hub> HubEndpoint<H> {
    pub fn new(server: Arc<Server<H>>, path: &str) -> Self {
        HubEndpoint {
            sessions: Arc::new(Sessions::new(server.budget.clone())),
            server,
            path: path.to_ascii_lowercase().into(),
        }
    }

    pub fn server(&self) -> &Server<H> {
        &self.server
    }

    /// Responds to a request for this hub; `None` if the path is another.
    pub async fn respond(&self, request: &mut Request<Incoming>) -> Option<HttpResponse> {
        let path = matched_path(request);
        let negotiates = match path.strip_prefix(&*self.path)? {
            "" => false,
            "/negotiate" => true,
            _ => return None,
        };
        let expires = match self.server.hub.admit(bearer_token(request).as_deref()) {
            Admission::Welcome => None,
            Admission::Until(end) => Some(end),
            Admission::Refused => return Some(unauthorized()),
        };
        Some(if negotiates {
            self.negotiate(request).await
        } else {
            self.connect(request, expires).await
        })
    }

    async fn connect(
        &self,
        request: &mut Request<Incoming>,
        expires: Option<Instant>,
    ) -> HttpResponse {
        let method = request.method().clone();
        if ![Method::GET, Method::POST, Method::DELETE].contains(&method) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let token = query(request, "id").filter(|id| !id.is_empty());
        let transport = (method == Method::GET).then(|| wanted_transport(request));
        if let Some(transport) = transport
            && !self.server.options.transports.contains(&transport)
        {
            return refusal::not_offered(transport);
        }
        let visitor = self.visitor(request, expires);
        if transport == Some(TransportType::WebSockets) {
            return self.open_websocket(token, request, visitor).await;
        }
        let mut response = match token {
            None => text(StatusCode::BAD_REQUEST, "Connection ID required"),
            Some(token) => self.over_http(&token, transport, request, visitor).await,
        };
        if transport == Some(TransportType::LongPolling) {
            never_cache(response.headers_mut());
        }
        response
    }

    /// The client behind a request, with the request if the hub's methods read it.
    fn visitor(&self, request: &Request<Incoming>, expires: Option<Instant>) -> Visitor {
        let kept = self.server.hub.keeps_requests().then(|| {
            Arc::new(OpeningRequest {
                headers: request.headers().clone(),
                query: request.uri().query().unwrap_or_default().to_owned(),
            })
        });
        Visitor {
            request: kept,
            expires,
            admitted: request.extensions().get::<Arc<Admitted>>().cloned(),
        }
    }

    /// The refusal of one connection too many.
    fn turn_away(&self) -> Option<HttpResponse> {
        let server = &self.server;
        let full =
            server.is_stopping() || server.connections() >= server.options.maximum_connections;
        full.then(|| {
            server.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
            text(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many connections; try again later.",
            )
        })
    }
}

/// The transport that a GET asks for.
fn wanted_transport(request: &Request<Incoming>) -> TransportType {
    if accepts_events(request) {
        TransportType::ServerSentEvents
    } else if websocket_key(request.headers()).is_some() {
        TransportType::WebSockets
    } else {
        TransportType::LongPolling
    }
}

fn unauthorized() -> HttpResponse {
    let mut response = text(StatusCode::UNAUTHORIZED, "");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
