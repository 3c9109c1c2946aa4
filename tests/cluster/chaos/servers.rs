//! Kinds of Redis: watched by sentinels, or a cluster.

use crate::harness::program::{Program, run, text};
use crate::harness::{Folder, free_port, wait_for};
use std::process::Command;

/// Several Redis servers that belong together.
pub struct Servers {
    pub connection_string: String,
    programs: Vec<(u16, Program)>,
    folder: Folder,
}

impl Servers {
    fn run(&mut self, port: u16, arguments: &[&str]) {
        let folder = self.folder.path().join(port.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new("redis-server");
        command.current_dir(folder).args(arguments).args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        let mut program = Program::start(&mut command);
        program.wait_for_line("eady to accept connections");
        self.programs.push((port, program));
    }

    fn none() -> Self {
        Servers {
            connection_string: String::new(),
            programs: Vec::new(),
            folder: Folder::new(),
        }
    }

    /// A primary, its replica, and a sentinel that watches them.
    pub fn watched() -> Self {
        let mut servers = Servers::none();
        let [primary, replica, sentinel] = [free_port(), free_port(), free_port()];
        servers.run(primary, &[]);
        servers.run(replica, &["--replicaof", "127.0.0.1", &primary.to_string()]);
        let watch = format!(
            "port {sentinel}\nbind 127.0.0.1\nsentinel monitor harmony 127.0.0.1 {primary} 1\nsentinel down-after-milliseconds harmony 1000\nsentinel failover-timeout harmony 5000\n"
        );
        let watch = servers.folder.write("sentinel.conf", &watch);
        let mut program = Program::start(
            Command::new("redis-server")
                .current_dir(servers.folder.path())
                .arg(watch)
                .arg("--sentinel"),
        );
        program.wait_for_line("+slave");
        servers.programs.push((sentinel, program));
        servers.connection_string =
            format!("127.0.0.1:{sentinel},serviceName=harmony,abortConnect=false");
        servers
    }

    /// Kills the primary; returns once the sentinel names another.
    pub fn fail_over(&mut self) {
        let sentinel = self.programs[2].0;
        let named = || {
            redis_cli(
                sentinel,
                &["SENTINEL", "get-master-addr-by-name", "harmony"],
            )
        };
        let before = named();
        self.programs.remove(0);
        wait_for("another primary", || (named() != before).then_some(()));
    }

    /// Three nodes that share the slots.
    pub fn cluster() -> Self {
        let mut servers = Servers::none();
        let ports = [free_port(), free_port(), free_port()];
        for port in ports {
            servers.run(
                port,
                &[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &free_port().to_string(),
                    "--cluster-node-timeout",
                    "2000",
                ],
            );
        }
        let nodes = ports.map(|port| format!("127.0.0.1:{port}"));
        let made = run(Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&nodes)
            .arg("--cluster-yes"));
        assert!(
            made.status.success(),
            "{}{}",
            text(&made.stdout),
            text(&made.stderr)
        );
        let agreed = || {
            ports
                .iter()
                .all(|port| redis_cli(*port, &["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        };
        wait_for("the cluster", || agreed().then_some(()));
        servers.connection_string = format!("{},abortConnect=false", nodes.join(","));
        servers
    }

    /// Moves the slot of a key, with what is in it, to another node.
    pub fn move_slot(&mut self, key: &str) {
        let ports: Vec<_> = self.programs.iter().map(|(port, _)| *port).collect();
        let slot = redis_cli(ports[0], &["CLUSTER", "KEYSLOT", key]);
        let keeps = |port: &u16| redis_cli(*port, &["CLUSTER", "COUNTKEYSINSLOT", &slot]) != "0";
        let from = ports.iter().copied().find(keeps).unwrap_or(ports[0]);
        let to = ports
            .iter()
            .copied()
            .find(|port| *port != from)
            .expect("another node");
        let [source, target] = [from, to].map(|port| redis_cli(port, &["CLUSTER", "MYID"]));
        redis_cli(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        redis_cli(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
        for key in redis_cli(from, &["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]).lines() {
            redis_cli(
                from,
                &[
                    "MIGRATE",
                    "127.0.0.1",
                    &to.to_string(),
                    key,
                    "0",
                    "5000",
                    "REPLACE",
                ],
            );
        }
        for port in ports {
            redis_cli(port, &["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
        }
    }
}

fn redis_cli(port: u16, arguments: &[&str]) -> String {
    text(
        &run(Command::new("redis-cli")
            .args(["-p", &port.to_string()])
            .args(arguments))
        .stdout,
    )
    .trim()
    .to_owned()
}
