//! What chaos is made of: a RabbitMQ that may die, kinds of Redis, a way that may fail, who
//! publishes and who listens.

use super::BOARD;
use crate::harness::program::{Program, run, text};
use crate::harness::{Folder, PATIENCE, free_port, wait_for};
use futures_util::future::join_all;
use harmony::broker::Broker;
use harmony::connection_string::{Endpoint, amqp::BrokerAddress};
use harmony::hub_client::{ClientError, HubClient};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use url::Url;

/// Messages of a burst that are on their way at a time.
const BURST: usize = 500;

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

pub fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(task)
}

fn body(number: usize) -> String {
    json!({ "BoardId": BOARD, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": number.to_string() }).to_string()
}

/// In place of a pause: nothing is published for now.
pub const HOLD: usize = usize::MAX;

/// Publishes numbers until it is stopped; those that RabbitMQ confirmed count as accepted.
pub struct Publisher {
    accepted: Arc<Mutex<Vec<usize>>>,
    stop: Arc<AtomicBool>,
    /// Milliseconds between messages; 0 is a burst.
    pub pause: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    pub fn start(address: BrokerAddress, pause: usize) -> Self {
        let publisher = Publisher {
            accepted: Arc::default(),
            stop: Arc::default(),
            pause: Arc::new(AtomicUsize::new(pause)),
            thread: None,
        };
        let (accepted, stop, pause) = (
            publisher.accepted.clone(),
            publisher.stop.clone(),
            publisher.pause.clone(),
        );
        let thread = std::thread::spawn(move || {
            block_on(async move {
                let (mut number, mut broker) = (0, None);
                while !stop.load(Ordering::Relaxed) {
                    if pause.load(Ordering::Relaxed) == HOLD {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    }
                    if broker.is_none() {
                        broker = Broker::connect(&address, "chaos", Duration::from_secs(2))
                            .await
                            .ok();
                        if let Some(connected) = &broker {
                            // The exchange is not durable: after a restart a queue must be bound
                            // before anything is published.
                            if connected.declare().await.is_err() {
                                broker = None;
                            }
                        }
                    }
                    let Some(connected) = &broker else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    // A burst is many at once; RabbitMQ confirms each.
                    let count = if pause.load(Ordering::Relaxed) == 0 {
                        BURST
                    } else {
                        1
                    };
                    let bodies: Vec<_> = (number..number + count).map(body).collect();
                    let publishing = join_all(
                        bodies
                            .iter()
                            .map(|body| connected.publish("CardTitleChanged", body.as_bytes())),
                    );
                    match tokio::time::timeout(Duration::from_secs(3), publishing).await {
                        Ok(confirmed) => {
                            let taken = confirmed
                                .iter()
                                .zip(number..)
                                .filter(|(result, _)| result.is_ok())
                                .map(|(_, number)| number);
                            accepted.lock().expect("numbers").extend(taken);
                            if confirmed.iter().any(Result::is_err) {
                                broker = None;
                            }
                        }
                        Err(_) => broker = None,
                    }
                    number += count;
                    let pause = pause.load(Ordering::Relaxed);
                    if pause > 0 && pause != HOLD {
                        tokio::time::sleep(Duration::from_millis(pause as u64)).await;
                    }
                }
            });
        });
        Publisher {
            thread: Some(thread),
            ..publisher
        }
    }

    pub fn count(&self) -> usize {
        self.accepted.lock().expect("numbers").len()
    }

    pub fn finish(mut self) -> Vec<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .take()
            .expect("a thread")
            .join()
            .expect("an end");
        std::mem::take(&mut *self.accepted.lock().expect("numbers"))
    }
}

/// A client that comes back whenever it is cut off; how often it heard each number.
pub struct Listener {
    /// By number, since looking must not keep it from listening.
    heard: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
}

impl Listener {
    pub fn start(hub: &str) -> Self {
        let listener = Listener {
            heard: Arc::default(),
            stop: Arc::default(),
        };
        let (heard, stop, hub) = (
            listener.heard.clone(),
            listener.stop.clone(),
            Url::parse(hub).expect("an address"),
        );
        let (joined, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            block_on(async move {
                while !stop.load(Ordering::Relaxed) {
                    // A hub that is away, or not well yet, is asked again.
                    let session = async {
                        let mut client = HubClient::connect(&hub, PATIENCE).await?;
                        client.invoke("ListenForBoardEvents", BOARD).await?;
                        Ok::<_, ClientError>(client)
                    };
                    let Ok(mut client) = session.await else {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    let _ = joined.send(());
                    while let Ok((_, arguments)) = client.hear().await {
                        if let Some(number) = arguments[0]["title"]
                            .as_str()
                            .and_then(|title| title.parse::<usize>().ok())
                        {
                            let mut heard = heard.lock().expect("numbers");
                            let missing = (number + 1).saturating_sub(heard.len());
                            heard.extend(std::iter::repeat_n(0, missing));
                            heard[number] = heard[number].saturating_add(1);
                        }
                    }
                }
            });
        });
        ready
            .recv_timeout(Duration::from_secs(60))
            .expect("a client that listens");
        listener
    }

    /// How many different ones it has heard.
    pub fn count(&self) -> usize {
        self.heard
            .lock()
            .expect("numbers")
            .iter()
            .filter(|times| **times > 0)
            .count()
    }

    pub fn lost(&self, accepted: &[usize]) -> usize {
        let heard = self.heard.lock().expect("numbers");
        accepted
            .iter()
            .filter(|number| heard.get(**number).is_none_or(|times| *times == 0))
            .count()
    }

    /// Runs of what it has not heard, as places in what was accepted.
    pub fn gaps(&self, accepted: &[usize]) -> Vec<Range<usize>> {
        let heard = self.heard.lock().expect("numbers");
        let mut gaps: Vec<Range<usize>> = Vec::new();
        for (place, _) in accepted
            .iter()
            .enumerate()
            .filter(|(_, number)| heard.get(**number).is_none_or(|times| *times == 0))
        {
            match gaps.last_mut() {
                Some(gap) if gap.end == place => gap.end += 1,
                _ => gaps.push(place..place + 1),
            }
        }
        gaps
    }

    pub fn twice(&self) -> usize {
        self.heard
            .lock()
            .expect("numbers")
            .iter()
            .filter(|times| **times > 1)
            .count()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A way to a server, on which things may go wrong.
pub struct Way {
    pub port: u16,
    state: Arc<AtomicUsize>,
    cuts: Arc<AtomicUsize>,
}

/// How a way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Passage {
    Open,
    /// Every piece takes a tenth of a second.
    Slow,
    /// Nothing passes, and nobody is told.
    Silent,
}

impl Way {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let way = Way {
            port: listener.local_addr().expect("an address").port(),
            state: Arc::default(),
            cuts: Arc::default(),
        };
        let (state, cuts) = (way.state.clone(), way.cuts.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (
                        from.try_clone().expect("a socket"),
                        to.try_clone().expect("a socket"),
                    );
                    let (state, cuts) = (state.clone(), cuts.clone());
                    std::thread::spawn(move || carry(from, to, &state, &cuts));
                }
            }
        });
        way
    }

    pub fn set(&self, passage: Passage) {
        self.state.store(passage as usize, Ordering::Relaxed);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &AtomicUsize, cuts: &AtomicUsize) {
    let (before, mut buffer) = (cuts.load(Ordering::Relaxed), vec![0; 64 << 10]);
    let _ = from.set_nodelay(true);
    let _ = from.set_read_timeout(Some(Duration::from_millis(20)));
    let _ = to.set_write_timeout(Some(Duration::from_millis(500)));
    while cuts.load(Ordering::Relaxed) == before {
        let passage = state.load(Ordering::Relaxed);
        if passage == Passage::Silent as usize {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(_) => break,
        };
        if passage == Passage::Slow as usize {
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() && cuts.load(Ordering::Relaxed) == before {
            match to.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => break,
            }
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

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
