//! What git tracks: a password in such a file is published with the next commit.

use crate::appsettings::SettingsFile;
use crate::schema;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first secret among some keys of a file.
pub fn secret_among(file: &SettingsFile, is_concerned: impl Fn(&str) -> bool) -> Option<String> {
    let schema = schema::schema_of(&file.path);
    let entries = file.document.entries();
    let found = entries.into_iter().find(|entry| {
        let value = entry.value.as_deref().unwrap_or_default();
        let is_password = !value.is_empty() && schema::is_secret(&schema, &entry.key);
        let holds = !entry.key.ends_with("ConnectionString") || value.contains("password=");
        is_concerned(&entry.key) && is_password && holds
    });
    found.map(|entry| entry.key)
}

/// Whether git tracks a file. Without git: no.
pub fn is_tracked(root: &Path, file: &Path) -> bool {
    let command = ["ls-files", "--error-unmatch", "--"];
    git(root, &command, file).is_some()
}

/// Whether git tracks a file that differs from the last commit.
pub fn is_changed(root: &Path, file: &Path) -> bool {
    let command = ["status", "--porcelain", "--untracked-files=no", "--"];
    git(root, &command, file).is_some_and(|said| !said.is_empty())
}

/// What git says of a file; `None` where it refuses, or is not there.
fn git(root: &Path, command: &[&str], file: &Path) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        // A repository's own program must not run.
        .args(["-c", "core.fsmonitor=false"])
        .args(command)
        .arg(file)
        .stdin(Stdio::null())
        .output();
    output
        .ok()
        .filter(|output| output.status.success())
        .map(|output| output.stdout)
}
