//! Numbered messages through hubs, Redis and RabbitMQ while these die, restart and are cut off: every one is counted.
//!
//! `HARMONY_CHAOS_SECONDS=600 HARMONY_CHAOS_SEED=1 tests/run cluster::chaos::random` for a long run of random faults;
//! `HARMONY_CHAOS_TABLE=1 tests/run cluster::chaos::table` for the table beside the .NET hub.

use crate::harness::program::{Hub, Program};
use crate::harness::raw::http;
use crate::harness::services::{Part, Redis, has, refhub_at};
use crate::harness::{Folder, free_port, wait_for};
use futures_util::future::join_all;
use harmony::broker::Broker;
use harmony::connection_string::{Endpoint, amqp::BrokerAddress};
use harmony::hub_client::{ClientError, HubClient};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use url::Url;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
/// Messages of a burst that are on their way at a time.
const BURST: usize = 500;
/// How long after the last fault everything must have been heard.
const HEAL_WITHIN: Duration = Duration::from_secs(45);

/// A RabbitMQ that may be killed: a node of its own.
struct OwnRabbitMq {
    port: u16,
    node: String,
    folder: Folder,
    server: Option<Child>,
}

impl OwnRabbitMq {
    fn start() -> Self {
        let mut rabbitmq = OwnRabbitMq { port: free_port(), node: format!("{}@localhost", crate::harness::unique("chaos")), folder: Folder::new(), server: None };
        rabbitmq.folder.write("rabbitmq.conf", &format!("listeners.tcp.1 = 127.0.0.1:{}\n", rabbitmq.port));
        rabbitmq.folder.write("plugins", "[].");
        rabbitmq.run();
        rabbitmq
    }

    fn run(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        command.env("HOME", self.folder.path()).env("RABBITMQ_NODENAME", &self.node).env("RABBITMQ_DIST_PORT", free_port().to_string());
        command.env("RABBITMQ_CONFIG_FILE", path("rabbitmq")).env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"));
        command.env("RABBITMQ_MNESIA_BASE", path("mnesia")).env("RABBITMQ_LOG_BASE", path("log")).env("RABBITMQ_PID_FILE", path("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        self.server = Some(command.spawn().expect("RabbitMQ"));
        let address = self.address();
        wait_for("RabbitMQ", || block_on(async { Broker::connect(&address, "chaos", Duration::from_secs(2)).await }).ok().map(drop));
    }

    fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let group = Pid::from_raw(server.id() as i32).expect("a pid");
            let _ = kill_process_group(group, Signal::KILL);
            let _ = server.wait();
        }
    }

    fn address(&self) -> BrokerAddress {
        BrokerAddress::new(Endpoint::new("127.0.0.1", self.port), "", "", "")
    }
}

impl Drop for OwnRabbitMq {
    fn drop(&mut self) {
        self.kill();
    }
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(task)
}

fn body(number: usize) -> String {
    json!({ "BoardId": BOARD, "CardId": "adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4", "Title": number.to_string() }).to_string()
}

