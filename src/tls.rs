//! TLS for the hub: certificates from PFX and PEM files, and the development certificate
//! (spec: signalr.md H, Certificate).

pub mod client;
pub mod look;

use crate::platform::{self, Readers};
use crate::secret::Secret;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::TlsAcceptor;

/// The extension by which `dotnet dev-certs` marks its certificates.
const DEVELOPMENT_MARK: &str = "1.3.6.1.4.1.311.84.1.1";
/// How often files are looked at for change, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// More bytes than a certificate with its chain has.
const LARGEST: u64 = 1 << 20;
/// Where .NET keeps the user's certificates on Unix, below the home folder.
const DOTNET_STORE: &str = ".dotnet/corefx/cryptography/x509stores/my";

/// A certificate's files, as Kestrel's settings name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSource {
    /// PFX, or PEM with the key in `key_path` or the same file.
    pub path: PathBuf,
    pub key_path: Option<PathBuf>,
    pub password: Option<Secret>,
}

/// A development certificate, and whether .NET or we made it.
#[derive(Debug, Clone)]
pub struct DevelopmentCertificate {
    pub source: CertificateSource,
    pub by_dotnet: bool,
}

/// A certificate that can't be used; names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} can't be read: {error}", path.display())]
    Read {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{}: the password is wrong, or the file is damaged ({error})", path.display())]
    Pfx { path: PathBuf, error: String },
    #[error("{} holds no private key; an unencrypted PFX is not read", path.display())]
    NoKey { path: PathBuf },
    #[error("{} is not PEM: {error}", path.display())]
    Pem { path: PathBuf, error: String },
    #[error("{}: the key is encrypted, and the password {}", path.display(), if *given { "is not its own" } else { "is missing" })]
    Encrypted { path: PathBuf, given: bool },
    #[error("{}: {error}", path.display())]
    Unusable { path: PathBuf, error: rustls::Error },
    #[error("a certificate can't be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("{} can't be written: {error}", path.display())]
    Write {
        path: PathBuf,
        error: std::io::Error,
    },
}

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
                // Half-written files are read again the next time; the certificate that was good goes on.
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

/// A certificate with its key, whatever its files are, as the text of one PEM file without a password.
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

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn load(source: &CertificateSource) -> Result<Identity, TlsError> {
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

/// The machine's ASP.NET Core development certificate, else the one kept in `kept`, else a new one kept there.
pub fn development_certificate(
    home: Option<&Path>,
    kept: &Path,
) -> Result<DevelopmentCertificate, TlsError> {
    if let Some(source) = home.and_then(|home| find_dotnet_certificate(&home.join(DOTNET_STORE))) {
        return Ok(DevelopmentCertificate {
            source,
            by_dotnet: true,
        });
    }
    let source = CertificateSource {
        path: kept.join("localhost.pem"),
        key_path: Some(kept.join("localhost.key")),
        password: None,
    };
    let usable = |first: CertificateDer<'_>| is_valid_now(&first) && !is_authority(&first);
    let is_usable = || first(&source).is_some_and(usable);
    let is_exported = || platform::export_dotnet_certificate(&source.path) && is_usable();
    if !is_usable() {
        fs::create_dir_all(kept).map_err(|error| TlsError::Write {
            path: kept.to_owned(),
            error,
        })?;
        if !is_exported() {
            make_certificate(&source)?;
        }
    }
    let by_dotnet = first(&source).is_some_and(|certificate| is_marked(&certificate));
    Ok(DevelopmentCertificate { source, by_dotnet })
}

/// The certificate itself, without those that vouch for it.
fn first(source: &CertificateSource) -> Option<CertificateDer<'static>> {
    load(source).ok()?.0.into_iter().next()
}

fn find_dotnet_certificate(store: &Path) -> Option<CertificateSource> {
    let files = fs::read_dir(store)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "pfx"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| CertificateSource {
            path,
            key_path: None,
            password: None,
        })
        .find(|source| {
            first(source)
                .is_some_and(|certificate| is_marked(&certificate) && is_valid_now(&certificate))
        })
}

fn is_marked(certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate).is_ok_and(|(_, certificate)| {
        certificate
            .extensions()
            .iter()
            .any(|extension| extension.oid.to_id_string() == DEVELOPMENT_MARK)
    })
}

fn is_valid_now(certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate)
        .is_ok_and(|(_, certificate)| certificate.validity().is_valid())
}

/// Whether a certificate may sign others, as those of our first version could.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate)
        .is_ok_and(|(_, certificate)| certificate.is_ca())
}

fn make_certificate(source: &CertificateSource) -> Result<(), TlsError> {
    let key = rcgen::KeyPair::generate()?;
    let mut parameters =
        rcgen::CertificateParams::new(["localhost".into(), "127.0.0.1".into(), "::1".into()])?;
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "localhost");
    // It can vouch for this machine's own names and for nothing else: people are told to trust it.
    parameters.is_ca = rcgen::IsCa::ExplicitNoCa;
    parameters.key_usages = vec![
        rcgen::KeyUsagePurpose::DigitalSignature,
        rcgen::KeyUsagePurpose::KeyEncipherment,
    ];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    parameters.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(1);
    // Browsers and .NET's own tool agree on a year.
    parameters.not_after = parameters.not_before + time::Duration::days(365);
    let certificate = parameters.self_signed(&key)?;
    let write = |path: &Path, text: &str, readers| {
        write_file(path, text, readers).map_err(|error| TlsError::Write {
            path: path.to_owned(),
            error,
        })
    };
    if let Some(key_path) = &source.key_path {
        write(key_path, &key.serialize_pem(), Readers::Owner)?;
    }
    write(&source.path, &certificate.pem(), Readers::Everyone)
}

/// Writes a new file, born with its mode, in the place of one that may be there.
fn write_file(path: &Path, text: &str, readers: Readers) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    platform::create_file(path, readers)?.write_all(text.as_bytes())
}

/// A regular file's bytes, within bounds: what has no end is no certificate.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
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
