//! What the hub answers to requests: clients, health, the live page.

use crate::hub::allowed_hosts::AllowedHosts;
use crate::hub::allowed_origins::AllowedOrigins;
use crate::hub::methods::HarmonyHub;
use crate::hub::notification::NotificationLimits;
use crate::hub::page;
use crate::hub::settings::{HUB_PATH, HubSettings};
use crate::hub::status::HubStatus;
use crate::signalr::endpoint::HubEndpoint;
use crate::signalr::request::matched_path;
use crate::signalr::response::{self, HttpResponse};
use crate::signalr::serve::Site;
use crate::signalr::server::Server;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What requests are answered from.
pub struct HubSite {
    endpoint: HubEndpoint<HarmonyHub>,
    pub server: Arc<Server<HarmonyHub>>,
    pub status: Arc<HubStatus>,
    page: bool,
    /// Where plain requests are sent to.
    https_port: Option<u16>,
    hosts: AllowedHosts,
    pub(super) notifications: NotificationLimits,
    origins: AllowedOrigins,
    /// Whether notifications come in by the inbox.
    pub(super) has_inbox: bool,
    /// Ends the hub in an orderly way.
    pub(super) stop: CancellationToken,
}

impl Site for HubSite {
    async fn respond(&self, mut request: Request<Incoming>, secure: bool) -> HttpResponse {
        if !self.hosts.welcome(request.headers().get(header::HOST)) {
            return response::text(StatusCode::BAD_REQUEST, "The request hostname is invalid.");
        }
        let origin = request.headers().get(header::ORIGIN).cloned();
        let welcome = self.origins.welcome(request.headers());
        let mut response = match response::preflight(&request) {
            Some(answer) => answer,
            // Browsers keep answers from a page, but not a WebSocket.
            None if !welcome && self.is_for_clients(&request) => {
                response::text(StatusCode::FORBIDDEN, "The origin is not allowed.")
            }
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
        response::allow_origin(&mut response, origin.filter(|_| welcome));
        response
    }
}

impl HubSite {
    pub fn new(
        settings: &HubSettings,
        server: Arc<Server<HarmonyHub>>,
        stop: CancellationToken,
    ) -> Self {
        HubSite {
            endpoint: HubEndpoint::new(server.clone(), HUB_PATH),
            server,
            status: Arc::default(),
            page: settings.page,
            https_port: settings.https_port,
            hosts: settings.hosts.clone(),
            notifications: settings.notifications,
            origins: settings.origins.clone(),
            has_inbox: settings.broker.is_none(),
            stop,
        }
    }

    fn is_for_clients(&self, request: &Request<Incoming>) -> bool {
        matched_path(request).starts_with(&HUB_PATH.to_ascii_lowercase())
    }

    async fn route(&self, request: &mut Request<Incoming>) -> HttpResponse {
        if let Some(response) = self.endpoint.respond(request).await {
            return response;
        }
        match matched_path(request).as_str() {
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
