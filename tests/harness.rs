//! What tests stand on: programs started and ended with the test, raw sockets, and parts that may
//! be missing.

pub mod amqp;
pub mod hostile;
pub mod installation;
pub mod parts;
pub mod program;
pub mod proxies;
pub mod raw;
pub mod redis;
pub mod services;
pub mod system;
#[cfg(unix)]
pub mod terminal;
#[cfg(unix)]
pub mod ways;
#[cfg(unix)]
pub mod wine;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A recorded fixture.
pub fn fixture(name: &str) -> serde_json::Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

/// Waits until something is there, asking again and again.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A folder of the test's own, with a home inside, removed when the test ends.
pub struct Folder(tempfile::TempDir);

#[cfg(unix)]
impl Drop for Folder {
    fn drop(&mut self) {
        wine::end(&self.path().join("home"));
    }
}

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// A program of a few lines.
    #[cfg(unix)]
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let program = self.path().join(name);
        system::install(&self.write(&format!("{name}.sh"), text), &program);
        program
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("a file")
    }
}

/// A name that no other test uses.
pub fn unique(prefix: &str) -> String {
    let random = format!("{:010x}", harmony::secret::arbitrary() >> 24);
    format!("{prefix}-{random}")
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = harmony::containers::ports::free_port().expect("a port");
        // Nobody listens on it yet, and another test may have been given it a moment ago.
        if GIVEN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(port)
        {
            return port;
        }
    }
}

/// A small generator, so that a seed replays.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}
