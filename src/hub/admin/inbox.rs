//! Notifications by HTTP, where there is no broker.

use crate::broker::TYPE_HEADER;
use crate::hub::intake;
use crate::hub::notification::{Outcome, TypeHeader};
use crate::hub::site::HubSite;
use crate::signalr::broadcast::Broadcast;
use crate::signalr::delivery::Recipients;
use crate::signalr::response::{HttpResponse, text};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use hyper::{Request, StatusCode};
use std::sync::atomic::Ordering;

/// A notification's body at most.
const MAXIMUM_BODY: usize = 4 << 20;

pub(super) async fn notify<B: Body>(hub: &HubSite, request: Request<B>) -> HttpResponse
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
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
