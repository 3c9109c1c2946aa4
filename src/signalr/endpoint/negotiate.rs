//! What a client is offered before it connects (protocol.md, "Negotiation").

use super::HubEndpoint;
use super::refusal::no_id;
use super::sessions::new_id;
use crate::signalr::hub::Hub;
use crate::signalr::request::query;
use crate::signalr::response::{HttpResponse, json, text};
use crate::signalr::transport_type::TransportType;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use std::sync::atomic::Ordering;

impl<H: Hub> HubEndpoint<H> {
    /// Offers the transports, and a token for one of them.
    pub(super) async fn negotiate(&self, request: &Request<Incoming>) -> HttpResponse {
        if request.method() != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let version = match version(query(request, "negotiateVersion").as_deref()) {
            Ok(version) => version,
            Err(error) => return json(format!("{{\"error\":\"{error}\"}}")),
        };
        let server = &self.server;
        let new_id = || new_id(server.options.random);
        let (id, token) = match (new_id(), new_id()) {
            (Ok(id), Ok(token)) => (id, token),
            (Err(error), _) | (_, Err(error)) => return no_id(error),
        };
        // Version 0 has no token: the id opens the connection.
        let key = if version == 0 { &id } else { &token };
        let asked = query(request, "useStatefulReconnect")
            .is_some_and(|asked| asked.trim().eq_ignore_ascii_case("true"));
        let resumable = asked && server.options.resume.is_some();
        let lifetime = server.options.disconnect_timeout;
        let most = server.options.maximum_negotiated;
        let accepted = !server.is_stopping()
            && self
                .sessions
                .negotiated(key, id.as_str().into(), resumable, lifetime, most);
        if !accepted {
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
        server.backplane().announce(key, &id, lifetime).await;
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
        let transports: Vec<_> = server.options.transports.iter().map(offer).collect();
        json(format!(
            "{{{stateful}\"negotiateVersion\":{version},\"connectionId\":\"{id}\"{token},\
             \"availableTransports\":[{}]}}",
            transports.join(",")
        ))
    }
}

/// The version to speak, 0 or 1, or why there is none.
fn version(asked: Option<&str>) -> Result<i32, String> {
    let Some(asked) = asked else { return Ok(0) };
    // As Int32.Parse: white space around the number, then zero bytes.
    let number = asked
        .trim_end_matches('\0')
        .trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    match number.parse::<i32>() {
        Err(_) => Err("The client requested a non-integer protocol version.".into()),
        Ok(version) if version < 0 => Err(format!(
            "The client requested version '{version}', but the server does not support this \
             version."
        )),
        Ok(version) => Ok(version.min(1)),
    }
}

fn offer(transport: &TransportType) -> String {
    let formats = match transport {
        TransportType::ServerSentEvents => "\"Text\"",
        TransportType::WebSockets | TransportType::LongPolling => "\"Text\",\"Binary\"",
    };
    let name = transport.name();
    format!("{{\"transport\":\"{name}\",\"transferFormats\":[{formats}]}}")
}
