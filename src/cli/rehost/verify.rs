//! Whether a web server hands out what was written: plain, and in each compressed form.

use crate::appsettings::{self, Links};
use crate::cli::failure::{Exit, Failure};
use crate::hub_client::http::{Exchange, open};
use http_body_util::{BodyExt, Limited};
use hyper::Method;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use url::Url;

const WITHIN: Duration = Duration::from_secs(10);
/// More than settings hold.
const LARGEST: usize = 4 << 20;

/// Compares what a web server sends from below a URL with the file.
pub(super) async fn served(site: &Url, file: &Path) -> Result<(), Failure> {
    let written = appsettings::read_file(file, Links::Followed)?.unwrap_or_default();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut url = site.clone();
    let path = format!("{}/{name}", site.path().trim_end_matches('/'));
    url.set_path(&path);
    for coding in ["identity", "gzip", "br"] {
        let served = fetch(&url, coding).await?;
        if served != written {
            let message = format!("{url} serves other settings than were written ({coding})");
            return Err(Failure::new(Exit::Failed, "staleSettings", message)
                .why("the server keeps a copy, or serves another folder")
                .fix("restart it or clear its cache, then verify again"));
        }
    }
    Ok(())
}

async fn fetch(url: &Url, coding: &str) -> Result<Vec<u8>, Failure> {
    let failed = |why: String| {
        let message = format!("cannot fetch {url}");
        Failure::new(Exit::Failed, "notServed", message)
            .why(why)
            .fix("correct --verify-url, or start the web server")
    };
    let exchange = Exchange::new(Method::GET, url).header("Accept-Encoding", coding);
    let response = open(&exchange, WITHIN)
        .await
        .map_err(|error| failed(error.to_string()))?;
    if !response.status().is_success() {
        return Err(failed(format!("the response is {}", response.status())));
    }
    let header = response.headers().get("content-encoding");
    let applied = header
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
        .to_owned();
    let body = tokio::time::timeout(
        WITHIN,
        Limited::new(response.into_body(), LARGEST).collect(),
    );
    let body = body
        .await
        .map_err(|_| failed(format!("it did not end within {WITHIN:?}")))?
        .map_err(|error| failed(error.to_string()))?
        .to_bytes();
    let limit = LARGEST as u64;
    let mut text = Vec::new();
    let read = match applied.as_str() {
        "gzip" => flate2::read::GzDecoder::new(&*body)
            .take(limit)
            .read_to_end(&mut text),
        "br" => brotli::Decompressor::new(&*body, 4096)
            .take(limit)
            .read_to_end(&mut text),
        _ => (&*body).read_to_end(&mut text),
    };
    read.map_err(|error| failed(error.to_string()))?;
    Ok(text)
}
