//! Where a certificate is read from.

use crate::secret::Secret;
use std::path::PathBuf;

/// A certificate's files, as Kestrel's settings name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSource {
    /// PFX, or PEM with the key in `key_path` or the same file.
    pub path: PathBuf,
    pub key_path: Option<PathBuf>,
    pub password: Option<Secret>,
}
