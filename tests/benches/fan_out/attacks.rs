//! A board that a thousand clients hear, paced, while somebody attacks the hub with messages: what
//! is lost, how late the board is, what the hub's memory does, and whether it stays ready.

use crate::amqp::{Amqp, EXCHANGE, KEY, headers, type_header};
use crate::crowd::{Crowd, Probe, open};
use crate::hostile;
use crate::publisher::{KEPT, Pace, drain, forget, publish};
use crate::server::{Server, ready};
use harmony::connection_string::amqp::BrokerAddress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(10);
const PACE: Duration = Duration::from_millis(50);
const CLIENTS: usize = 1000;
const MESSAGES: usize = 200;
const PROBES: usize = 5;
/// What one message may cost the hub's memory, and with it what a hundred in a second may.
const MOST_MEMORY: f64 = 256_000.0;
/// What this machine's RabbitMQ takes in a second beside everything else.
const BYTES_A_SECOND: usize = 32 << 20;

/// Milliseconds in which all but a hundredth of the board's messages are heard. Nothing may be
/// lost.
fn late(server: &Server, crowd: &Crowd, address: &BrokerAddress, board: &str) -> f64 {
    let probes: Vec<_> = (0..PROBES).map(|_| Probe::start(server, board)).collect();
    let mut published = Vec::new();
    let boards = [board.to_owned()];
    crowd.hears(server, MESSAGES, || {
        publish(
            address,
            &boards,
            MESSAGES,
            Pace::Every(PACE),
            &mut published,
        );
    });
    let latencies = probes
        .into_iter()
        .flat_map(|probe| probe.latencies(0, &published));
    let mut latencies: Vec<_> = latencies.collect();
    latencies.sort_by(f64::total_cmp);
    latencies[latencies.len() * 99 / 100]
}

/// A message, and the exchanges and keys it goes to.
struct Shot<'a> {
    to: &'a [(&'a str, &'a [u8])],
    properties: &'a [u8],
    body: &'a [u8],
}

/// Headers alone as properties, with the mark of a message that RabbitMQ writes down.
fn persistent(headers: &[u8]) -> Vec<u8> {
    let mut properties = [headers, &[2]].concat();
    properties[0] |= 0x10;
    properties
}

/// Sends a message over and over until told to stop; how many in a second it became.
fn attack(port: u16, shot: &Shot<'_>, stop: &AtomicBool) -> f64 {
    let pause = EVERY.max(Duration::from_secs_f64(
        shot.body.len() as f64 / BYTES_A_SECOND as f64,
    ));
    let mut publisher = Amqp::connect(port, "/", "guest", "guest");
    let (began, mut sent) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        for (exchange, key) in shot.to {
            publisher.publish_to(exchange, key, shot.properties, shot.body);
        }
        sent += 1;
        let due = began + pause * sent;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    f64::from(sent) / began.elapsed().as_secs_f64()
}

/// How often the hub was not ready.
fn unready(address: &str, stop: &AtomicBool) -> usize {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += usize::from(!ready(address));
        std::thread::park_timeout(Duration::from_millis(100));
    }
    count
}

/// How late the board is while messages are shot, how many in a second they are, and how often the
/// hub was not ready.
fn under_fire(
    server: &Server,
    crowd: &Crowd,
    address: &BrokerAddress,
    board: &str,
    shot: &Shot<'_>,
) -> (f64, f64, usize) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let attacking = scope.spawn(|| attack(address.endpoint.port, shot, &stop));
        let looking = scope.spawn(|| unready(&server.address, &stop));
        let late = late(server, crowd, address, board);
        stop.store(true, Ordering::Relaxed);
        let rate = attacking.join().expect("a publisher");
        (late, rate, looking.join().expect("a look"))
    })
}

/// Attacks one hub in every way, one after the other, and prints a line for each. `beside` is what
/// the same messages cost this machine without a hub: a plain consumer takes them, and RabbitMQ keeps
/// a copy of each, as it does where a hub sets them aside.
/// Only those whose names contain a text.
pub fn attacked(server: &Server, address: &BrokerAddress, board: &str, only: &str) {
    let boards = [board.to_owned()];
    let crowd = Crowd::of(open(&server.address, &boards, CLIENTS), CLIENTS);
    late(server, &crowd, address, board); // warm
    println!(
        "{:<42}{:>10}{:>10}{:>12}{:>12}{:>12}{:>7}{:>12}{:>11}",
        "attack",
        "bytes",
        "a second",
        "p99 before",
        "p99 beside",
        "p99 under",
        "lost",
        "MB more",
        "not ready"
    );
    let good = |name: &'static str| headers(&[type_header(name)]);
    // Good ones, to a board that nobody hears.
    let nobody = "520371f9-ea23-46de-9ce3-00aeeec060a2";
    let title = format!("{{\"BoardId\":\"{nobody}\",\"CardId\":\"{nobody}\",\"Title\":\"x\"}}");
    let by_headers = hostile::headers().into_iter();
    let by_headers = by_headers.map(|(name, properties)| (name, properties, title.clone(), false));
    let by_bodies = hostile::bodies().into_iter();
    let by_bodies =
        by_bodies.map(|(name, notification, body)| (name, good(notification), body, true));
    let port = address.endpoint.port;
    let elsewhere = drain(port);
    let attacks = by_headers.chain(by_bodies);
    for (name, properties, body, is_large) in attacks.filter(|attack| attack.0.contains(only)) {
        let before = late(server, &crowd, address, board);
        // Small ones cost nothing there, and some of them a plain consumer does not survive.
        let beside = is_large.then(|| {
            let elsewhere = Shot {
                to: &[("", elsewhere.as_bytes()), ("", KEPT.as_bytes())],
                properties: &persistent(&properties),
                body: body.as_bytes(),
            };
            under_fire(server, &crowd, address, board, &elsewhere).0
        });
        let beside = beside.map_or_else(|| "-".to_owned(), |late| format!("{late:.1}"));
        forget(port);
        let at_rest = server.memory();
        server.forget_peak();
        let here = Shot {
            to: &[(EXCHANGE, KEY)],
            properties: &properties,
            body: body.as_bytes(),
        };
        let (under, rate, unready) = under_fire(server, &crowd, address, board, &here);
        let more = server.peak() - at_rest;
        forget(port);
        println!(
            "{name:<42}{:>10}{rate:>10.0}{before:>12.1}{beside:>12}{under:>12.1}{:>7}{:>12.1}{unready:>11}",
            body.len() + properties.len(),
            0, // else the crowd would have waited in vain
            more / 1e3
        );
        assert!(more < MOST_MEMORY, "{name}: {more} kB more");
    }
}
