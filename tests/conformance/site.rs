//! Where each hub is, and the routes beside them: redirects, tokens, cookies, bad negotiations.

use crate::reference::ReferenceHub;
use crate::test_hub::{AuthorizedHub, EchoConnection, TestHub};
use crate::weather::WeatherHub;
use harmony::connection_string::redis::{RedisOptions, RedisStringError};
use harmony::json_web_token;
use harmony::signalr::backplane::Backplane;
use harmony::signalr::backplane::redis::{RedisBackplane, new_server_name};
use harmony::signalr::endpoint::HubEndpoint;
use harmony::signalr::hub::Hub;
use harmony::signalr::options::Options;
use harmony::signalr::request::matched_path;
use harmony::signalr::response::{self, HttpResponse, text, typed};
use harmony::signalr::results::ResultType;
use harmony::signalr::serve::Site;
use harmony::signalr::server::Server;
use harmony::signalr::transport_type::TransportType;
use harmony::signalr::value::NamingPolicy;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// What signs the tokens that this program makes for its own tests.
pub fn token_secret() -> &'static str {
    "yoursecretkeyheretoSignalRserver"
}

const REFERENCE_HUB: &str = "Harmony.SignalR.Hubs.SignalRHub";

pub struct Conformance {
    test: HubEndpoint<TestHub>,
    without_websockets: HubEndpoint<TestHub>,
    authorized: HubEndpoint<AuthorizedHub>,
    echo: HubEndpoint<EchoConnection>,
    weather: HubEndpoint<WeatherHub>,
    reference: HubEndpoint<ReferenceHub>,
    redirects: AtomicU64,
}

fn alone<H: Hub>(path: &str, hub: H, options: Options) -> HubEndpoint<H> {
    let server = Server::new(hub, options, |parts| Backplane::Local(parts.delivery));
    HubEndpoint::new(server, path)
}

impl Conformance {
    pub fn new(redis: Option<&str>) -> Result<Self, RedisStringError> {
        let redis = redis
            .filter(|text| !text.is_empty())
            .map(RedisOptions::parse)
            .transpose()?;
        let parallel = std::env::var("MaximumParallelInvocationsPerClient");
        let parallel_invocations = parallel.ok().and_then(|text| text.parse().ok());
        let is_set = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
        let parallel_invocations = parallel_invocations.unwrap_or(1);
        let test = Options {
            detailed_errors: true,
            naming: NamingPolicy::AsDeclared,
            parallel_invocations,
            ..Options::default()
        };
        let halves = vec![TransportType::ServerSentEvents, TransportType::LongPolling];
        let reference = Options {
            detailed_errors: is_set("DetailedErrors"),
            parallel_invocations,
            ..Options::default()
        };
        let reference = Server::new(ReferenceHub, reference, |parts| match redis {
            None => Backplane::Local(parts.delivery),
            Some(options) => Backplane::Redis(RedisBackplane::start(
                options,
                REFERENCE_HUB,
                new_server_name("vm"),
                parts,
            )),
        });
        Ok(Conformance {
            without_websockets: alone(
                "/testhub-nowebsockets",
                TestHub,
                Options {
                    transports: halves,
                    ..test.clone()
                },
            ),
            test: alone("/testhub", TestHub, test.clone()),
            authorized: alone("/authorizedhub", AuthorizedHub, test),
            echo: alone("/echo", EchoConnection, Options::default()),
            weather: alone("/weatherhub", WeatherHub, Options::default()),
            reference: HubEndpoint::new(reference, "/signalRHub"),
            redirects: AtomicU64::new(0),
        })
    }

    pub async fn stop(&self, deadline: Instant) {
        tokio::join!(
            self.test.server().stop(deadline),
            self.without_websockets.server().stop(deadline),
            self.authorized.server().stop(deadline),
            self.echo.server().stop(deadline),
            self.weather.server().stop(deadline),
            self.reference.server().stop(deadline)
        );
    }

