//! Beside the hub: the admin listener, for who holds its token, and the metrics listener, for who
//! may reach it.

mod inbox;
mod metrics;

use crate::connection_string::Endpoint;
use crate::hub::site::HubSite;
use crate::secret::{RandomError, Secret, random, system_random};
use crate::signalr::response::{HttpResponse, text};
use crate::signalr::serve::serve_http;
use crate::task;
use hyper::body::Body;
use hyper::header;
use hyper::{Method, Request, StatusCode};
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections at once; more wait in the backlog.
const MAXIMUM_CONNECTIONS: usize = 64;
/// How long one connection may last.
const CONNECTION_WITHIN: Duration = Duration::from_secs(60);
/// The pause after a connection could not be accepted, for want of files as a rule.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// What a listener beside the hub serves, and to whom.
#[derive(Clone)]
pub enum Door {
    /// Everything, to this machine's programs that hold the token.
    Admin(AdminToken),
    /// Metrics, to everybody who reaches it.
    Metrics,
}

/// The token that opens the admin listener, kept so that comparing takes the same time for every
/// guess.
#[derive(Clone)]
pub struct AdminToken {
    key: Arc<hmac::Key>,
    tag: hmac::Tag,
}

impl AdminToken {
    pub fn new(token: &Secret) -> Result<Self, RandomError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random::<32>(system_random)?);
        Ok(AdminToken {
            tag: hmac::sign(&key, token.reveal().as_bytes()),
            key: Arc::new(key),
        })
    }

    fn opens_for<B>(&self, request: &Request<B>) -> bool {
        let given = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .unwrap_or_default();
        hmac::verify(&self.key, given, self.tag.as_ref()).is_ok()
    }
}

/// Serves one listener until `stop`.
pub async fn serve(listener: TcpListener, door: Door, hub: Arc<HubSite>, stop: CancellationToken) {
    let room = Arc::new(tokio::sync::Semaphore::new(MAXIMUM_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let (hub, door, stop) = (hub.clone(), door.clone(), stop.clone());
        task::spawn(async move {
            let respond = move |request| {
                let (hub, door) = (hub.clone(), door.clone());
                async move { respond(&hub, &door, request).await }
            };
            // The listener is local; a malformed request needs no log entry.
            let serving = serve_http(stream, stop, respond);
            let _ = tokio::time::timeout(CONNECTION_WITHIN, serving).await;
            drop(permit);
        });
    }
}

/// The response to one request.
pub async fn respond<B: Body>(hub: &HubSite, door: &Door, request: Request<B>) -> HttpResponse
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let Door::Admin(token) = door else {
        return match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => metrics::metrics(hub),
            (_, "/metrics") => text(StatusCode::METHOD_NOT_ALLOWED, ""),
            _ => text(StatusCode::NOT_FOUND, "There is /metrics."),
        };
    };
    if !names_this_machine(&request) {
        let why = "The admin listener answers this machine only.";
        return text(StatusCode::FORBIDDEN, why);
    }
    if !token.opens_for(&request) {
        let why = "Send the admin token: Authorization: Bearer TOKEN.";
        return text(StatusCode::UNAUTHORIZED, why);
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => metrics::metrics(hub),
        (&Method::POST, "/notifications") if hub.has_inbox => inbox::notify(hub, request).await,
        // As a signal does, which not every system has.
        (&Method::POST, "/stop") => {
            hub.stop.cancel();
            text(StatusCode::ACCEPTED, "")
        }
        (_, "/metrics" | "/stop") => text(StatusCode::METHOD_NOT_ALLOWED, ""),
        (_, "/notifications") if hub.has_inbox => text(StatusCode::METHOD_NOT_ALLOWED, ""),
        _ => text(
            StatusCode::NOT_FOUND,
            "There is /metrics, POST /stop, and POST /notifications where no RabbitMQ is used.",
        ),
    }
}

/// A page elsewhere that has its name resolved to this machine must not get in.
fn names_this_machine<B>(request: &Request<B>) -> bool {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = Endpoint::parse(host, 80);
    host.is_some_and(|host| host.is_loopback()) && !request.headers().contains_key(header::ORIGIN)
}
