//! The live page: what the hub is, and a form to watch a board.

use crate::signalr::response::{HttpResponse, whole};
use hyper::header::{self, HeaderValue};

const PAGE: &str = include_str!("page.html");
/// The page's own script and style, connections to this hub, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self' ws: wss:; frame-ancestors 'none'";

pub fn answer() -> HttpResponse {
    let mut answer = HttpResponse::new(whole(PAGE));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    answer
}
