//! What a test needs of this machine, and whether it is here.
//!
//! `tests/run` installs and starts it and says where it is; without it the tests are listed as not
//! run, and with `CI=true` they fail.

use super::program::peer;
use std::io::Write;
use std::path::PathBuf;

/// A part that a test needs and this machine may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Redis,
    RabbitMq,
    Docker,
    Node,
    Chromium,
    Python,
    Peer,
    Ssh,
    Nginx,
    HaProxy,
    Zsh,
    Fish,
    Man,
    Certutil,
    Wine,
    Podman,
    /// The rights to mount, and to be somebody else.
    Root,
}

impl Part {
    fn is_here(self) -> Result<(), &'static str> {
        let here = match self {
            Part::Redis => is_on_path("redis-server"),
            Part::Nginx => is_on_path("nginx"),
            Part::Zsh => is_on_path("zsh"),
            Part::Fish => is_on_path("fish"),
            Part::Man => is_on_path("man"),
            Part::Podman => is_on_path("podman"),
            Part::Certutil => is_on_path("certutil"),
            Part::HaProxy => is_on_path("haproxy"),
            Part::Chromium => is_on_path("chromium"),
            Part::RabbitMq => std::env::var_os("HARMONY_TEST_RABBITMQ").is_some(),
            Part::Docker => registry().is_some(),
            Part::Node => node_modules().is_some(),
            Part::Python => std::env::var_os("HARMONY_TEST_PYTHON").is_some(),
            Part::Peer => peer().is_some(),
            Part::Ssh => std::path::Path::new("/usr/sbin/sshd").exists(),
            Part::Wine => std::env::var_os("HARMONY_TEST_WINDOWS").is_some(),
            Part::Root => is_root(),
        };
        if here {
            return Ok(());
        }
        Err(match self {
            Part::Redis => {
                "redis-server is not installed; tests/run installs it on Debian, as root"
            }
            Part::RabbitMq => "no RabbitMQ was started; tests/run does, on Debian, as root",
            Part::Docker => {
                "no Docker with a registry was started; tests/run does, on Debian, as root"
            }
            Part::Python => "the Python clients are not installed; tests/run does that, with pip",
            Part::Chromium => "chromium is not installed; tests/run installs it on Debian, as root",
            Part::Zsh => "zsh is not installed; tests/run installs it on Debian, as root",
            Part::Fish => "fish is not installed; tests/run installs it on Debian, as root",
            Part::Certutil => "certutil is not installed; tests/run installs it on Debian, as root",
            Part::Podman => "podman is not installed; tests/run installs it on Debian, as root",
            Part::Man => "man is not installed; tests/run installs it on Debian, as root",
            Part::Nginx => "nginx is not installed; tests/run installs it on Debian, as root",
            Part::HaProxy => "haproxy is not installed; tests/run installs it on Debian, as root",
            Part::Node => "the JavaScript client is not installed; tests/run does that, with npm",
            Part::Ssh => "sshd is not installed; tests/run installs it on Debian, as root",
            Part::Wine => "the Windows program was not built; tests/run does, on Debian, as root",
            Part::Peer => "the .NET peer is not here; HARMONY_PEER names its folder",
            Part::Root => "root may mount and be another user, this user may not",
        })
    }
}

#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(windows)]
pub fn is_root() -> bool {
    false
}

fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    })
}

/// Whether a test can run. Where it can't, that is said by name, and with `CI=true` it fails.
pub fn has(test: &str, parts: &[Part]) -> bool {
    for part in parts {
        if let Err(reason) = part.is_here() {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{test}: {reason}"
            );
            let line = format!("not run: {test}: {reason}\n");
            append("HARMONY_NOT_RUN", &line);
            return false;
        }
    }
    true
}

/// Adds a line to the file that a variable names, where it names one.
pub fn append(variable: &str, line: &str) {
    let Some(path) = std::env::var_os(variable) else {
        return;
    };
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .expect(variable);
}

/// The local registry that has the images, where there is a Docker to pull them.
pub fn registry() -> Option<String> {
    std::env::var("HARMONY_TEST_REGISTRY").ok()
}

/// Where the npm packages are.
pub fn node_modules() -> Option<PathBuf> {
    std::env::var_os("HARMONY_TEST_NODE_MODULES")
        .map(PathBuf::from)
        .filter(|path| path.exists())
}
