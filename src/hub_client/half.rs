//! The transports that send by POST: server-sent events and long polling.

use super::error::ClientError;
use super::http::{self, Exchange};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use std::time::Duration;
use url::Url;

/// A poll that nothing comes for is answered after 90 seconds.
const POLL: Duration = Duration::from_secs(120);

/// An event stream and the address that takes messages.
pub struct ServerSentEvents {
    url: Url,
    limit: Duration,
    body: Incoming,
    read: String,
}

impl ServerSentEvents {
    pub async fn open(url: Url, limit: Duration) -> Result<Self, ClientError> {
        let request = Exchange::new(Method::GET, &url).header("Accept", "text/event-stream");
        let response = http::open(&request, limit).await?;
        let (head, body) = response.into_parts();
        let is_stream = head
            .headers
            .get("content-type")
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        if head.status != 200 || !is_stream {
            let response = http::Response::new(&head, http::read(body).await?);
            return Err(ClientError::Refused {
                url: url.to_string(),
                response: Box::new(response),
            });
        }
        Ok(ServerSentEvents {
            url,
            limit,
            body,
            read: String::new(),
        })
    }

    pub async fn send(&self, message: String) -> Result<(), ClientError> {
        post(&self.url, message, self.limit).await
    }

    /// The data of the next event.
    pub async fn receive(&mut self) -> Result<String, ClientError> {
        loop {
            while let Some((event, rest)) = self
                .read
                .split_once("\r\n\r\n")
                .or_else(|| self.read.split_once("\n\n"))
            {
                let data: Vec<_> = event
                    .lines()
                    .filter_map(|line| line.strip_prefix("data:"))
                    .map(str::trim_start)
                    .collect();
                let data = data.join("\n");
                self.read = rest.to_owned();
                if !data.is_empty() {
                    return Ok(data);
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.read += &String::from_utf8_lossy(bytes);
                    }
                }
                Some(Err(error)) => return Err(ClientError::Ended(error.to_string())),
                None => return Err(ClientError::Ended(String::new())),
            }
        }
    }
}

/// The address that is polled and takes messages.
pub struct LongPoll {
    url: Url,
    limit: Duration,
}

impl LongPoll {
    /// The first poll comes back at once: it opens the connection.
    pub async fn open(url: Url, limit: Duration) -> Result<Self, ClientError> {
        let response = http::send(&Exchange::new(Method::GET, &url), limit).await?;
        response.successful(&url)?;
        Ok(LongPoll { url, limit })
    }

    pub async fn send(&self, message: String) -> Result<(), ClientError> {
        post(&self.url, message, self.limit).await
    }

    pub async fn receive(&mut self) -> Result<String, ClientError> {
        loop {
            let response = http::send(&Exchange::new(Method::GET, &self.url), POLL).await?;
            match response.status {
                204 => return Err(ClientError::Ended(String::new())),
                _ => {
                    let response = response.successful(&self.url)?;
                    if !response.body.is_empty() {
                        return Ok(response.body);
                    }
                }
            }
        }
    }
}

async fn post(url: &Url, message: String, limit: Duration) -> Result<(), ClientError> {
    let request = Exchange::new(Method::POST, url)
        .header("Content-Type", "text/plain;charset=UTF-8")
        .body(message);
    http::send(&request, limit).await?.successful(url)?;
    Ok(())
}
