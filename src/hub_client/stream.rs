//! A TCP connection to a hub, with TLS where its URL asks for it.

use super::error::ClientError;
use crate::socket::{ByteStream, connect_tcp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use url::Url;

/// Where a URL points to.
pub struct Address {
    host: String,
    port: u16,
    pub tls: bool,
}

impl Address {
    pub fn of(url: &Url) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url(url.to_string());
        let host = url.host_str().ok_or_else(wrong)?;
        Ok(Address {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default().ok_or_else(wrong)?,
            tls: matches!(url.scheme(), "https" | "wss"),
        })
    }

    pub async fn connect(&self) -> Result<Box<dyn ByteStream>, ClientError> {
        let address = self.to_string();
        let stream = match connect_tcp(&self.host, self.port).await {
            Ok(stream) => stream,
            Err(error) => return Err(ClientError::Unreachable { address, error }),
        };
        // Small messages must not wait for one another; a socket that refuses is only slower.
        let _ = stream.set_nodelay(true);
        if !self.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| ClientError::Url(self.to_string()))?;
        let connector = TlsConnector::from(Arc::new(tls_config(self.is_loopback())));
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(ClientError::Tls { address, error }),
        }
    }

    fn is_loopback(&self) -> bool {
        crate::connection_string::Endpoint::new(&self.host, 0).is_loopback()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// On this machine any certificate will do: a development certificate is seldom trusted, and the
/// question is whether the hub answers, not who it is. Elsewhere the machine's roots decide.
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