    async fn route(&self, request: &mut Request<Incoming>) -> HttpResponse {
        let path = matched_path(request);
        if let Some(rest) = path.strip_prefix("/echoredirect") {
            return redirect(&format!("/echo{rest}"), request.uri().query());
        }
        if path.starts_with("/bad-negotiate") {
            return text(StatusCode::BAD_REQUEST, "Some response from server");
        }
        if path == "/redirect/negotiate" {
            let number = self.redirects.fetch_add(1, Ordering::Relaxed) + 1;
            let base = parameter(request, "baseUrl").unwrap_or_default();
            return response::json(
                serde_json::json!({ "url": format!("{base}/testHub?numRedirects={number}") })
                    .to_string(),
            );
        }
        if path == "/generatejwttoken" {
            return text(StatusCode::OK, &token(5));
        }
        if let Some(file) = path.strip_prefix("/lib/signalr-webworker/") {
            return web_worker(file);
        }
        if path == "/api/auth/login" {
            return login(request).await;
        }
        if let Some(id) = request.uri().path().strip_prefix("/clientresult/") {
            return client_result(self.test.server(), id).await;
        }
        if let Some(response) = self.at_a_hub(request).await {
            return response;
        }
        match path.as_str() {
            "/healthz/ready" if !self.reference.server().backplane().is_ready() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "Unhealthy")
            }
            "/healthz/ready" => text(StatusCode::OK, "Healthy"),
            _ => text(StatusCode::NOT_FOUND, ""),
        }
    }
}

impl Conformance {
    /// The response of the hub whose path the request has.
    async fn at_a_hub(&self, request: &mut Request<Incoming>) -> Option<HttpResponse> {
        let mut response = self.without_websockets.respond(request).await;
        if response.is_none() {
            response = self.test.respond(request).await;
        }
        if response.is_none() {
            response = self.authorized.respond(request).await;
        }
        if response.is_none() {
            response = self.echo.respond(request).await;
        }
        if response.is_none() {
            response = self.weather.respond(request).await;
        }
        match response {
            Some(response) => Some(response),
            None => self.reference.respond(request).await,
        }
    }
}

impl Site for Conformance {
    async fn respond(&self, mut request: Request<Incoming>, secure: bool) -> HttpResponse {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let negotiating = request
            .uri()
            .path()
            .to_ascii_lowercase()
            .ends_with("/negotiate");
        let mut answer = match response::preflight(&request) {
            Some(answer) => answer,
            None if request.method() == Method::OPTIONS => {
                typed(StatusCode::NO_CONTENT, "text/plain", Vec::new())
            }
            None => self.route(&mut request).await,
        };
        if negotiating {
            let attributes = if secure {
                "; SameSite=None; Secure; Partitioned"
            } else {
                ""
            };
            for cookie in [
                "testCookie=testValue",
                "testCookie2=testValue2",
                "expiredCookie=doesntmatter; expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ] {
                if let Ok(value) = HeaderValue::from_str(&format!("{cookie}; path=/{attributes}")) {
                    answer.headers_mut().append(header::SET_COOKIE, value);
                }
            }
        }
        response::allow_origin(&mut answer, origin);
        answer
    }
}

/// 307, which keeps the method and the body.
fn redirect(path: &str, query: Option<&str>) -> HttpResponse {
    let mut answer = text(StatusCode::TEMPORARY_REDIRECT, "");
    let place = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    if let Ok(place) = HeaderValue::from_str(&place) {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    answer
}

/// The client's build for web workers, from the folder of modules that `NODE_MODULES` names.
fn web_worker(file: &str) -> HttpResponse {
    let modules = std::env::var_os("NODE_MODULES").filter(|_| file == "signalr.js");
    let path = modules.map(|modules| {
        Path::new(&modules)
            .join("@microsoft/signalr/dist/webworker")
            .join(file)
    });
    match path.and_then(|path| std::fs::read(path).ok()) {
        Some(script) => typed(StatusCode::OK, "text/javascript", script),
        None => text(StatusCode::NOT_FOUND, ""),
    }
}

fn parameter(request: &Request<Incoming>, name: &str) -> Option<String> {
    let query = request.uri().query()?.to_owned();
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn token(seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let claims = serde_json::json!({
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": "testuser",
        "iss": "SignalRTestServer", "aud": "SignalRTests", "exp": now + seconds,
    });
    json_web_token::sign(&claims, token_secret())
}

async fn login(request: &mut Request<Incoming>) -> HttpResponse {
    let body = match Limited::new(request.body_mut(), 4096).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return text(StatusCode::BAD_REQUEST, ""),
    };
    let given: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let is = |name: &str, value: &str| given[name] == value;
    if is("username", "test") && is("password", "password") {
        response::json(serde_json::json!({ "token": token(1800) }).to_string())
    } else {
        text(StatusCode::UNAUTHORIZED, "")
    }
}

/// What the client's `Result` returns, or why it does not.
async fn client_result(server: &Server<TestHub>, id: &str) -> HttpResponse {
    let result = server
        .clients
        .invoke_for(ResultType::Int32, id, "Result", &[]);
    let said = match result.await {
        Ok(number) => String::from_utf8_lossy(&number.to_json(NamingPolicy::AsDeclared)).into(),
        Err(error) => error.message().to_owned(),
    };
    text(StatusCode::OK, &said)
}
