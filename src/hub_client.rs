//! A small SignalR client: proves that a hub answers, and hears what it sends.

use futures_util::{SinkExt, StreamExt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use url::Url;

const SEPARATOR: char = '\u{1e}';

/// Why a hub can't be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0} is not a hub's address")]
    Url(String),
    #[error("nobody answers at {address}: {error}")]
    Unreachable {
        address: String,
        error: std::io::Error,
    },
    #[error("TLS with {address} failed: {error}")]
    Tls {
        address: String,
        error: std::io::Error,
    },
    #[error("the hub's answer is not SignalR's: {0}")]
    Protocol(String),
    #[error("the connection ended")]
    Ended,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connected client, its handshake done.
pub struct HubClient {
    socket: WebSocketStream<Box<dyn Stream>>,
    waiting: std::collections::VecDeque<Value>,
}

impl HubClient {
    /// Connects as Harmony.Client does: a WebSocket without negotiation, JSON.
    pub async fn connect(hub: &Url) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url(hub.to_string());
        let host = hub.host_str().ok_or_else(wrong)?;
        let port = hub.port_or_known_default().ok_or_else(wrong)?;
        let address = format!("{host}:{port}");
        let tls = matches!(hub.scheme(), "https" | "wss");
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream =
            TcpStream::connect((bare, port))
                .await
                .map_err(|error| ClientError::Unreachable {
                    address: address.clone(),
                    error,
                })?;
        // Small messages must not wait for one another; a socket that refuses is only slower.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> =
            if tls {
                let name = ServerName::try_from(bare.to_owned()).map_err(|_| wrong())?;
                let connector = TlsConnector::from(Arc::new(tls_config(is_loopback(bare))));
                Box::new(connector.connect(name, stream).await.map_err(|error| {
                    ClientError::Tls {
                        address: address.clone(),
                        error,
                    }
                })?)
            } else {
                Box::new(stream)
            };
        let path = hub.path().trim_end_matches('/');
        let request = format!(
            "{}://{address}{path}/signalRHub",
            if tls { "wss" } else { "ws" }
        );
        let (socket, _) = client_async(request, stream).await.map_err(protocol)?;
        let mut client = HubClient {
            socket,
            waiting: Default::default(),
        };
        client.send("{\"protocol\":\"json\",\"version\":1}").await?;
        match client.next().await? {
            Value::Object(answer) if answer.is_empty() => Ok(client),
            answer => Err(ClientError::Protocol(answer.to_string())),
        }
    }

    /// Calls a method and waits for its completion; messages meanwhile are kept.
    pub async fn invoke(&mut self, target: &str, argument: &str) -> Result<(), ClientError> {
        let call = serde_json::json!({ "type": 1, "invocationId": "1", "target": target, "arguments": [argument] });
        self.send(&call.to_string()).await?;
        let mut kept = std::collections::VecDeque::new();
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
                Some(7) => return Err(ClientError::Ended),
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: &str) -> Result<(), ClientError> {
        self.socket
            .send(Message::text(format!("{message}{SEPARATOR}")))
            .await
            .map_err(protocol)
    }

    async fn next(&mut self) -> Result<Value, ClientError> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            let text = match self
                .socket
                .next()
                .await
                .ok_or(ClientError::Ended)?
                .map_err(protocol)?
            {
                Message::Text(text) => text,
                Message::Close(_) => return Err(ClientError::Ended),
                _ => continue,
            };
            for message in text.split(SEPARATOR).filter(|message| !message.is_empty()) {
                let message = serde_json::from_str(message)
                    .map_err(|error| ClientError::Protocol(error.to_string()))?;
                self.waiting.push_back(message);
            }
        }
    }
}

/// Posts to a plain HTTP address of this machine; the answer's status and text.
pub async fn post(
    url: &Url,
    header: (&str, &str),
    body: &[u8],
) -> Result<(u16, String), ClientError> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let wrong = || ClientError::Url(url.to_string());
    let address = format!(
        "{}:{}",
        url.host_str().ok_or_else(wrong)?,
        url.port_or_known_default().ok_or_else(wrong)?
    );
    let unreachable = |error| ClientError::Unreachable {
        address: address.clone(),
        error,
    };
    let mut stream = TcpStream::connect(&address).await.map_err(unreachable)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {address}\r\n{}: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        url.path(),
        header.0,
        header.1,
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .map_err(unreachable)?;
    let mut answer = String::new();
    stream
        .take(64 << 10)
        .read_to_string(&mut answer)
        .await
        .map_err(unreachable)?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let text = answer
        .split_once("\r\n\r\n")
        .map(|(_, text)| text.to_owned())
        .unwrap_or_default();
    Ok((
        status.ok_or_else(|| ClientError::Protocol(answer.clone()))?,
        text,
    ))
}

fn protocol(error: tokio_tungstenite::tungstenite::Error) -> ClientError {
    ClientError::Protocol(error.to_string())
}

fn is_loopback(host: &str) -> bool {
    crate::connection_string::Endpoint::new(host, 0).is_loopback()
}

/// On this machine any certificate will do: a development certificate is seldom trusted, and what
/// is asked is whether the hub answers, not who it is. Elsewhere the machine's roots decide.
fn tls_config(loopback: bool) -> ClientConfig {
    let builder = ClientConfig::builder();
    if loopback {
        return builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    builder.with_root_certificates(roots).with_no_client_auth()
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
