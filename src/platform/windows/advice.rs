//! What to do on Windows, in PowerShell or its settings, to put things right.

use std::path::Path;

pub const START_DOCKER: &str = "start Docker Desktop: docker desktop start";
pub const RESTART_DOCKER: &str = "restart Docker Desktop: docker desktop restart";
pub const PERMIT_DOCKER: &str =
    "as administrator: net localgroup docker-users \"$env:USERNAME\" /add, then sign in again";
pub const SYNCHRONIZE_CLOCK: &str =
    "let both machines ask a time server; here, as administrator: w32tm /resync";
pub const HOSTS_FILE: &str = r"C:\Windows\System32\drivers\etc\hosts";
/// The variable that moves the folder of our own files.
pub const STATE_VARIABLE: &str = "LOCALAPPDATA";
pub const HOME_VARIABLE: &str = "USERPROFILE";

/// A path as PowerShell takes it, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

/// How a user gets the right to write.
pub fn make_writable(path: &Path) -> String {
    let quoted = quoted(path);
    if super::is_read_only(path) && path.is_file() {
        return format!("attrib -R {quoted}");
    }
    let inherited = if path.is_dir() { "(OI)(CI)" } else { "" };
    format!("icacls {quoted} /grant \"${{env:USERNAME}}:{inherited}M\"")
}

/// How PowerShell forgets variables.
pub fn unset(variables: &[String]) -> String {
    format!("Remove-Item Env:{}", variables.join(", Env:"))
}

/// Where it is decided which certificates are trusted, and who reads that.
pub const TRUST_STORE: &str = "this user's Windows store (browsers, .NET, curl)";
pub const TRUST_READERS: &str = "browsers, .NET and other programs";

/// How this machine comes to trust a certificate.
pub fn trust(certificate: &Path) -> String {
    format!(
        "Import-Certificate -FilePath {} -CertStoreLocation Cert:\\CurrentUser\\Root",
        quoted(certificate)
    )
}

/// How this user stops trusting the certificate that we made, whose SHA-1 is `digest`.
pub fn distrust(digest: &str) -> String {
    format!("Remove-Item Cert:\\CurrentUser\\Root\\{digest}")
}
