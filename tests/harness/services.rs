//! Real servers for tests: a Redis each, one RabbitMQ with a virtual host each, Docker and a
//! registry.
//!
//! `tests/run` installs and starts them and says where they are; without it their tests are listed
//! as not run, and with `CI=true` they fail.

use super::amqp::Amqp;
use super::program::Program;
use super::{Folder, free_port, unique, wait_for};
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

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
            Part::RabbitMq => rabbitmq().is_some(),
            Part::Docker => registry().is_some(),
            Part::Node => node_modules().is_some(),
            Part::Python => std::env::var_os("HARMONY_TEST_PYTHON").is_some(),
            Part::Peer => super::program::peer().is_some(),
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
            if let Some(path) = std::env::var_os("HARMONY_NOT_RUN") {
                let file = std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(path);
                file.and_then(|mut file| file.write_all(line.as_bytes()))
                    .expect("the list of tests not run");
            }
            return false;
        }
    }
    true
}

/// A Redis of the test's own.
pub struct Redis {
    pub port: u16,
    program: Program,
    _folder: Folder,
}

impl Redis {
    pub fn start() -> Self {
        Self::on(free_port())
    }

    pub fn on(port: u16) -> Self {
        Self::with(port, &[])
    }

    /// With settings of its own.
    pub fn with(port: u16, settings: &[&str]) -> Self {
        let folder = Folder::new();
        let mut command = Command::new("redis-server");
        command
            .current_dir(folder.path())
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(settings);
        let mut program = Program::start(&mut command);
        program.wait_for_line("Ready to accept connections");
        Redis {
            port,
            program,
            _folder: folder,
        }
    }

    pub fn connection_string(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops answering, until it goes on.
    #[cfg(unix)]
    pub fn pause(&self) {
        self.program.signal(rustix::process::Signal::STOP);
    }

    #[cfg(unix)]
    pub fn go_on(&self) {
        self.program.signal(rustix::process::Signal::CONT);
    }

    /// Ends it, so that it can be started anew on the same port.
    pub fn stop(mut self) -> u16 {
        self.program.stop();
        self.port
    }

    /// Listens to every channel; yields channel and payload.
    pub fn listen(&self) -> Listener {
        let mut listener = Listener {
            stream: super::raw::connect(&self.connection_string()),
        };
        listener
            .stream
            .write_all(b"PSUBSCRIBE *\r\n")
            .expect("a command sent");
        for _ in 0..3 {
            listener.value();
        }
        listener
    }
}

/// Reads what is published on a Redis.
pub struct Listener {
    stream: TcpStream,
}

impl Listener {
    /// The next message: its channel and payload. What only hubs of ours say to one another is
    /// passed over.
    pub fn next(&mut self) -> (String, Vec<u8>) {
        loop {
            let (channel, payload) = self.next_of_all();
            if !channel.contains(":internal:mark:") && !channel.ends_with(":internal:log") {
                return (channel, payload);
            }
        }
    }

    /// The next message of any kind.
    pub fn next_of_all(&mut self) -> (String, Vec<u8>) {
        while self.value() != b"pmessage" {}
        self.value();
        (
            String::from_utf8(self.value()).expect("a channel"),
            self.value(),
        )
    }

    /// The next RESP value that is a string or a number, as bytes; heads of arrays are passed over.
    fn value(&mut self) -> Vec<u8> {
        use std::io::Read;
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                self.stream
                    .read_exact(&mut byte)
                    .expect("a byte from Redis");
                line.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
            match line[0] {
                b'*' => continue,
                b'$' => {
                    let mut payload = vec![0; text.parse::<usize>().expect("a length") + 2];
                    self.stream.read_exact(&mut payload).expect("a payload");
                    payload.truncate(payload.len() - 2);
                    return payload;
                }
                _ => return text.into_bytes(),
            }
        }
    }
}

/// Where the shared RabbitMQ is: its AMQP port and its node's name for rabbitmqctl.
fn rabbitmq() -> Option<(u16, u16)> {
    let (amqp, management) = std::env::var("HARMONY_TEST_RABBITMQ")
        .ok()?
        .split_once(':')
        .map(|(amqp, management)| (amqp.parse().ok(), management.parse().ok()))?;
    Some((amqp?, management?))
}

