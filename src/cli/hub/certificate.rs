//! The development certificate of a hub that is given none: found or made, and renewed before it
//! ends.

use crate::cli::failure::Failure;
use crate::{platform, tls};
use std::time::Duration;

/// How often the development certificate is looked at.
const RENEW_EVERY: Duration = Duration::from_secs(12 * 3600);

pub(super) fn development() -> Result<tls::CertificateSource, Failure> {
    let kept = crate::cli::context::certificates()?;
    let development = tls::development_certificate(platform::home_folder().as_deref(), &kept)?;
    let maker = if development.by_dotnet {
        "ASP.NET Core's"
    } else {
        "a self-made"
    };
    tracing::info!(path = %development.source.path.display(), "HTTPS with {maker} development certificate");
    Ok(development.source)
}

/// Keeps our own certificate from ending while the hub runs, which reads it anew by itself.
pub(super) async fn renew() {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        if let Err(failure) = development() {
            let (error, _) = failure.in_words();
            tracing::warn!(error, "the development certificate cannot be renewed");
        }
    }
}
