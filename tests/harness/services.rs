//! Real servers for tests: a Redis each, one RabbitMQ with a virtual host each, .NET hubs.

use super::amqp::Amqp;
use super::program::Program;
use super::{Folder, free_port, unique, wait_for};
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

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
