//! The hub's counts as OpenMetrics text. No label holds anything that a client chose.

use crate::hub::site::HubSite;
use crate::signalr::response::{HttpResponse, text};
use crate::telemetry::{self, Sample, SampleKind};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use std::sync::atomic::Ordering;

pub(super) fn metrics(hub: &HubSite) -> HttpResponse {
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
            "connections_held_too_much",
            "Clients closed because all together made the hub hold too much",
            &engine.held_too_much,
        ),
        gauge(
            "held_bytes",
            "Bytes that clients make the hub hold: what waits either way, uploads, groups",
            hub.server.budget.bytes() as u64,
        ),
        counter(
            "invocations",
            "Hub methods called by clients",
            &engine.invocations,
        ),
        counter(
            "invocations_failed",
            "Hub methods that failed",
            &engine.invocations_failed,
        ),
        counter(
            "log_lines_left_out",
            "Log lines left out because there were too many like them",
            telemetry::left_out(),
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
