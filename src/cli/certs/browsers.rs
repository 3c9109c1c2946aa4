//! The certificate databases of Firefox and Chromium (NSS), by their own tool.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// NSS's own tool, in Debian's libnss3-tools. Windows has another program of that name.
const TOOL: &str = "certutil";
const NICKNAME: &str = "harmony-localhost";
/// A server that is trusted itself, and no authority.
const TRUSTED_PEER: &str = "P,,";

/// One database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserStore {
    folder: PathBuf,
}

impl fmt::Display for BrowserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "browsers that use {}", self.folder.display())
    }
}

/// The databases of this user; none where the tool is not here.
pub fn stores(home: Option<&Path>) -> Vec<BrowserStore> {
    let Some(home) = home.filter(|_| has_tool()) else {
        return Vec::new();
    };
    let profiles = std::fs::read_dir(home.join(".mozilla/firefox"));
    let profiles = profiles.into_iter().flatten().flatten();
    std::iter::once(shared(home))
        .chain(profiles.map(|profile| profile.path()))
        .filter(|folder| folder.join("cert9.db").exists())
        .map(|folder| BrowserStore { folder })
        .collect()
}

/// The same; the one that Chromium reads is made where it is not there yet.
pub fn usable(home: Option<&Path>) -> Vec<BrowserStore> {
    if let Some(home) = home.filter(|_| has_tool()) {
        let folder = shared(home);
        if !folder.join("cert9.db").exists() && std::fs::create_dir_all(&folder).is_ok() {
            // What cannot be made is missing from the list.
            let _ = tool(&folder, &["-N", "--empty-password"]);
        }
    }
    stores(home)
}

fn shared(home: &Path) -> PathBuf {
    home.join(".pki/nssdb")
}

fn has_tool() -> bool {
    std::env::consts::OS == "linux"
        && Command::new(TOOL)
            .arg("-H")
            .stdin(Stdio::null())
            .output()
            .is_ok()
}

impl BrowserStore {
    pub fn trusts(&self, der: &[u8]) -> bool {
        tool(&self.folder, &["-L", "-r", "-n", NICKNAME])
            .is_ok_and(|output| output.status.success() && output.stdout == der)
    }

    pub fn add(&self, pem: &Path) -> io::Result<()> {
        self.remove();
        let pem = pem.display().to_string();
        let arguments = ["-A", "-t", TRUSTED_PEER, "-n", NICKNAME, "-i", &pem];
        let output = tool(&self.folder, &arguments)?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }

    pub fn remove(&self) {
        // Where it is not there, there is nothing to remove.
        let _ = tool(&self.folder, &["-D", "-n", NICKNAME]);
    }
}

fn tool(folder: &Path, arguments: &[&str]) -> io::Result<Output> {
    Command::new(TOOL)
        .arg("-d")
        .arg(format!("sql:{}", folder.display()))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
}
