//! A certificate's chain and key, read from PEM or PFX files.

use super::error::TlsError;
use super::source::CertificateSource;
use crate::secret::Secret;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::io::Read;
use std::path::Path;

/// More bytes than a certificate with its chain has.
const LARGEST: u64 = 1 << 20;

pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(super) fn load(source: &CertificateSource) -> Result<Identity, TlsError> {
    let bytes = read(&source.path)?;
    if bytes.starts_with(b"-----BEGIN") || source.key_path.is_some() {
        load_pem(source, &bytes)
    } else {
        load_pfx(source, &bytes)
    }
}

fn load_pem(source: &CertificateSource, bytes: &[u8]) -> Result<Identity, TlsError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| TlsError::Pem {
            path,
            error: error.to_string(),
        }
    };
    let chain = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(pem(&source.path))?;
    let key_path = source.key_path.as_deref().unwrap_or(&source.path);
    let bytes = read(key_path)?;
    let key = match decrypted(key_path, &bytes, source.password.as_ref())? {
        Some(key) => key,
        None => PrivateKeyDer::from_pem_slice(&bytes).map_err(pem(key_path))?,
    };
    Ok((chain, key))
}

/// The key of a PKCS#8 file that is encrypted; `None` where it is not.
fn decrypted(
    path: &Path,
    bytes: &[u8],
    password: Option<&Secret>,
) -> Result<Option<PrivateKeyDer<'static>>, TlsError> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let text = String::from_utf8_lossy(bytes);
    let Some(start) = text.find(BEGIN) else {
        return Ok(None);
    };
    let refused = || TlsError::Encrypted {
        path: path.to_owned(),
        given: password.is_some(),
    };
    let broken = |error: String| TlsError::Pem {
        path: path.to_owned(),
        error,
    };
    let end = text[start..]
        .find("-----END ENCRYPTED PRIVATE KEY-----")
        .ok_or_else(|| broken("its key does not end".into()))?;
    let whole = &text[start..start + end + "-----END ENCRYPTED PRIVATE KEY-----".len()];
    let (_, document) =
        pkcs8::SecretDocument::from_pem(whole).map_err(|error| broken(error.to_string()))?;
    let key = pkcs8::EncryptedPrivateKeyInfo::try_from(document.as_bytes())
        .map_err(|error| broken(error.to_string()))?;
    let key = key
        .decrypt(password.map(Secret::reveal).unwrap_or_default())
        .map_err(|_| refused())?;
    Ok(Some(
        PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into(),
    ))
}

fn load_pfx(source: &CertificateSource, bytes: &[u8]) -> Result<Identity, TlsError> {
    let password = source
        .password
        .as_ref()
        .map(Secret::reveal)
        .unwrap_or_default();
    let store =
        p12_keystore::KeyStore::from_pkcs12(bytes, password).map_err(|error| TlsError::Pfx {
            path: source.path.clone(),
            error: error.to_string(),
        })?;
    let (_, chain) = store.private_key_chain().ok_or_else(|| TlsError::NoKey {
        path: source.path.clone(),
    })?;
    let certificates = chain
        .chain()
        .iter()
        .map(|certificate| certificate.as_der().to_vec().into())
        .collect();
    Ok((
        certificates,
        PrivatePkcs8KeyDer::from(chain.key().to_vec()).into(),
    ))
}

/// A regular file's bytes, within bounds: what has no end is no certificate.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = || {
        if !fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(LARGEST)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| TlsError::Read {
        path: path.to_owned(),
        error,
    })
}
