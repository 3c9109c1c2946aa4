//! `harmony --version --verbose`: which program this is, and how it was installed.

use crate::platform;
use crate::terminal::Terminal;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Below the folder that holds `bin`: the name of the package that put it there.
const PACKAGE: &str = "share/harmony/package";
/// What `cargo install` writes there.
const CARGO_LIST: &str = ".crates.toml";
/// What cargo writes into the folders that it builds in: the first only where it made the folder.
const BUILD_FILES: [&str; 2] = ["CACHEDIR.TAG", ".cargo-lock"];

/// What `--version` prints with `--verbose` or `--json`.
#[derive(Serialize)]
struct Build {
    version: &'static str,
    commit: Option<&'static str>,
    target: &'static str,
    profile: &'static str,
    /// `deb`, `tar.gz`, `zip`, `image`, `cargo`, `source` or `unknown`.
    installed: String,
    path: Option<PathBuf>,
}

pub fn show(terminal: &Terminal) {
    if terminal.json || terminal.verbose {
        terminal.result(&build());
    } else {
        terminal.text(&format!("harmony {}", env!("CARGO_PKG_VERSION")));
    }
}

fn build() -> Build {
    let path = platform::own_program().and_then(|path| platform::canonicalize(&path));
    let path = path.ok();
    Build {
        version: env!("CARGO_PKG_VERSION"),
        commit: Some(env!("HARMONY_COMMIT")).filter(|commit| !commit.is_empty()),
        target: env!("HARMONY_TARGET"),
        profile: env!("HARMONY_PROFILE"),
        installed: path.as_deref().map_or_else(unknown, package),
        path,
    }
}

/// One program is in every package, so what lies around it tells how it came here.
fn package(program: &Path) -> String {
    let above = |level| program.ancestors().nth(level).unwrap_or(Path::new(""));
    if let Ok(name) = fs::read_to_string(above(2).join(PACKAGE)) {
        return name.trim().to_owned();
    }
    if fs::read_to_string(above(2).join(CARGO_LIST)).is_ok_and(|list| list.contains("\"harmony ")) {
        return "cargo".to_owned();
    }
    let is_of_build = |folder: &Path| BUILD_FILES.iter().any(|file| folder.join(file).is_file());
    if program.ancestors().any(is_of_build) {
        return "source".to_owned();
    }
    unknown()
}

fn unknown() -> String {
    "unknown".to_owned()
}

impl fmt::Display for Build {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "harmony {}", self.version)?;
        writeln!(formatter, "commit: {}", self.commit.unwrap_or("unknown"))?;
        writeln!(formatter, "target: {}", self.target)?;
        writeln!(formatter, "profile: {}", self.profile)?;
        write!(formatter, "installed: {}", self.installed)?;
        if let Some(path) = &self.path {
            write!(formatter, " ({})", path.display())?;
        }
        Ok(())
    }
}
