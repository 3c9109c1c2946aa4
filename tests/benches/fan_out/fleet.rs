//! Several hubs on one Redis, with more connections than one process may have files.

use crate::crowd::Crowd;
use crate::publisher::{Pace, publish};
use crate::server::Server;
use harmony::connection_string::amqp::BrokerAddress;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// What this program is asked to do for a fleet: join BOARD at ADDRESS with so many CONNECTIONS,
/// and say when all of them have heard a message.
pub const LISTEN: &str = "listen";

const JOINED: &str = "joined";
const HEARD: &str = "heard";

pub fn listen(address: &str, board: &str, connections: usize) -> ! {
    let crowd = Crowd::at(address, &[board.to_owned()], connections);
    println!("{JOINED}");
    for messages in 1.. {
        while crowd.heard() < (messages * connections) as u64 {
            std::thread::park_timeout(Duration::from_millis(2));
        }
        println!("{HEARD}");
    }
    unreachable!("there is always one more message")
}

/// One hub and its clients.
struct Member {
    hub: Server,
    clients: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Member {
    fn start(hub: Server, board: &str, connections: usize) -> Self {
        let mut clients = Command::new(std::env::current_exe().expect("a program"));
        let mut clients = clients
            .args([LISTEN, &hub.address, board, &connections.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("clients");
        let mut said = BufReader::new(clients.stdout.take().expect("a pipe")).lines();
        assert_eq!(said.next().expect("a line").expect("text"), JOINED);
        Member { hub, clients, said }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.clients.kill();
        let _ = self.clients.wait();
    }
}

/// A Redis of the bench's own.
struct OwnRedis(Child);

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connections in all, so many a hub: microseconds a delivery, of all hubs together, and kilobytes
/// a connection.
pub fn fleet(
    start: impl Fn(&str) -> Server,
    address: &BrokerAddress,
    board: &str,
    connections: usize,
    each: usize,
) -> Option<(f64, f64)> {
    const MESSAGES: usize = 10;
    let port = harmony::containers::ports::free_port()
        .expect("a port")
        .to_string();
    let mut redis = Command::new("redis-server");
    redis
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
        .stdout(Stdio::null());
    let _redis = OwnRedis(redis.spawn().ok()?);
    let counts = (0..connections.div_ceil(each)).map(|place| each.min(connections - place * each));
    let redis = format!("127.0.0.1:{port},abortConnect=false");
    let hubs: Vec<_> = counts.map(|count| (start(&redis), count)).collect();
    let at_rest: f64 = hubs.iter().map(|(hub, _)| hub.memory()).sum();
    let mut members: Vec<_> = hubs
        .into_iter()
        .map(|(hub, count)| Member::start(hub, board, count))
        .collect();
    let memory = members
        .iter()
        .map(|member| member.hub.memory())
        .sum::<f64>()
        - at_rest;
    let hear = |members: &mut [Member], messages: usize| {
        publish(
            address,
            &[board.to_owned()],
            messages,
            Pace::Every(Duration::from_secs_f64(connections as f64 / 50_000.0)),
            &mut Vec::<Instant>::new(),
        );
        for member in members {
            (0..messages).for_each(|_| {
                assert_eq!(member.said.next().expect("a line").expect("text"), HEARD)
            });
        }
    };
    hear(&mut members, 2); // warm
    let used = |members: &[Member]| members.iter().map(|member| member.hub.cpu()).sum::<f64>();
    let before = used(&members);
    hear(&mut members, MESSAGES);
    Some((
        (used(&members) - before) * 1e6 / (MESSAGES * connections) as f64,
        memory / connections as f64,
    ))
}