/// Publishes numbers until it is stopped; those that RabbitMQ confirmed count as accepted.
struct Publisher {
    accepted: Arc<Mutex<Vec<usize>>>,
    stop: Arc<AtomicBool>,
    /// Milliseconds between messages; 0 is a burst.
    pause: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    fn start(address: BrokerAddress, pause: usize) -> Self {
        let publisher = Publisher { accepted: Arc::default(), stop: Arc::default(), pause: Arc::new(AtomicUsize::new(pause)), thread: None };
        let (accepted, stop, pause) = (publisher.accepted.clone(), publisher.stop.clone(), publisher.pause.clone());
        let thread = std::thread::spawn(move || {
            block_on(async move {
                let (mut number, mut broker) = (0, None);
                while !stop.load(Ordering::Relaxed) {
                    if broker.is_none() {
                        broker = Broker::connect(&address, "chaos", Duration::from_secs(2)).await.ok();
                        if let Some(connected) = &broker {
                            // The exchange is not durable: after a restart a queue must be bound before anything is published.
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
                    let count = if pause.load(Ordering::Relaxed) == 0 { BURST } else { 1 };
                    let bodies: Vec<_> = (number..number + count).map(body).collect();
                    let publishing = join_all(bodies.iter().map(|body| connected.publish("CardTitleChanged", body.as_bytes())));
                    match tokio::time::timeout(Duration::from_secs(3), publishing).await {
                        Ok(confirmed) => {
                            let taken = confirmed.iter().zip(number..).filter(|(result, _)| result.is_ok()).map(|(_, number)| number);
                            accepted.lock().expect("numbers").extend(taken);
                            if confirmed.iter().any(Result::is_err) {
                                broker = None;
                            }
                        }
                        Err(_) => broker = None,
                    }
                    number += count;
                    let pause = pause.load(Ordering::Relaxed);
                    if pause > 0 {
                        tokio::time::sleep(Duration::from_millis(pause as u64)).await;
                    }
                }
            });
        });
        Publisher { thread: Some(thread), ..publisher }
    }

    fn count(&self) -> usize {
        self.accepted.lock().expect("numbers").len()
    }

    fn finish(mut self) -> Vec<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("a thread").join().expect("an end");
        std::mem::take(&mut *self.accepted.lock().expect("numbers"))
    }
}

/// A client that comes back whenever it is cut off; how often it heard each number.
struct Listener {
    heard: Arc<Mutex<HashMap<usize, usize>>>,
    stop: Arc<AtomicBool>,
}

impl Listener {
    fn start(hub: &str) -> Self {
        let listener = Listener { heard: Arc::default(), stop: Arc::default() };
        let (heard, stop, hub) = (listener.heard.clone(), listener.stop.clone(), Url::parse(hub).expect("an address"));
        let (joined, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            block_on(async move {
                while !stop.load(Ordering::Relaxed) {
                    // A hub that is away, or not well yet, is asked again.
                    let session = async {
                        let mut client = HubClient::connect(&hub).await?;
                        client.invoke("ListenForBoardEvents", BOARD).await?;
                        Ok::<_, ClientError>(client)
                    };
                    let Ok(mut client) = session.await else {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    let _ = joined.send(());
                    while let Ok((_, arguments)) = client.hear().await {
                        if let Some(number) = arguments[0]["title"].as_str().and_then(|title| title.parse().ok()) {
                            *heard.lock().expect("numbers").entry(number).or_default() += 1;
                        }
                    }
                }
            });
        });
        ready.recv_timeout(Duration::from_secs(60)).expect("a client that listens");
        listener
    }

    fn lost(&self, accepted: &[usize]) -> usize {
        let heard = self.heard.lock().expect("numbers");
        accepted.iter().filter(|number| !heard.contains_key(number)).count()
    }

    fn twice(&self) -> usize {
        self.heard.lock().expect("numbers").values().filter(|times| **times > 1).count()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    DotNet,
}

/// Two hubs of a kind with a client each, one Redis, one RabbitMQ.
struct Cluster {
    kind: Kind,
    redis: Option<Redis>,
    redis_port: u16,
    rabbitmq: OwnRabbitMq,
    hubs: Vec<Option<Running>>,
    listeners: Vec<Listener>,
    ports: [u16; 2],
}

enum Running {
    Ours(Hub),
    DotNet(Program),
}

impl Running {
    fn program(&mut self) -> &mut Program {
        match self {
            Running::Ours(hub) => &mut hub.program,
            Running::DotNet(program) => program,
        }
    }
}

impl Cluster {
    fn start(kind: Kind) -> Self {
        let redis = Redis::start();
        let mut cluster = Cluster {
            kind,
            redis_port: redis.port,
            redis: Some(redis),
            rabbitmq: OwnRabbitMq::start(),
            hubs: vec![None, None],
            listeners: Vec::new(),
            ports: [free_port(), free_port()],
        };
        for place in 0..2 {
            cluster.start_hub(place);
        }
        for place in 0..2 {
            if kind == Kind::Ours {
                wait_for("a hub that is ready", || (http(&cluster.hub_address(place), READY).status == 200).then_some(()));
            }
            cluster.listeners.push(Listener::start(&cluster.url(place)));
        }
        cluster
    }

