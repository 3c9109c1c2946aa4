//! Looking at a certificate without serving it: until when it is valid, whether this machine trusts
//! it.

use super::development::{DOTNET_STORE, find_dotnet_certificate, is_marked};
use super::identity::load;
use super::{CertificateSource, TlsError};
use std::path::{Path, PathBuf};

/// A development certificate as it is.
#[derive(Debug, Clone)]
pub struct CertificateLook {
    pub path: PathBuf,
    pub der: Vec<u8>,
    /// Seconds since 1970.
    pub not_after: i64,
    /// .NET made it, not we.
    pub by_dotnet: bool,
}

/// The development certificate that a hub would use; `None` where there is none yet.
pub fn development_certificate(
    home: Option<&Path>,
    kept: &Path,
) -> Result<Option<CertificateLook>, TlsError> {
    if let Some(source) = home.and_then(|home| find_dotnet_certificate(&home.join(DOTNET_STORE))) {
        return look(&source).map(Some);
    }
    let source = CertificateSource {
        path: kept.join("localhost.pem"),
        key_path: Some(kept.join("localhost.key")),
        password: None,
    };
    if !source.path.exists() {
        return Ok(None);
    }
    look(&source).map(Some)
}

/// When a certificate ends, in seconds since 1970.
pub fn not_after(source: &CertificateSource) -> Result<i64, TlsError> {
    Ok(look(source)?.not_after)
}

fn look(source: &CertificateSource) -> Result<CertificateLook, TlsError> {
    let (chain, _) = load(source)?;
    let der = chain
        .first()
        .map(|first| first.to_vec())
        .unwrap_or_default();
    let not_after = x509_parser::parse_x509_certificate(&der)
        .map(|(_, certificate)| certificate.validity().not_after.timestamp())
        .unwrap_or_default();
    Ok(CertificateLook {
        path: source.path.clone(),
        by_dotnet: chain.first().is_some_and(is_marked),
        der,
        not_after,
    })
}

/// Whether the certificates that this machine's programs trust include it.
pub fn is_trusted_here(certificate: &CertificateLook) -> bool {
    let trusted = rustls_native_certs::load_native_certs().certs;
    trusted.iter().any(|one| one.as_ref() == certificate.der)
}