/// A virtual host of the test's own on the shared RabbitMQ; deleted when dropped.
pub struct RabbitMq {
    pub port: u16,
    pub virtual_host: String,
    management: u16,
}

impl RabbitMq {
    pub fn start() -> Self {
        let (port, management) = rabbitmq().expect("a RabbitMQ");
        let virtual_host = unique("test");
        let rabbitmq = RabbitMq {
            port,
            virtual_host,
            management,
        };
        let path = format!("/api/vhosts/{}", rabbitmq.virtual_host);
        assert!(matches!(rabbitmq.management("PUT", &path, ""), 201 | 204));
        let path = format!("/api/permissions/{}/guest", rabbitmq.virtual_host);
        let status = rabbitmq.management(
            "PUT",
            &path,
            r#"{"configure":".*","write":".*","read":".*"}"#,
        );
        assert!(matches!(status, 201 | 204), "{status}");
        rabbitmq
    }

    /// The hub's settings for it.
    pub fn arguments(&self) -> [String; 3] {
        [
            "--BrokerConfiguration:Host=127.0.0.1".into(),
            format!("--BrokerConfiguration:Port={}", self.port),
            format!("--BrokerConfiguration:VirtualHost={}", self.virtual_host),
        ]
    }

    /// A publisher that can publish anything.
    pub fn publisher(&self) -> Amqp {
        self.publisher_as("guest", "guest")
    }

    pub fn publisher_as(&self, user: &str, password: &str) -> Amqp {
        Amqp::connect(self.port, &self.virtual_host, user, password)
    }

    pub fn address(&self) -> harmony::connection_string::amqp::BrokerAddress {
        let endpoint = harmony::connection_string::Endpoint::new("127.0.0.1", self.port);
        harmony::connection_string::amqp::BrokerAddress::new(endpoint, "", "", &self.virtual_host)
    }

    /// Asks the management API; the status.
    fn management(&self, method: &str, path: &str, body: &str) -> u16 {
        self.ask(method, path, body).status
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> super::raw::Answer {
        let address = format!("127.0.0.1:{}", self.management);
        // guest:guest
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        super::raw::http(&address, request.as_bytes())
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.management("DELETE", &format!("/api/vhosts/{}", self.virtual_host), "");
    }
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

/// A .NET hub; `None` arguments leave it without a backplane or broker.
pub fn refhub(redis: Option<&Redis>, rabbitmq: Option<&RabbitMq>) -> (Program, String) {
    refhub_with(redis, rabbitmq, &[])
}

/// With environment variables.
pub fn refhub_with(
    redis: Option<&Redis>,
    rabbitmq: Option<&RabbitMq>,
    variables: &[(&str, &str)],
) -> (Program, String) {
    let peer = super::program::peer().expect("the peer");
    let port = free_port();
    let mut command = super::program::dotnet(&peer, "refhub");
    command.envs(variables.iter().copied());
    command.args(["--urls", &format!("http://127.0.0.1:{port}")]);
    if let Some(redis) = redis {
        command.env("RedisConnectionString", redis.connection_string());
    }
    if let Some(rabbitmq) = rabbitmq {
        command
            .env("BrokerConfiguration__Host", "127.0.0.1")
            .env("BrokerConfiguration__Port", rabbitmq.port.to_string());
        command.env("BrokerConfiguration__VirtualHost", &rabbitmq.virtual_host);
    }
    let program = Program::start(&mut command);
    wait_for("the .NET hub", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    (program, format!("127.0.0.1:{port}"))
}

/// A .NET hub at an address, on a Redis and on a RabbitMQ as it comes.
pub fn refhub_at(url: &str, redis: &str, rabbitmq: u16, variables: &[(&str, String)]) -> Program {
    let peer = super::program::peer().expect("the peer");
    let mut command = super::program::dotnet(&peer, "refhub");
    command
        .args(["--urls", url])
        .env("RedisConnectionString", redis)
        .envs(variables.iter().map(|(name, value)| (*name, value)));
    command
        .env("BrokerConfiguration__Host", "127.0.0.1")
        .env("BrokerConfiguration__Port", rabbitmq.to_string());
    let program = Program::start(&mut command);
    let address = super::program::address(url);
    wait_for("the .NET hub", || TcpStream::connect(address).ok());
    program
}