    fn url(&self, place: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[place])
    }

    fn hub_address(&self, place: usize) -> String {
        format!("127.0.0.1:{}", self.ports[place])
    }

    fn start_hub(&mut self, place: usize) {
        let url = self.url(place);
        self.hubs[place] = Some(match self.kind {
            Kind::Ours => Running::Ours(Hub::start_at(&url, &[
                "--BrokerConfiguration:Host=127.0.0.1",
                &format!("--BrokerConfiguration:Port={}", self.rabbitmq.port),
                &format!("--RedisConnectionString=127.0.0.1:{},abortConnect=false", self.redis_port),
            ])),
            Kind::DotNet => Running::DotNet(refhub_at(&url, self.redis_port, self.rabbitmq.port)),
        });
    }

    fn signal(&mut self, place: usize, signal: Signal) {
        if let Some(hub) = &mut self.hubs[place] {
            hub.program().signal(signal);
        }
    }

    fn redis_says(&self, command: &str) {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.redis_port)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = stream.write_all(format!("{command}\r\n").as_bytes());
        let _ = stream.read(&mut [0; 64]);
    }

    /// Lets something go wrong, and puts it right again.
    fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Nothing => {}
            Fault::Kill => {
                self.signal(0, Signal::KILL);
                self.hubs[0] = None;
            }
            Fault::Stop => {
                self.signal(0, Signal::TERM);
                if let Some(mut hub) = self.hubs[0].take() {
                    hub.program().wait();
                }
            }
            Fault::Freeze => {
                self.signal(0, Signal::STOP);
                pause(4000);
                self.signal(0, Signal::CONT);
            }
            Fault::RedisRestart(milliseconds) => {
                drop(self.redis.take());
                pause(milliseconds);
                self.redis = Some(Redis::on(self.redis_port));
            }
            Fault::RabbitMqRestart => {
                self.rabbitmq.kill();
                self.rabbitmq.run();
            }
            Fault::CutListeners => self.redis_says("CLIENT KILL TYPE pubsub"),
            Fault::CutAll => {
                self.redis_says("CLIENT KILL TYPE pubsub");
                self.redis_says("CLIENT KILL TYPE normal");
            }
            Fault::RedisPause => {
                self.redis_says("CLIENT PAUSE 3000");
                pause(3000);
            }
        }
    }
}

const READY: &[u8] = b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    Kill,
    Stop,
    Freeze,
    RedisRestart(u64),
    RabbitMqRestart,
    CutListeners,
    CutAll,
    RedisPause,
}

/// What lasts as long as a fault should.
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// One line of the table.
#[derive(Debug)]
struct Outcome {
    accepted: usize,
    lost: usize,
    twice: usize,
    healed: Option<Duration>,
}

/// Publishes, paced or in a burst, lets the fault happen in the middle, and counts what the client
/// on the hub that lives through it all has heard.
fn endure(kind: Kind, fault: Fault, burst: bool) -> Outcome {
    let mut cluster = Cluster::start(kind);
    let publisher = Publisher::start(cluster.rabbitmq.address(), if burst { 0 } else { 5 });
    let some = if burst { 5000 } else { 200 };
    wait_for("the first messages", || (publisher.count() > some).then_some(()));
    cluster.suffer(fault);
    let mended = Instant::now();
    let before = publisher.count();
    wait_for("messages after the fault", || (publisher.count() > before + some).then_some(()));
    let accepted = publisher.finish();
    let survivor = &cluster.listeners[1];
    let mut healed = None;
    while mended.elapsed() < HEAL_WITHIN && healed.is_none() {
        if survivor.lost(&accepted) == 0 {
            healed = Some(mended.elapsed());
        }
        // A hub that died hears nothing any more.
        let dead = cluster.hubs[1].as_mut().is_none_or(|hub| hub.program().has_ended());
        if dead && mended.elapsed() > Duration::from_secs(15) {
            break;
        }
        pause(20);
    }
    Outcome { accepted: accepted.len(), lost: survivor.lost(&accepted), twice: survivor.twice(), healed }
}

