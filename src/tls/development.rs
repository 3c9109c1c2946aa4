//! The development certificate: .NET's where there is one, else one of our own.

use super::error::TlsError;
use super::identity::load;
use super::source::CertificateSource;
use crate::platform::{self, Readers};
use rustls::pki_types::CertificateDer;
use std::fs;
use std::io::Write;
use std::path::Path;

/// A development certificate, and whether .NET or we made it.
#[derive(Debug, Clone)]
pub struct DevelopmentCertificate {
    pub source: CertificateSource,
    pub by_dotnet: bool,
}

/// Days before its end at which our certificate is made anew.
const RENEWED_BEFORE: i64 = 30;
/// The extension by which `dotnet dev-certs` marks its certificates.
const DEVELOPMENT_MARK: &str = "1.3.6.1.4.1.311.84.1.1";

/// Where .NET keeps the user's certificates on Unix, below the home folder.
pub(super) const DOTNET_STORE: &str = ".dotnet/corefx/cryptography/x509stores/my";

/// The machine's ASP.NET Core development certificate, else the one kept in `kept`, else a new one
/// kept there.
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
    let is_fresh = first(&source).is_some_and(|first| lasts(&first) && usable(first));
    let is_exported =
        || platform::export_dotnet_certificate(&source.path) && first(&source).is_some_and(usable);
    if !is_fresh {
        platform::create_private_folder(kept).map_err(|error| TlsError::Write {
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

pub(super) fn find_dotnet_certificate(store: &Path) -> Option<CertificateSource> {
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

pub(super) fn is_marked(certificate: &CertificateDer<'_>) -> bool {
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

/// Whether a certificate need not be renewed yet.
fn lasts(certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate).is_ok_and(|(_, certificate)| {
        let left = certificate.validity().time_to_expiration();
        left.is_some_and(|left| left.whole_days() >= RENEWED_BEFORE)
    })
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
