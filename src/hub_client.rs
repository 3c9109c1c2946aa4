//! A small SignalR client: proves that a hub answers, over any transport, and hears what it sends.

mod error;
mod half;
pub mod http;
mod response;
mod stream;

pub use error::ClientError;

use crate::socket::ByteStream;
use futures_util::{SinkExt, StreamExt};
use half::{LongPoll, ServerSentEvents};
use http::{Exchange, within};
use hyper::Method;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;
use stream::Address;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use url::Url;

const SEPARATOR: char = '\u{1e}';

/// The transports that a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTransport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
}

impl ClientTransport {
    pub const ALL: [Self; 3] = [Self::WebSockets, Self::ServerSentEvents, Self::LongPolling];

    /// As SignalR spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSockets => "WebSockets",
            Self::ServerSentEvents => "ServerSentEvents",
            Self::LongPolling => "LongPolling",
        }
    }
}

/// What carries the messages.
enum Carrier {
    WebSocket(Box<WebSocketStream<Box<dyn ByteStream>>>),
    ServerSentEvents(ServerSentEvents),
    LongPoll(LongPoll),
}

/// A connected client, its handshake done.
pub struct HubClient {
    carrier: Carrier,
    waiting: VecDeque<Value>,
}

impl HubClient {
    /// Connects as Harmony.Client does: a WebSocket without negotiation, JSON.
    pub async fn connect(hub: &Url, limit: Duration) -> Result<Self, ClientError> {
        let endpoint = endpoint(hub)?;
        within(limit, &endpoint, async {
            Self::introduce(web_socket(&endpoint).await?).await
        })
        .await
    }

    /// Negotiates, then connects by one transport.
    pub async fn negotiate(
        hub: &Url,
        transport: ClientTransport,
        limit: Duration,
    ) -> Result<Self, ClientError> {
        let endpoint = endpoint(hub)?;
        within(limit, &endpoint, async {
            let address = negotiated(&endpoint, transport, limit).await?;
            let carrier = match transport {
                ClientTransport::WebSockets => web_socket(&address).await?,
                ClientTransport::ServerSentEvents => {
                    Carrier::ServerSentEvents(ServerSentEvents::open(address, limit).await?)
                }
                ClientTransport::LongPolling => {
                    Carrier::LongPoll(LongPoll::open(address, limit).await?)
                }
            };
            Self::introduce(carrier).await
        })
        .await
    }

    async fn introduce(carrier: Carrier) -> Result<Self, ClientError> {
        let mut client = HubClient {
            carrier,
            waiting: VecDeque::new(),
        };
        client.send("{\"protocol\":\"json\",\"version\":1}").await?;
        match client.next().await? {
            Value::Object(response) if response.is_empty() => Ok(client),
            response => Err(ClientError::Protocol(response.to_string())),
        }
    }

    /// Calls a method and waits for its completion; messages meanwhile are kept.
    pub async fn invoke(&mut self, target: &str, argument: &str) -> Result<(), ClientError> {
        let call = serde_json::json!({
            "type": 1, "invocationId": "1", "target": target, "arguments": [argument]
        });
        self.send(&call.to_string()).await?;
        let mut kept = VecDeque::new();
        loop {
            let message = self.next().await?;
            if message["type"] == 3 {
                kept.append(&mut self.waiting);
                self.waiting = kept;
                return match message.get("error") {
                    None => Ok(()),
                    Some(error) => Err(ClientError::Protocol(error.to_string())),
                };
            }
            kept.push_back(message);
        }
    }

    /// The next invocation of a client method: its target and arguments.
    pub async fn hear(&mut self) -> Result<(String, Value), ClientError> {
        loop {
            let mut message = self.next().await?;
            match message["type"].as_u64() {
                Some(1) => {
                    let target = message["target"].as_str().unwrap_or_default().to_owned();
                    return Ok((target, message["arguments"].take()));
                }
                Some(6) => self.send("{\"type\":6}").await?,
                Some(7) => return Err(ClientError::Ended(closing(&message))),
                _ => {}
            }
        }
    }

