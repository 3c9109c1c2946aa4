//! Requests that are refused, in ASP.NET Core's words (protocol.md, "Transports").

use crate::secret::RandomError;
use crate::signalr::response::{HttpResponse, text};
use crate::signalr::transport_type::TransportType;
use hyper::StatusCode;

pub(super) fn unknown_id() -> HttpResponse {
    text(StatusCode::NOT_FOUND, "No Connection with that ID")
}

pub(super) fn not_offered(transport: TransportType) -> HttpResponse {
    text(
        StatusCode::NOT_FOUND,
        &format!(
            "{} transport not supported by this end point type",
            transport.name()
        ),
    )
}

pub(super) fn other_transport() -> HttpResponse {
    text(
        StatusCode::BAD_REQUEST,
        "Cannot change transports mid-connection",
    )
}

/// The connection is not in a state to be opened.
pub(super) fn conflict() -> HttpResponse {
    text(StatusCode::CONFLICT, "")
}

/// An id that could be guessed would let others into the connection.
pub(super) fn no_id(error: RandomError) -> HttpResponse {
    tracing::error!(%error, "a connection is refused");
    text(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}
