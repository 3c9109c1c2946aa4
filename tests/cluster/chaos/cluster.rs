//! Two hubs of a kind, their Redis and RabbitMQ, and the faults that befall them.

use super::block_on;
use super::listener::Listener;
use super::publisher::{HOLD, Publisher};
use super::rabbitmq::OwnRabbitMq;
use super::servers::Servers;
use super::way::{Passage, Way};
use crate::harness::program::{Hub, Program, run};
use crate::harness::raw::http;
use crate::harness::services::{Redis, refhub_at};
use crate::harness::{Folder, free_port, wait_for};
use rustix::process::Signal;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

const READY: &[u8] = b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// The hub's key in Redis whose slot is moved.
const LOG_KEY: &str = "{Harmony.SignalR.Hubs.SignalRHub}:log";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    DotNet,
}

/// Which Redis the hubs share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Single,
    Sentinel,
    Cluster,
}

/// Two hubs of a kind with a client each, one Redis of some kind, one RabbitMQ; the ways to both
/// may fail.
pub struct Cluster {
    pub kind: Kind,
    pub redis: Option<Redis>,
    pub redis_port: u16,
    pub servers: Option<Servers>,
    pub rabbitmq: OwnRabbitMq,
    pub redis_way: Way,
    pub rabbitmq_way: Way,
    pub hubs: Vec<Option<Running>>,
    pub listeners: Vec<Listener>,
    pub ports: [u16; 2],
    /// The hubs' clock, where it is not the machine's.
    pub clock: Option<Folder>,
}

pub enum Running {
    Ours(Hub),
    DotNet(Program),
}

impl Running {
    pub fn program(&mut self) -> &mut Program {
        match self {
            Running::Ours(hub) => &mut hub.program,
            Running::DotNet(program) => program,
        }
    }
}

impl Cluster {
    pub fn start(kind: Kind, store: Store, own_clock: bool) -> Self {
        let (redis, rabbitmq) = (Redis::start(), OwnRabbitMq::start());
        let mut cluster = Cluster {
            kind,
            redis_port: redis.port,
            redis_way: Way::to(redis.port),
            rabbitmq_way: Way::to(rabbitmq.port),
            redis: Some(redis),
            servers: match store {
                Store::Single => None,
                Store::Sentinel => Some(Servers::watched()),
                Store::Cluster => Some(Servers::cluster()),
            },
            rabbitmq,
            hubs: vec![None, None],
            listeners: Vec::new(),
            ports: [free_port(), free_port()],
            clock: own_clock.then(Folder::new),
        };
        cluster.set_clock("+0");
        for place in 0..2 {
            cluster.start_hub(place);
        }
        for place in 0..2 {
            if kind == Kind::Ours {
                wait_for("a hub that is ready", || {
                    (http(&cluster.hub_address(place), READY).status == 200).then_some(())
                });
            }
            cluster.listeners.push(Listener::start(&cluster.url(place)));
        }
        cluster
    }

    pub fn url(&self, place: usize) -> String {
        format!("http://{}", self.hub_address(place))
    }

    pub fn hub_address(&self, place: usize) -> String {
        format!("127.0.0.1:{}", self.ports[place])
    }

    pub fn set_clock(&self, offset: &str) {
        if let Some(folder) = &self.clock {
            folder.write("clock", offset);
        }
    }

