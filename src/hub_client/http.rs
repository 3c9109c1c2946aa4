//! One HTTP request and its response, each within a time limit.

use super::error::ClientError;
pub use super::response::Response;
use super::stream::Address;
use crate::task;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::response::Parts;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use url::Url;

/// The largest body that is read.
const LARGEST_BODY: usize = 1 << 20;

/// A request.
pub struct Exchange<'r> {
    method: Method,
    url: &'r Url,
    headers: Vec<(&'r str, &'r str)>,
    body: Bytes,
}

impl<'r> Exchange<'r> {
    pub fn new(method: Method, url: &'r Url) -> Self {
        Exchange {
            method,
            url,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub fn header(mut self, name: &'r str, value: &'r str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn request(&self, address: &Address) -> Result<Request<Full<Bytes>>, ClientError> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(target)
            .header(header::HOST, address.to_string());
        // Hyper leaves the length of an empty body out; HTTP/1.0 demands it, and proxies speak
        // that.
        if self.method == Method::POST {
            request = request.header(header::CONTENT_LENGTH, self.body.len());
        }
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request
            .body(Full::new(self.body.clone()))
            .map_err(|error| ClientError::Protocol(error.to_string()))
    }
}

impl Response {
    pub fn new(head: &Parts, body: String) -> Self {
        Response {
            status: head.status.as_u16(),
            headers: head.headers.clone(),
            body,
        }
    }

    /// Itself where it is a success, else the error that it stands for.
    pub fn successful(self, url: &Url) -> Result<Self, ClientError> {
        match self.status {
            200..300 => Ok(self),
            _ => Err(ClientError::Refused {
                url: url.to_string(),
                response: Box::new(self),
            }),
        }
    }
}

/// Sends a request and reads the whole response.
pub async fn send(exchange: &Exchange<'_>, limit: Duration) -> Result<Response, ClientError> {
    within(limit, exchange.url, async {
        let (head, body) = start(exchange).await?.into_parts();
        Ok(Response::new(&head, read(body).await?))
    })
    .await
}

/// Sends a request and returns once the head of its response is here; the body may go on for ever.
pub async fn open(
    exchange: &Exchange<'_>,
    limit: Duration,
) -> Result<hyper::Response<Incoming>, ClientError> {
    within(limit, exchange.url, start(exchange)).await
}

pub async fn read(body: Incoming) -> Result<String, ClientError> {
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(|error| ClientError::Ended(error.to_string()))?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

async fn start(exchange: &Exchange<'_>) -> Result<hyper::Response<Incoming>, ClientError> {
    let address = Address::of(exchange.url)?;
    let request = exchange.request(&address)?;
    let stream = TokioIo::new(address.connect().await?);
    let ended = |error: hyper::Error| ClientError::Ended(error.to_string());
    let (mut sender, connection) = http1::handshake(stream).await.map_err(ended)?;
    // Ends with the response's body; what goes wrong on it the sender reports.
    task::spawn(async move {
        let _ = connection.await;
    });
    sender.send_request(request).await.map_err(ended)
}

/// Ends what takes too long.
pub async fn within<T>(
    limit: Duration,
    url: &Url,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(ClientError::Silent {
            address: Address::of(url)?.to_string(),
            limit,
        }),
    }
}
