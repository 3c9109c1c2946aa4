//! What to do on Windows, in PowerShell or its settings, to put things right.

use std::path::Path;
use std::process::{Command, Stdio};

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
/// The name by which Windows shows the certificate that we make.
const OWN_CERTIFICATE: &str = "localhost";

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

/// Whether the certificate that we made is among those that this user trusts.
pub fn is_trusted() -> bool {
    let mut certutil = Command::new("certutil");
    certutil.args(["-user", "-verifystore", "Root", OWN_CERTIFICATE]);
    certutil.stdin(Stdio::null());
    certutil.stdout(Stdio::null()).stderr(Stdio::null());
    certutil.status().is_ok_and(|status| status.success())
}
