//! HTTP responses as ASP.NET Core writes them: plain text, JSON, no caching, CORS for everybody.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;

/// A whole body or a stream of events.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
pub type HttpResponse = Response<Body>;

/// A plain text response.
pub fn text(status: StatusCode, body: &str) -> HttpResponse {
    typed(status, "text/plain", body.as_bytes().to_vec())
}

/// Refuses a malformed request and closes its connection.
pub fn refused(status: StatusCode) -> HttpResponse {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

pub fn json(body: String) -> HttpResponse {
    typed(StatusCode::OK, "application/json", body.into_bytes())
}

/// A body of known length.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

pub fn typed(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> HttpResponse {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Adds the headers with which ASP.NET Core keeps responses out of caches.
pub fn never_cache(headers: &mut HeaderMap) {
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
    headers.insert(
        header::EXPIRES,
        HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"),
    );
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

/// The response to a CORS preflight: every origin, header and method is allowed, with credentials.
pub fn preflight(request: &Request<Incoming>) -> Option<HttpResponse> {
    let method = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if request.method() != Method::OPTIONS || !request.headers().contains_key(header::ORIGIN) {
        return None;
    }
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    let asked = request
        .headers()
        .get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let names: Vec<_> = asked
        .iter()
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(',').map(str::trim))
        .collect();
    if let Ok(names) = HeaderValue::from_str(&names.join(","))
        && !names.is_empty()
    {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    Some(response)
}

/// Lets the requesting origin read the response.
pub fn allow_origin(response: &mut HttpResponse, origin: Option<HeaderValue>) {
    let Some(origin) = origin.filter(|origin| !origin.is_empty()) else {
        return;
    };
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}
