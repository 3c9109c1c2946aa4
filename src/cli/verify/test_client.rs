//! One client of `verify`: connects, joins the board, hears, stays.

use super::advice::{self, Advice};
use crate::hub_client::{ClientError, ClientTransport, HubClient};
use std::time::{Duration, Instant};
use url::Url;

const EVENT: &str = "OnCardTitleChanged";

/// How a hub is reached.
#[derive(Debug, Clone)]
pub struct Way {
    pub url: Url,
    /// `None` without negotiation, by WebSocket, as Harmony.Client does it.
    pub transport: Option<ClientTransport>,
}

impl Way {
    pub fn direct(url: Url) -> Self {
        Way {
            url,
            transport: None,
        }
    }

    pub fn negotiated(url: Url, transport: ClientTransport) -> Self {
        Way {
            url,
            transport: Some(transport),
        }
    }

    async fn connect(&self, limit: Duration) -> Result<HubClient, ClientError> {
        match self.transport {
            None => HubClient::connect(&self.url, limit).await,
            Some(transport) => HubClient::negotiate(&self.url, transport, limit).await,
        }
    }
}

pub struct TestClient {
    pub way: Way,
    client: Option<HubClient>,
    advice: Option<Advice>,
    pub heard: bool,
    pub milliseconds: f64,
}

impl TestClient {
    pub async fn join(way: Way, board: &str, limit: Duration) -> Self {
        let joined = async {
            let mut client = way.connect(limit).await?;
            let joining = client.invoke("ListenForBoardEvents", board);
            match tokio::time::timeout(limit, joining).await {
                Ok(joined) => joined.map(|()| client),
                Err(_) => Err(ClientError::Silent {
                    address: way.url.to_string(),
                    limit,
                }),
            }
        };
        let (client, advice) = match joined.await {
            Ok(client) => (Some(client), None),
            Err(error) => (None, Some(advice::of(way.transport, &error))),
        };
        TestClient {
            way,
            client,
            advice,
            heard: false,
            milliseconds: 0.0,
        }
    }

    /// What went wrong, and what to do.
    pub fn problem(&self) -> Option<(String, String)> {
        let advice = self.advice.as_ref()?;
        Some((advice.what.clone(), advice.fix.clone()))
    }

    /// Waits for the notification of a title, where one was published.
    pub async fn hear(&mut self, published: bool, title: &str, since: Instant, limit: Duration) {
        let Some(client) = self.client.as_mut().filter(|_| published) else {
            return;
        };
        let hearing = async {
            loop {
                let (event, arguments) = client.hear().await?;
                if event == EVENT && arguments[0]["title"] == title {
                    return Ok::<_, ClientError>(());
                }
            }
        };
        self.advice = match tokio::time::timeout(limit, hearing).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(advice::of(self.way.transport, &error)),
            Err(_) => Some(advice::not_delivered(limit)),
        };
        self.heard = self.advice.is_none();
        self.milliseconds = milliseconds(since);
    }

    /// Stays connected until the hub's next ping, or for a time: a proxy that cuts silent
    /// connections does it within.
    pub async fn hold(&mut self, duration: Duration) {
        let Some(client) = self.client.as_mut().filter(|_| self.advice.is_none()) else {
            return;
        };
        let began = Instant::now();
        if let Ok(Err(error)) = tokio::time::timeout(duration, client.await_ping()).await {
            self.advice = Some(advice::cut(began.elapsed(), &error));
        }
    }
}

pub fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e4).round() / 10.0
}
