//! Harmony's hub assembled: consumer to backplane to connections, health and admin beside them, and an orderly stop.

pub mod allowed_hosts;
pub mod compose;
pub mod consumer;
pub mod date;
pub mod inbox;
pub mod intake;
pub mod methods;
pub mod notification;
pub mod page;
pub mod settings;
pub mod shape;
pub mod status;

use crate::hub::allowed_hosts::AllowedHosts;
use crate::hub::consumer::Consumer;
use crate::hub::methods::HarmonyHub;
use crate::hub::notification::NotificationLimits;
use crate::hub::settings::{HUB_NAME, HUB_PATH, HubSettings};
use crate::hub::status::Status;
use crate::platform;
use crate::signalr::backplane::Backplane;
use crate::signalr::backplane::redis::{RedisBackplane, new_server_name};
use crate::signalr::endpoint::Endpoint;
use crate::signalr::gate::Gate;
use crate::signalr::response::{self, HttpResponse};
use crate::signalr::serve::{self, Listener, Site};
use crate::signalr::server::Server;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Runs the hub on its listeners until `stop`, then drains it: consuming ends first, what is in
/// flight is finished and acknowledged, then clients are told to reconnect.
pub async fn run(
    settings: HubSettings,
    listeners: Vec<Listener>,
    admin: Vec<TcpListener>,
    stop: CancellationToken,
) {
    let redis = settings.redis;
    let server = Server::new(
        HarmonyHub {
            token_secret: settings.token_secret,
        },
        settings.options,
        |parts| match redis {
            None => Backplane::Local(parts.delivery),
            Some(options) => {
                let name = new_server_name(&platform::host_name());
                Backplane::Redis(RedisBackplane::start(options, HUB_NAME, name, parts))
            }
        },
    );
    let hub = Arc::new(Hub {
        endpoint: Endpoint::new(server.clone(), HUB_PATH),
        server,
        status: Arc::default(),
        page: settings.page,
        https_port: settings.https_port,
        hosts: settings.hosts,
        notifications: settings.notifications,
    });
    let gate = Gate::new(hub.server.options.gate, hub.server.metrics.clone());
    let serving = CancellationToken::new();
    let connections = TaskTracker::new();
    for listener in listeners {
        connections.spawn(serve::accept(
            listener,
            hub.clone(),
            gate.clone(),
            serving.clone(),
            connections.clone(),
        ));
    }
    for listener in admin {
        connections.spawn(inbox::serve(listener, hub.clone(), serving.clone()));
    }
    match settings.broker {
        Some(address) => {
            let consumer = Consumer::new(
                address,
                hub.server.clone(),
                hub.status.clone(),
                stop.clone(),
                settings.notifications,
            );
            // A task, since what runs on the main thread is woken across threads for each message.
            if let Err(panicked) = tokio::spawn(consumer.run()).await {
                std::panic::resume_unwind(panicked.into_panic());
            }
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
    endpoint: Endpoint<HarmonyHub>,
    pub server: Arc<Server<HarmonyHub>>,
    pub status: Arc<Status>,
    page: bool,
    /// Where plain requests are sent to.
    https_port: Option<u16>,
    hosts: AllowedHosts,
    notifications: NotificationLimits,
}

impl Site for Hub {
    async fn respond(&self, mut request: Request<Incoming>, secure: bool) -> HttpResponse {
        if !self.hosts.welcome(request.headers().get(header::HOST)) {
            return response::text(StatusCode::BAD_REQUEST, "The request hostname is invalid.");
        }
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut response = match response::preflight(&request) {
            Some(answer) => answer,
            None => match self
                .https_port
                .filter(|_| !secure)
                .and_then(|port| to_https(&request, port))
            {
                Some(redirect) => redirect,
                None => self.route(&mut request).await,
            },
        };
        if secure && !is_localhost(&request) {
            response.headers_mut().insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=2592000"),
            );
        }
        response::allow_origin(&mut response, origin);
        response
    }
}

impl Hub {
    async fn route(&self, request: &mut Request<Incoming>) -> HttpResponse {
        if let Some(response) = self.endpoint.respond(request).await {
            return response;
        }
        let path = request.uri().path().to_ascii_lowercase();
        match path.strip_suffix('/').unwrap_or(&path) {
            "/healthz/ready" => health(self.is_ready()),
            "/healthz/live" => health(true),
            "" if self.page => page::answer(),
            _ => {
                let mut nothing = response::text(StatusCode::NOT_FOUND, "");
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

/// 307 to the same place by TLS, as ASP.NET Core's redirection does it.
fn to_https(request: &Request<Incoming>, port: u16) -> Option<HttpResponse> {
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(host, |(name, _)| name);
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    let place = request
        .uri()
        .path_and_query()
        .map_or("/", |place| place.as_str());
    let mut answer = response::text(StatusCode::TEMPORARY_REDIRECT, "");
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer.headers_mut().insert(
        header::LOCATION,
        HeaderValue::from_str(&format!("https://{name}{port}{place}")).ok()?,
    );
    Some(answer)
}

/// Browsers are never told to use TLS only for a name that every machine has.
fn is_localhost(request: &Request<Incoming>) -> bool {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|known| {
        host.split_once(known).is_some_and(|(before, rest)| {
            before.is_empty() && (rest.is_empty() || rest.starts_with(':'))
        })
    })
}

fn health(healthy: bool) -> HttpResponse {
    let (status, text) = if healthy {
        (StatusCode::OK, "Healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy")
    };
    let mut health = response::text(status, text);
    response::never_cache(health.headers_mut());
    health
}
