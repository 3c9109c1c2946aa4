//! `harmony --version`, for people, for reports and for scripts, wherever a package put the
//! program.

use crate::harness::Folder;
use crate::harness::program::{HARMONY, harmony, run, text};
use crate::harness::system::install;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The program as if a package had put it below `prefix`.
fn installed(prefix: &Path) -> Command {
    let program = prefix.join("bin/harmony");
    std::fs::create_dir_all(prefix.join("bin")).expect("folder");
    install(HARMONY.as_ref(), &program);
    Command::new(program)
}

#[test]
fn the_version_alone_is_one_line() {
    let folder = Folder::new();
    for arguments in [&["--version"][..], &["-V"], &["version"]] {
        let output = text(&run(harmony(folder.path()).args(arguments)).stdout);
        assert_eq!(output, format!("harmony {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_verbose_version_names_commit_target_profile_and_package() {
    let folder = Folder::new();
    for arguments in [
        &["--version", "--verbose"][..],
        &["--verbose", "--version"],
        &["-V", "-v"],
        &["-vV"],
        &["version", "--verbose"],
    ] {
        let output = text(&run(harmony(folder.path()).args(arguments)).stdout);
        let names = output
            .lines()
            .map(|line| line.split([' ', ':']).next().unwrap_or_default());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["harmony", "commit", "target", "profile", "installed"],
            "{arguments:?}: {output}"
        );
        assert!(output.contains("\ninstalled: source ("), "{output}");
    }
}

#[test]
fn scripts_read_the_version_as_json() {
    let folder = Folder::new();
    for arguments in [&["--version", "--json"][..], &["version", "--json"]] {
        let output = run(harmony(folder.path()).args(arguments));
        let version: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(version["installed"], "source");
        let target = version["target"].as_str().expect("target");
        assert!(target.starts_with(std::env::consts::ARCH), "{target}");
    }
}

#[test]
fn what_lies_around_the_program_tells_how_it_was_installed() {
    for (file, content, expected) in [
        ("share/harmony/package", "deb\n", "deb"),
        ("share/harmony/package", "tar.gz\n", "tar.gz"),
        (
            ".crates.toml",
            "[v1]\n\"harmony 0.1.0 (registry)\" = [\"harmony\"]\n",
            "cargo",
        ),
        (
            ".crates.toml",
            "[v1]\n\"other 0.1.0\" = [\"other\"]\n",
            "unknown",
        ),
        ("bin/CACHEDIR.TAG", "", "source"),
        ("bin/.cargo-lock", "", "source"),
        ("bin/other", "", "unknown"),
    ] {
        let folder = Folder::new();
        let mut command = installed(folder.path());
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(&path, content).expect(file);
        let output = text(&run(command.args(["--version", "--verbose"])).stdout);
        let line = output.lines().last().expect("lines");
        assert!(
            line.starts_with(&format!("installed: {expected} (")),
            "{file}: {line}"
        );
    }
}
