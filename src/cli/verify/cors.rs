//! Whether a browser page of another origin may connect.

use super::advice::{self, Advice};
use crate::hub_client::endpoint;
use crate::hub_client::http::{self, Exchange};
use hyper::Method;
use std::time::Duration;
use url::Url;

/// Where no origin was given: the address of Harmony.Client in development.
const USUAL_ORIGIN: &str = "https://localhost:7169";

/// Asks as a browser asks before it negotiates. `None` where that is allowed, or where nobody
/// answers, which the connections said already.
pub async fn check(hub: &Url, origin: Option<&Url>, limit: Duration) -> Option<Advice> {
    let origin = match origin {
        Some(origin) => origin.origin().ascii_serialization(),
        None => USUAL_ORIGIN.to_owned(),
    };
    let mut url = endpoint(hub).ok()?;
    url.set_path(&format!("{}/negotiate", url.path()));
    url.set_query(Some("negotiateVersion=1"));
    let request = Exchange::new(Method::OPTIONS, &url)
        .header("Origin", &origin)
        .header("Access-Control-Request-Method", "POST")
        .header(
            "Access-Control-Request-Headers",
            "x-requested-with,x-signalr-user-agent",
        );
    let response = http::send(&request, limit).await.ok()?;
    let allowed = response.header("access-control-allow-origin");
    let credentials = response.header("access-control-allow-credentials");
    let is_allowed = response.status < 300 && allowed == origin && credentials == "true";
    (!is_allowed).then(|| advice::cors(&origin, &response))
}
