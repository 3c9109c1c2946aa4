//! What to do on Windows, in PowerShell or its settings, to put things right.

use std::path::Path;

pub const START_DOCKER: &str = "start Docker Desktop";
pub const RESTART_DOCKER: &str = "restart Docker Desktop";
pub const PERMIT_DOCKER: &str =
    "as administrator: net localgroup docker-users \"$env:USERNAME\" /add, then sign in again";
pub const SYNCHRONIZE_CLOCK: &str =
    "let both machines ask a time server; here, as administrator: w32tm /resync";
pub const HOSTS_FILE: &str = r"C:\Windows\System32\drivers\etc\hosts";
/// The variable that moves the folder of our own files.
pub const STATE_VARIABLE: &str = "LOCALAPPDATA";
pub const HOME_VARIABLE: &str = "USERPROFILE";

/// How a user gets the right to write.
pub fn make_writable(path: &Path) -> String {
    format!("attrib -R \"{}\"", path.display())
}

/// How PowerShell forgets variables.
pub fn unset(variables: &[String]) -> String {
    format!("Remove-Item Env:{}", variables.join(", Env:"))
}

/// How this machine comes to trust a certificate.
pub fn trust(certificate: &Path) -> String {
    format!(
        "Import-Certificate -FilePath \"{}\" -CertStoreLocation Cert:\\CurrentUser\\Root",
        certificate.display()
    )
}

/// How this user stops trusting the certificate that we made, whose SHA-1 is `digest`.
pub fn distrust(digest: &str) -> String {
    format!("Remove-Item Cert:\\CurrentUser\\Root\\{digest}")
}
