//! Tells the program which commit, target and profile it was built from: `harmony --version
//! --verbose`. Links what unwinds the stack into it.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=HARMONY_COMMIT");
    println!("cargo::rerun-if-changed=.packaging/build.rs");
    let profile = profile();
    // While the program is developed, a commit alone must not build it again.
    let commit = env::var("HARMONY_COMMIT").ok();
    let commit = commit.or_else(|| if profile == "debug" { None } else { head() });
    println!(
        "cargo::rustc-env=HARMONY_COMMIT={}",
        commit.unwrap_or_default()
    );
    println!("cargo::rustc-env=HARMONY_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=HARMONY_PROFILE={profile}");
    link_unwinder();
}

/// Where the compiler of C has libgcc_eh as an archive, takes it in place of the shared libgcc_s,
/// which takes a tenth of a short command's time to load.
fn link_unwinder() {
    let is_native = variable("HOST") == variable("TARGET");
    if !is_native || variable("CARGO_CFG_TARGET_ENV") != "gnu" || cfg!(windows) {
        return;
    }
    let Some(archive) = output("cc", &["-print-file-name=libgcc_eh.a"]) else {
        return;
    };
    if let Some(folder) = Path::new(&archive)
        .parent()
        .filter(|path| path.is_absolute())
    {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// The name of the profile's folder; `PROFILE` knows only `debug` and `release`.
fn profile() -> String {
    let folder = variable("OUT_DIR");
    // PROFILE/build/harmony-0123456789abcdef/out
    let name = Path::new(&folder)
        .ancestors()
        .nth(3)
        .and_then(Path::file_name);
    name.map_or_else(
        || variable("PROFILE"),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The commit that is checked out, where this is a checkout and not a part of another.
fn head() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    output("git", arguments)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
