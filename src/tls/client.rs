//! TLS towards servers, whose certificates the machine's roots or a named file vouch for.

use super::TlsError;
use crate::socket::ByteStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Every version that is safe.
pub const VERSIONS: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

/// Trusts the certificates of a PEM file, or those that the machine trusts.
pub fn connector(
    authorities: Option<&Path>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            let pem = |error: String| TlsError::Pem {
                path: path.to_owned(),
                error,
            };
            let bytes = super::identity::read(path)?;
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                let certificate = certificate.map_err(|error| pem(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| pem(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    super::install_provider();
    let config = ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Shakes hands with a server that has to have a certificate for `name`.
pub async fn secure(
    socket: Box<dyn ByteStream>,
    connector: &TlsConnector,
    name: &str,
) -> io::Result<Box<dyn ByteStream>> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(connector.connect(name, socket).await?))
}
