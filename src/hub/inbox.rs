//! The admin listener, for this machine only: metrics, and notifications by HTTP where there is no broker.

use crate::broker::TYPE_HEADER;
use crate::hub::Hub;
use crate::hub::intake;
use crate::hub::notification::{Outcome, TypeHeader};
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::response::{HttpResponse, text};
use crate::signalr::serve::serve_http;
use crate::telemetry::{self, Sample, SampleKind};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A notification's body at most.
const MAXIMUM_BODY: usize = 4 << 20;
/// Connections at once; more wait in the backlog.
const MAXIMUM_CONNECTIONS: usize = 64;

/// Serves one listener until `stop`.
pub async fn serve(listener: TcpListener, hub: Arc<Hub>, stop: CancellationToken) {
    let room = Arc::new(tokio::sync::Semaphore::new(MAXIMUM_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (hub, stop) = (hub.clone(), stop.clone());
        tokio::spawn(async move {
            let answer = move |request| answer(hub.clone(), request);
            // Who asks this listener badly is on this machine, and hears it himself.
            let _ = serve_http(stream, stop, answer).await;
            drop(permit);
        });
    }
}

async fn answer(hub: Arc<Hub>, request: Request<Incoming>) -> HttpResponse {
    if !names_this_machine(&request) {
        return text(
            StatusCode::FORBIDDEN,
            "The admin listener answers this machine only.",
        );
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => metrics(&hub),
        (&Method::POST, "/notifications") => notify(&hub, request).await,
        (_, "/metrics" | "/notifications") => text(StatusCode::METHOD_NOT_ALLOWED, ""),
        _ => text(
            StatusCode::NOT_FOUND,
            "There is /metrics, and POST /notifications.",
        ),
    }
}

/// A page elsewhere that has its name resolved to this machine must not get in.
fn names_this_machine(request: &Request<Incoming>) -> bool {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = crate::connection_string::Endpoint::parse(host, 80);
    host.is_some_and(|host| host.is_loopback()) && !request.headers().contains_key(header::ORIGIN)
}

async fn notify(hub: &Hub, request: Request<Incoming>) -> HttpResponse {
    let header = request.headers().get(TYPE_HEADER).cloned();
    let Ok(body) = Limited::new(request.into_body(), MAXIMUM_BODY)
        .collect()
        .await
    else {
        return text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than 4 MB, or broke off.",
        );
    };
    let header = header.as_ref().map_or(TypeHeader::NoHeaders, |value| {
        TypeHeader::Text(value.as_bytes())
    });
    hub.status.consumed.fetch_add(1, Ordering::Relaxed);
    let mut body = Vec::from(body.to_bytes());
    match intake::read(header, &mut body, &hub.notifications).await {
        Ok(Outcome::Deliver {
            group,
            event,
            argument,
        }) => {
            let message = (
                Recipients::Group(group.into()),
                Broadcast::invocation(event, &[&argument]),
            );
            match hub.server.backplane().publish(&[message]).await {
                Ok(()) => text(StatusCode::ACCEPTED, ""),
                Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
            }
        }
        Ok(Outcome::Drop) => {
            hub.status.ignored.fetch_add(1, Ordering::Relaxed);
            text(StatusCode::NO_CONTENT, "")
        }
        Err(rejection) => {
            let reason = rejection.to_string();
            hub.status.reject(&rejection, &reason);
            text(StatusCode::UNPROCESSABLE_ENTITY, &reason)
        }
    }
}

fn metrics(hub: &Hub) -> HttpResponse {
    let (engine, status) = (&hub.server.metrics, &hub.status);
    let counter = |name, help, value: &std::sync::atomic::AtomicU64| Sample {
        name,
        help,
        value: value.load(Ordering::Relaxed),
        kind: SampleKind::Counter,
    };
    let gauge = |name, help, value: u64| Sample {
        name,
        help,
        value,
        kind: SampleKind::Gauge,
    };
    let body = telemetry::open_metrics(vec![
        gauge(
            "connections",
            "Clients connected now",
            hub.server.connections() as u64,
        ),
        gauge(
            "broker_connected",
            "1 while notifications can come in",
            u64::from(status.broker()),
        ),
        gauge(
            "backplane_ready",
            "1 while broadcasts reach every hub",
            u64::from(hub.server.backplane().is_ready()),
        ),
        counter(
            "connections_opened",
            "Clients that connected",
            &engine.connections_opened,
        ),
        counter(
            "connections_closed",
            "Clients that left",
            &engine.connections_closed,
        ),
        counter(
            "connections_turned_away",
            "Connections refused because there were too many",
            &engine.turned_away,
        ),
        gauge(
            "connections_half_open",
            "Connections that have not said what they want",
            engine.half_open.load(Ordering::Relaxed),
        ),
        counter(
            "connections_refused_half_open",
            "Connections refused because too many were half-open",
            &engine.refused_half_open,
        ),
        counter(
            "connections_refused_address",
            "Connections refused because their address had too many",
            &engine.refused_address,
        ),
        counter(
            "negotiations_refused",
            "Negotiations refused because too many connections waited to be opened",
            &engine.refused_negotiations,
        ),
        counter(
            "joins_refused",
            "Joins refused because the client was in too many groups, or their names were too long",
            &engine.refused_joins,
        ),
        gauge(
            "polls_waiting",
            "Long polls that wait for something to say",
            engine.polls.load(Ordering::Relaxed),
        ),
        counter(
            "connections_bad_http",
            "Connections that sent no HTTP, too much of it, or too slowly",
            &engine.bad_requests,
        ),
        counter(
            "connections_broken_protocol",
            "Clients closed because they broke the protocol or sent too large a message",
            &engine.breaches,
        ),
        counter(
            "clients_throttled",
            "Times that a client sent more than it may in a second, and had to wait",
            &engine.throttled,
        ),
        counter(
            "connections_too_slow",
            "Clients closed because they did not read",
            &engine.too_slow,
        ),
        counter(
            "invocations",
            "Hub methods called by clients",
            &engine.invocations,
        ),
        counter(
            "deliveries",
            "Messages queued for a client",
            &engine.delivered,
        ),
        counter(
            "backplane_dropped",
            "Messages of other hubs dropped because this one could not keep up",
            &engine.dropped,
        ),
        counter("notifications", "Notifications taken in", &status.consumed),
        counter(
            "notifications_ignored",
            "Notifications of no interest to clients",
            &status.ignored,
        ),
        counter(
            "notifications_rejected",
            "Notifications set aside",
            &status.rejected,
        ),
        counter(
            "notifications_discarded",
            "Notifications dropped because they could not be set aside",
            &status.discarded,
        ),
        counter(
            "notifications_duplicate",
            "Redelivered notifications that clients had heard",
            &status.duplicates,
        ),
    ]);
    let mut answer = text(StatusCode::OK, &body);
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(telemetry::OPEN_METRICS),
    );
    answer
}