const TABLE: [(&str, Fault, bool); 11] = [
    ("nothing, burst", Fault::Nothing, true),
    ("hub killed, burst", Fault::Kill, true),
    ("hub stopped, burst", Fault::Stop, true),
    ("hub frozen 4 s", Fault::Freeze, false),
    ("Redis away 1 s", Fault::RedisRestart(1000), false),
    ("Redis away 8 s", Fault::RedisRestart(8000), false),
    ("RabbitMQ killed", Fault::RabbitMqRestart, false),
    ("listeners cut, burst", Fault::CutListeners, true),
    ("listeners cut", Fault::CutListeners, false),
    ("all of Redis cut", Fault::CutAll, false),
    ("Redis paused 3 s", Fault::RedisPause, false),
];

#[test]
fn table() {
    // Some minutes: only where it is asked for. The faults themselves are in the random run as well.
    if std::env::var_os("HARMONY_CHAOS_TABLE").is_none() || !has("table", &[Part::Redis, Part::RabbitMq, Part::Peer]) {
        return;
    }
    eprintln!("{:<24}{:<8}{:>9}{:>8}{:>8}{:>11}", "fault", "hub", "accepted", "lost", "twice", "healed ms");
    for (name, fault, burst) in TABLE {
        for kind in [Kind::Ours, Kind::DotNet] {
            let Outcome { accepted, lost, twice, healed } = endure(kind, fault, burst);
            let healed = healed.map_or_else(|| "never".to_owned(), |healed| healed.as_millis().to_string());
            let hub = if kind == Kind::Ours { "ours" } else { ".NET" };
            eprintln!("{name:<24}{hub:<8}{accepted:>9}{lost:>8}{twice:>8}{healed:>11}");
            assert!(kind == Kind::DotNet || lost == 0, "{name}: {lost} of {accepted} lost");
        }
    }
}

/// A small generator, so that a seed replays.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn random() {
    // Like the table only where it is asked for: several faults at once still lose a few messages of many.
    if std::env::var_os("HARMONY_CHAOS_SECONDS").is_none() || !has("random", &[Part::Redis, Part::RabbitMq]) {
        return;
    }
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seconds, seed) = (number("HARMONY_CHAOS_SECONDS", 20), number("HARMONY_CHAOS_SEED", u64::from(std::process::id())));
    let mut random = Random(seed);
    let mut cluster = Cluster::start(Kind::Ours);
    let publisher = Publisher::start(cluster.rabbitmq.address(), 5);
    let (began, mut faults) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(seconds) {
        pause(300 + random.below(1500));
        publisher.pause.store([0, 2, 5, 20][random.below(4) as usize], Ordering::Relaxed);
        let fault = match random.below(10) {
            0 | 1 => Fault::Kill,
            2 => Fault::Stop,
            3 => Fault::Freeze,
            4 => Fault::RedisRestart(200 + random.below(4000)),
            5 if seconds > 60 => Fault::RabbitMqRestart,
            6 => Fault::CutAll,
            7 => Fault::RedisPause,
            _ => Fault::CutListeners,
        };
        faults.push(fault);
        cluster.suffer(fault);
        if cluster.hubs[0].is_none() {
            pause(random.below(1500));
            cluster.start_hub(0);
        }
    }
    publisher.pause.store(5, Ordering::Relaxed);
    let accepted = publisher.finish();
    let survivor = &cluster.listeners[1];
    let mended = Instant::now();
    while survivor.lost(&accepted) > 0 && mended.elapsed() < HEAL_WITHIN {
        pause(50);
    }
    let lost = survivor.lost(&accepted);
    eprintln!("seed {seed}, {seconds} s: {} faults, {} accepted, {lost} lost, {} twice", faults.len(), accepted.len(), survivor.twice());
    assert_eq!(lost, 0, "seed {seed}: {faults:?}");
}
