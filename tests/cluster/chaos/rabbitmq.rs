//! A RabbitMQ that may die: a node of its own.

use super::block_on;
use crate::harness::program::{run, text};
use crate::harness::{Folder, free_port};
use harmony::broker::Broker;
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::BrokerAddress;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A RabbitMQ that may be killed: a node of its own.
pub struct OwnRabbitMq {
    pub port: u16,
    node: String,
    folder: Folder,
    server: Option<Child>,
}

impl OwnRabbitMq {
    pub fn start() -> Self {
        let mut rabbitmq = OwnRabbitMq {
            port: free_port(),
            node: format!("{}@localhost", crate::harness::unique("chaos")),
            folder: Folder::new(),
            server: None,
        };
        rabbitmq.folder.write(
            "rabbitmq.conf",
            &format!("listeners.tcp.1 = 127.0.0.1:{}\n", rabbitmq.port),
        );
        rabbitmq.folder.write("plugins", "[].");
        rabbitmq.run();
        rabbitmq
    }

    pub fn run(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = self.command("rabbitmq-server");
        command
            .current_dir(self.folder.path())
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"));
        command.env("RABBITMQ_DIST_PORT", free_port().to_string());
        command
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_PID_FILE", path("pid"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        self.server = Some(command.spawn().expect("RabbitMQ"));
        let address = self.address();
        // One that was killed with much in its queues takes longer than anything else.
        let deadline = std::time::Instant::now() + Duration::from_secs(240);
        while block_on(async { Broker::connect(&address, "chaos", Duration::from_secs(2)).await })
            .is_err()
        {
            assert!(
                std::time::Instant::now() < deadline,
                "RabbitMQ does not come back"
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(format!("/usr/lib/rabbitmq/bin/{program}"));
        command
            .env("HOME", self.folder.path())
            .env("RABBITMQ_NODENAME", &self.node);
        command
    }

    /// Has its own tool do something.
    pub fn control(&self, arguments: &[&str]) {
        let output = run(self.command("rabbitmqctl").args(arguments));
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }

    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let group = Pid::from_raw(server.id() as i32).expect("a pid");
            let _ = kill_process_group(group, Signal::KILL);
            let _ = server.wait();
        }
    }

    pub fn address(&self) -> BrokerAddress {
        BrokerAddress::new(Endpoint::new("127.0.0.1", self.port), "", "", "")
    }
}

impl Drop for OwnRabbitMq {
    fn drop(&mut self) {
        self.kill();
    }
}
