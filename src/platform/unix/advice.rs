//! What to type on Linux or macOS to put things right.

use std::path::Path;

pub const START_DOCKER: &str = if cfg!(target_os = "macos") {
    "start Docker Desktop: open -a Docker"
} else {
    "start it: sudo systemctl start docker"
};
pub const RESTART_DOCKER: &str = if cfg!(target_os = "macos") {
    "restart Docker Desktop"
} else {
    "restart it: sudo systemctl restart docker"
};
pub const PERMIT_DOCKER: &str = if cfg!(target_os = "macos") {
    "start Docker Desktop as this user"
} else {
    "join the docker group: sudo usermod -aG docker $USER, then log in again"
};
pub const SYNCHRONIZE_CLOCK: &str = if cfg!(target_os = "macos") {
    "let both machines ask a time server: sudo sntp -sS time.apple.com"
} else {
    "let both machines ask a time server: sudo timedatectl set-ntp true"
};
pub const HOSTS_FILE: &str = "/etc/hosts";
/// The variable that moves the folder of our own files.
pub const STATE_VARIABLE: &str = "XDG_STATE_HOME";
pub const HOME_VARIABLE: &str = "HOME";

/// How a user gets the right to write.
pub fn make_writable(path: &Path) -> String {
    format!("chmod u+w '{}'", path.display())
}

/// How a shell forgets variables.
pub fn unset(variables: &[String]) -> String {
    format!("unset {}", variables.join(" "))
}

/// Where it is decided which certificates are trusted, and who reads that.
pub const TRUST_STORE: &str = if cfg!(target_os = "macos") {
    "this user's keychain (Safari, Chrome, .NET)"
} else {
    "this machine (OpenSSL, .NET, curl)"
};
pub const TRUST_READERS: &str = if cfg!(target_os = "macos") {
    "browsers, .NET and other programs"
} else {
    "curl, .NET and other programs"
};

/// How this machine comes to trust a certificate.
pub fn trust(certificate: &Path) -> String {
    let path = certificate.display();
    if cfg!(target_os = "macos") {
        return format!(
            "security add-trusted-cert -p ssl -k ~/Library/Keychains/login.keychain-db '{path}'"
        );
    }
    format!(
        "sudo cp '{path}' /usr/local/share/ca-certificates/harmony.crt && sudo update-ca-certificates"
    )
}

/// How this machine stops trusting the certificate that we made, whose SHA-1 is `digest`.
pub fn distrust(digest: &str) -> String {
    if cfg!(target_os = "macos") {
        return format!(
            "security delete-certificate -Z {digest} ~/Library/Keychains/login.keychain-db"
        );
    }
    "sudo rm /usr/local/share/ca-certificates/harmony.crt && sudo update-ca-certificates".to_owned()
}