    pub fn start_hub(&mut self, place: usize) {
        let url = self.url(place);
        let redis = match &self.servers {
            Some(servers) => servers.connection_string.clone(),
            None => format!("127.0.0.1:{},abortConnect=false", self.redis_way.port),
        };
        let mut variables = Vec::new();
        if let Some(folder) = &self.clock {
            variables = vec![
                ("LD_PRELOAD", FAKETIME.to_owned()),
                (
                    "FAKETIME_TIMESTAMP_FILE",
                    folder.path().join("clock").display().to_string(),
                ),
                ("FAKETIME_NO_CACHE", "1".to_owned()),
                // The clock that measures durations does not jump in reality either.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ];
        }
        self.hubs[place] = Some(match self.kind {
            Kind::Ours => Running::Ours(Hub::start_with(
                &url,
                &[
                    "--BrokerConfiguration:Host=127.0.0.1",
                    &format!("--BrokerConfiguration:Port={}", self.rabbitmq_way.port),
                    &format!("--RedisConnectionString={redis}"),
                ],
                &variables,
            )),
            Kind::DotNet => {
                Running::DotNet(refhub_at(&url, &redis, self.rabbitmq_way.port, &variables))
            }
        });
    }

    pub fn signal(&mut self, place: usize, signal: Signal) {
        if let Some(hub) = &mut self.hubs[place] {
            hub.program().signal(signal);
        }
    }

    pub fn redis_says(&self, command: &str) {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.redis_port)) else {
            return;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = stream.write_all(format!("{command}\r\n").as_bytes());
        let _ = stream.read(&mut [0; 64]);
    }

    /// How many files every hub may have open.
    pub fn limit_files(&mut self, limit: impl Fn(usize) -> usize) {
        for hub in self.hubs.iter_mut().flatten() {
            let pid = hub.program().pid();
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
            run(Command::new("prlimit").args([
                "--pid",
                &pid.to_string(),
                &format!("--nofile={}:", limit(open)),
            ]));
        }
    }

    /// Lets something go wrong, and puts it right again.
    pub fn suffer(&mut self, fault: Fault, publisher: &Publisher) {
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
            Fault::RedisWay(passage, milliseconds) => {
                through(&self.redis_way, passage, milliseconds)
            }
            Fault::RabbitMqWay(passage, milliseconds) => {
                through(&self.rabbitmq_way, passage, milliseconds)
            }
            Fault::MemoryAlarm => {
                self.rabbitmq
                    .control(&["set_vm_memory_high_watermark", "0.000001"]);
                pause(2000);
                self.rabbitmq
                    .control(&["set_vm_memory_high_watermark", "0.4"]);
            }
            Fault::QueueDeleted => {
                // What the queue holds goes with it, so that it has to be empty, and stay so until
                // it is there again.
                let paced = publisher.pause.swap(HOLD, Ordering::Relaxed);
                pause(1000);
                self.rabbitmq
                    .control(&["delete_queue", harmony::broker::QUEUE]);
                let address = self.rabbitmq.address();
                let declared = || {
                    block_on(async {
                        let broker = harmony::broker::Broker::connect(
                            &address,
                            "chaos",
                            Duration::from_secs(2),
                        )
                        .await
                        .ok()?;
                        broker.declare().await.ok()
                    })
                };
                wait_for("the queue", declared);
                publisher.pause.store(paced, Ordering::Relaxed);
            }
            Fault::BrokerCloses => self.rabbitmq.control(&["close_all_connections", "chaos"]),
            Fault::FailOver => self.servers.as_mut().expect("servers").fail_over(),
            Fault::SlotMoved => self.servers.as_mut().expect("servers").move_slot(LOG_KEY),
            Fault::NoFiles => {
                self.limit_files(|open| open);
                self.redis_way.cut();
                self.rabbitmq_way.cut();
                pause(3000);
                self.limit_files(|_| 4096);
            }
            Fault::ClockJumps => {
                for offset in ["+3600", "-7200", "+0"] {
                    self.set_clock(offset);
                    pause(1000);
                }
            }
        }
    }
}

/// For so long a way is as it should not be; who waited in silence is cut off then.
pub fn through(way: &Way, passage: Passage, milliseconds: u64) {
    way.set(passage);
    pause(milliseconds);
    if passage == Passage::Silent {
        way.cut();
    }
    way.set(Passage::Open);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    Kill,
    Stop,
    Freeze,
    RedisRestart(u64),
    RabbitMqRestart,
    CutListeners,
    CutAll,
    RedisPause,
    RedisWay(Passage, u64),
    RabbitMqWay(Passage, u64),
    MemoryAlarm,
    QueueDeleted,
    BrokerCloses,
    FailOver,
    SlotMoved,
    NoFiles,
    ClockJumps,
}

/// What lasts as long as a fault should.
pub fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}
