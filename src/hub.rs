//! Harmony's hub assembled: consumer to backplane to connections, health and admin beside them, and an orderly stop.

pub mod compose;
pub mod consumer;
pub mod date;
pub mod inbox;
pub mod methods;
pub mod notification;
pub mod page;
pub mod settings;
pub mod shape;
pub mod status;

use crate::hub::consumer::Consumer;
use crate::hub::methods::HarmonyHub;
use crate::hub::settings::{HUB_NAME, HUB_PATH, HubSettings};
use crate::hub::status::Status;
use crate::signalr::backplane::Backplane;
use crate::signalr::backplane::redis::{RedisBackplane, new_server_name};
use crate::signalr::answer::{self, Answer};
use crate::signalr::endpoint;
use crate::signalr::{Options, Server};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const TLS_WITHIN: Duration = Duration::from_secs(10);
/// A request's head at most.
const MAXIMUM_HEAD: usize = 32 << 10;
/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A bound address, and its certificate where it speaks TLS.
pub struct Listener {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
}

/// Runs the hub on its listeners until `stop`, then drains it: consuming ends first, what is in
/// flight is finished and acknowledged, then clients are told to reconnect.
pub async fn run(settings: HubSettings, listeners: Vec<Listener>, admin: Vec<TcpListener>, stop: CancellationToken) {
    let redis = settings.redis;
    let server = Server::new(HarmonyHub, Options::default(), |registry, delivery, metrics| match redis {
        None => Backplane::Local(delivery),
        Some(options) => {
            let name = new_server_name(&host_name());
            Backplane::Redis(RedisBackplane::start(options, HUB_NAME, name, registry, delivery, metrics))
        }
    });
    let hub = Arc::new(Hub { server, status: Arc::default(), page: settings.page });
    let serving = CancellationToken::new();
    let connections = TaskTracker::new();
    for Listener { listener, tls } in listeners {
        connections.spawn(accept(listener, tls, hub.clone(), serving.clone(), connections.clone()));
    }
    for listener in admin {
        connections.spawn(inbox::serve(listener, hub.clone(), serving.clone()));
    }
    match settings.broker {
        Some(address) => {
            Consumer::new(address, hub.server.clone(), hub.status.clone(), stop.clone()).run().await;
        }
        None => hub.status.set_broker(true),
    }
    stop.cancelled().await;
    tracing::info!("stopping: clients are told to reconnect");
    let deadline = Instant::now() + STOP_WITHIN;
    serving.cancel();
    hub.server.stop(deadline).await;
    connections.close();
    let _ = tokio::time::timeout_at(deadline, connections.wait()).await;
}

/// What requests are answered from.
pub struct Hub {
    pub server: Arc<Server<HarmonyHub>>,
    pub status: Arc<Status>,
    page: bool,
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    hub: Arc<Hub>,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match stream {
            Ok((stream, _)) => {
                // Hub messages are small and wait for nobody.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve_connection(stream, tls.clone(), hub.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, as a rule: the listener stays, and tries again shortly.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, tls: Option<TlsAcceptor>, hub: Arc<Hub>, stop: CancellationToken) {
    let answer = move |request| {
        let hub = hub.clone();
        async move { hub.answer(request).await }
    };
    match tls {
        None => serve_http(stream, stop, answer).await,
        Some(acceptor) => match tokio::time::timeout(TLS_WITHIN, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, stop, answer).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

/// Speaks HTTP/1.1 on one connection until it ends, is upgraded, or `stop`.
pub(crate) async fn serve_http<S, A, F>(stream: S, stop: CancellationToken, answer: A)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(MAXIMUM_HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}

impl Hub {
    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut response = match answer::preflight(&request) {
            Some(answer) => answer,
            None => self.route(&mut request).await,
        };
        answer::allow_origin(&mut response, origin);
        response
    }

    async fn route(&self, request: &mut Request<Incoming>) -> Answer {
        if let Some(answer) = endpoint::answer(&self.server, &HUB_PATH.to_ascii_lowercase(), request).await {
            return answer;
        }
        match request.uri().path().to_ascii_lowercase().trim_end_matches('/') {
            "/healthz/ready" => health(self.is_ready()),
            "/healthz/live" => health(true),
            "" if self.page => page::answer(),
            _ => {
                let mut nothing = answer::text(StatusCode::NOT_FOUND, "");
                nothing.headers_mut().remove(header::CONTENT_TYPE);
                nothing
            }
        }
    }

    /// Notifications come in, and reach everybody.
    pub fn is_ready(&self) -> bool {
        self.status.broker() && self.server.backplane().is_ready()
    }
}

fn health(healthy: bool) -> Answer {
    let (status, text) =
        if healthy { (StatusCode::OK, "Healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy") };
    let mut health = answer::text(status, text);
    answer::never_cache(health.headers_mut());
    health
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
