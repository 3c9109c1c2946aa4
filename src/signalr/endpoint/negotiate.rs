//! What a client is offered before it connects (spec: signalr.md A).

use super::{new_id, query};
use crate::signalr::answer::{Answer, json, text};
use crate::signalr::sessions::Transport;
use crate::signalr::{Hub, Server};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Answers a negotiation: which transports there are, and a token for one of them.
pub(super) async fn negotiate<H: Hub>(
    server: &Arc<Server<H>>,
    request: &Request<Incoming>,
) -> Answer {
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let version = match query(request, "negotiateVersion") {
        None => 0,
        Some(version) => match version.trim().parse::<i32>() {
            Err(_) => {
                return negotiation_error("The client requested a non-integer protocol version.");
            }
            Ok(version) if version < 0 => {
                return negotiation_error(&format!(
                    "The client requested version '{version}', but the server does not support this version."
                ));
            }
            Ok(version) => version.min(1),
        },
    };
    let (id, token) = (new_id(), new_id());
    // Version 0 knows no token: there the id opens the connection.
    let key = if version == 0 {
        id.clone()
    } else {
        token.clone()
    };
    let asked = query(request, "useStatefulReconnect")
        .is_some_and(|asked| asked.trim().eq_ignore_ascii_case("true"));
    let resumable = asked && server.options.resume.is_some();
    let lifetime = server.options.disconnect_timeout;
    let most = server.options.maximum_negotiated;
    if server.is_stopping()
        || !server
            .sessions
            .negotiated(&key, id.as_str().into(), resumable, lifetime, most)
    {
        server
            .metrics
            .refused_negotiations
            .fetch_add(1, Ordering::Relaxed);
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many connections wait to be opened; try again later.",
        );
    }
    // A WebSocket may be opened at any server that shares the backplane.
    server.backplane().announce(&key, &id, lifetime).await;
    let stateful = if resumable {
        "\"useStatefulReconnect\":true,"
    } else {
        ""
    };
    let token = if version == 0 {
        String::new()
    } else {
        format!(",\"connectionToken\":\"{token}\"")
    };
    let transports: Vec<_> = server
        .options
        .transports
        .iter()
        .map(|transport| {
            let formats = if *transport == Transport::ServerSentEvents {
                "\"Text\""
            } else {
                "\"Text\",\"Binary\""
            };
            format!(
                "{{\"transport\":\"{}\",\"transferFormats\":[{formats}]}}",
                transport.name()
            )
        })
        .collect();
    json(format!(
        "{{{stateful}\"negotiateVersion\":{version},\"connectionId\":\"{id}\"{token},\"availableTransports\":[{}]}}",
        transports.join(",")
    ))
}

fn negotiation_error(error: &str) -> Answer {
    json(format!("{{\"error\":\"{error}\"}}"))
}
