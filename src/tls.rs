//! TLS for the hub: certificates from PFX and PEM files, and the development certificate
//! (hub/contract.md, "Settings of the hub").

pub mod client;
mod development;
mod error;
mod identity;
pub mod look;
mod source;

pub use development::{DevelopmentCertificate, development_certificate};
pub use error::TlsError;
pub use source::CertificateSource;

use crate::secret::Secret;
use identity::load;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::TlsAcceptor;

/// How often files are looked at for change, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Makes ring the process's one provider of cryptography; to be called before any TLS.
pub fn install_provider() {
    // A second call finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Loads a certificate, ready to accept connections; its files are read again when they change.
pub fn acceptor(source: &CertificateSource) -> Result<TlsAcceptor, TlsError> {
    let reloading = Reloading::load(source)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(reloading));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A certificate as its files have it, looked at again now and then.
#[derive(Debug)]
struct Reloading {
    source: CertificateSource,
    present: Mutex<Present>,
}

#[derive(Debug)]
struct Present {
    key: Arc<CertifiedKey>,
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Reloading {
    fn load(source: &CertificateSource) -> Result<Self, TlsError> {
        let present = Present {
            changed: changed(source),
            key: certified(source)?,
            looked: Instant::now(),
        };
        Ok(Reloading {
            source: source.clone(),
            present: Mutex::new(present),
        })
    }
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.looked.elapsed() > LOOK_EVERY {
            present.looked = Instant::now();
            let now = changed(&self.source);
            if now != present.changed {
                // Half-written files are read again the next time; the certificate that was good
                // goes on.
                match certified(&self.source) {
                    Ok(key) => {
                        (present.key, present.changed) = (key, now);
                        tracing::info!(path = %self.source.path.display(), "the certificate was read anew");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the certificate changed and can't be used; the one before is kept")
                    }
                }
            }
        }
        Some(present.key.clone())
    }
}

/// When the files were changed.
fn changed(source: &CertificateSource) -> [Option<SystemTime>; 2] {
    [Some(&source.path), source.key_path.as_ref()]
        .map(|path| path.and_then(|path| fs::metadata(path).ok()?.modified().ok()))
}

fn certified(source: &CertificateSource) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = load(source)?;
    let unusable = |error| TlsError::Unusable {
        path: source.path.clone(),
        error,
    };
    let signing = rustls::crypto::ring::sign::any_supported_type(&key).map_err(unusable)?;
    let certified = CertifiedKey::new(chain, signing);
    // A key of another certificate would fail every handshake.
    match certified.keys_match() {
        Err(error @ rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(unusable(error))
        }
        _ => Ok(Arc::new(certified)),
    }
}

/// A certificate with its key, whatever its files are, as the text of one PEM file without a
/// password.
pub fn as_pem(source: &CertificateSource) -> Result<Secret, TlsError> {
    let (chain, key) = load(source)?;
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let mut text = pem_block(label, key.secret_der());
    chain
        .iter()
        .for_each(|certificate| text.push_str(&pem_block("CERTIFICATE", certificate)));
    Ok(Secret::new(text))
}

fn pem_block(label: &str, der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}
