//! A server under load: ours or the .NET hub, and what its process uses.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server under load, and what its process has used.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A benchmark that fails must not leave servers behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Processor seconds so far: user and system time, in hundredths.
    pub fn cpu(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a process");
        let fields: Vec<_> = stat
            .rsplit_once(") ")
            .expect("a name")
            .1
            .split(' ')
            .collect();
        let ticks: u64 = fields[11..13]
            .iter()
            .map(|field| field.parse::<u64>().expect("ticks"))
            .sum();
        ticks as f64 / 100.0
    }

    /// Kilobytes in memory.
    pub fn memory(&self) -> f64 {
        self.kilobytes("VmRSS:")
    }

    /// Kilobytes at most since the peak was forgotten.
    pub fn peak(&self) -> f64 {
        self.kilobytes("VmHWM:")
    }

    pub fn forget_peak(&self) {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(path, "5").expect("a new peak");
    }

    fn kilobytes(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("a process");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(what))
            .expect("a size");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }
}

/// Starts a hub that listens by `scheme`, and waits until it takes notifications.
///
/// On `http` and `https` at once it would send everybody to the second.
pub fn start(mut command: Command, scheme: &str, settings: &[(&str, String)]) -> Server {
    let address = format!(
        "127.0.0.1:{}",
        harmony::containers::ports::free_port().expect("a port")
    );
    command
        .args(["--urls", &format!("{scheme}://{address}")])
        .envs(settings.iter().cloned());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a server");
    let server = Server { child, address };
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ready(&server.address) {
        assert!(Instant::now() < deadline, "the server is not ready");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    server
}

/// Whether the hub takes notifications; the reference hub has no health check, so any answer will
/// do, as it must where TLS is spoken.
pub fn ready(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let sent =
        stream.write_all(b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    sent.and_then(|()| stream.read_to_string(&mut answer))
        .is_ok_and(|_| !answer.contains(" 503 "))
}