    /// Waits for the hub's next ping: proof that a silent connection is kept open.
    pub async fn await_ping(&mut self) -> Result<(), ClientError> {
        loop {
            let message = self.next().await?;
            match message["type"].as_u64() {
                Some(6) => return Ok(()),
                Some(7) => return Err(ClientError::Ended(closing(&message))),
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: &str) -> Result<(), ClientError> {
        let message = format!("{message}{SEPARATOR}");
        match &mut self.carrier {
            Carrier::WebSocket(socket) => socket
                .send(Message::text(message))
                .await
                .map_err(|error| broken(&error)),
            Carrier::ServerSentEvents(events) => events.send(message).await,
            Carrier::LongPoll(polls) => polls.send(message).await,
        }
    }

    async fn next(&mut self) -> Result<Value, ClientError> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            let text = match &mut self.carrier {
                Carrier::WebSocket(socket) => next_text(socket).await?,
                Carrier::ServerSentEvents(events) => events.receive().await?,
                Carrier::LongPoll(polls) => polls.receive().await?,
            };
            for message in text.split(SEPARATOR).filter(|message| !message.is_empty()) {
                let message = serde_json::from_str(message)
                    .map_err(|error| ClientError::Protocol(error.to_string()))?;
                self.waiting.push_back(message);
            }
        }
    }
}

async fn next_text(
    socket: &mut WebSocketStream<Box<dyn ByteStream>>,
) -> Result<String, ClientError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(_))) | None => return Err(ClientError::Ended(String::new())),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(broken(&error)),
        }
    }
}

fn closing(message: &Value) -> String {
    message["error"].as_str().unwrap_or_default().to_owned()
}

/// `<hub URL without its trailing slash>/signalRHub`.
pub fn endpoint(hub: &Url) -> Result<Url, ClientError> {
    let mut endpoint = hub.clone();
    let path = hub.path().trim_end_matches('/').to_owned();
    let scheme = match hub.scheme() {
        "https" | "wss" => "https",
        _ => "http",
    };
    if hub.host().is_none() || endpoint.set_scheme(scheme).is_err() {
        return Err(ClientError::Url(hub.to_string()));
    }
    endpoint.set_path(&format!("{path}/signalRHub"));
    endpoint.set_fragment(None);
    Ok(endpoint)
}

/// Asks for a connection token; the endpoint with it.
async fn negotiated(
    endpoint: &Url,
    transport: ClientTransport,
    limit: Duration,
) -> Result<Url, ClientError> {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/negotiate", endpoint.path()));
    url.query_pairs_mut().append_pair("negotiateVersion", "1");
    let response = http::send(&Exchange::new(Method::POST, &url), limit).await?;
    let response = response.successful(&url)?;
    let not_ours = || ClientError::Refused {
        url: url.to_string(),
        response: Box::new(response.clone()),
    };
    let negotiation: Value = serde_json::from_str(&response.body).map_err(|_| not_ours())?;
    let token = negotiation["connectionToken"]
        .as_str()
        .ok_or_else(not_ours)?;
    let offered = negotiation["availableTransports"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["transport"] == transport.name()));
    if !offered {
        return Err(ClientError::NotOffered(transport.name()));
    }
    let mut address = endpoint.clone();
    address.query_pairs_mut().append_pair("id", token);
    Ok(address)
}

async fn web_socket(endpoint: &Url) -> Result<Carrier, ClientError> {
    let address = Address::of(endpoint)?;
    let stream = address.connect().await?;
    let mut request = endpoint.clone();
    let scheme = if address.tls { "wss" } else { "ws" };
    // Between http(s) and ws(s) the URL standard always allows the change.
    let _ = request.set_scheme(scheme);
    match client_async(request.as_str(), stream).await {
        Ok((socket, _)) => Ok(Carrier::WebSocket(Box::new(socket))),
        Err(tungstenite::Error::Http(response)) => {
            let (head, body) = response.into_parts();
            let body = body.unwrap_or_default();
            Err(ClientError::Refused {
                url: request.to_string(),
                response: Box::new(http::Response::new(
                    &head,
                    String::from_utf8_lossy(&body).into_owned(),
                )),
            })
        }
        Err(error) => Err(broken(&error)),
    }
}

fn broken(error: &tungstenite::Error) -> ClientError {
    match error {
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => ClientError::Ended(String::new()),
        tungstenite::Error::Io(error) => ClientError::Ended(error.to_string()),
        error => ClientError::Protocol(error.to_string()),
    }
}
