//! Certificates that cannot be used.

use std::path::PathBuf;

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
