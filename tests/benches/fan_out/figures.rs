//! What is measured of a server, and the table of it.

use crate::boards;
use crate::crowd::{Crowd, Probe, idle_with_tls, open};
use crate::publisher::{Pace, publish};
use crate::server::Server;
use harmony::connection_string::amqp::BrokerAddress;
use rustls::pki_types::CertificateDer;
use std::time::Duration;

pub struct Figures {
    /// Microseconds of the server's processor a delivery.
    paced: f64,
    burst: f64,
    groups: f64,
    /// Milliseconds from publishing to hearing, paced: half of all messages, and all but a
    /// hundredth.
    median: f64,
    late: f64,
    /// Thousands of deliveries a second, from RabbitMQ to the clients, as fast as it goes.
    throughput: f64,
    /// Kilobytes a connection.
    memory: f64,
    pub memory_with_tls: f64,
    /// Connections opened in a second of the server's processor.
    opening: f64,
    /// Kilobytes before anybody came.
    at_rest: f64,
}

/// Clients among the crowd that note when they hear what.
const PROBES: usize = 5;

/// Runs one server through all loads.
pub fn measure(server: &Server, connections: usize, address: &BrokerAddress) -> Figures {
    let (one, hundred) = (&boards(101)[..1], &boards(101)[1..]);
    let (at_rest, cpu) = (server.memory(), server.cpu());
    let (mut streams, mut probes) = (Vec::new(), Vec::new());
    for _ in 0..PROBES {
        // Who joined first may be served first.
        streams.extend(open(&server.address, one, connections / PROBES));
        probes.push(Probe::start(server, &one[0]));
    }
    let crowd = Crowd::of(streams, connections / PROBES * PROBES);
    let opening = connections as f64 / (server.cpu() - cpu).max(0.01);
    let memory = (server.memory() - at_rest) / connections as f64;
    crowd.hears(server, 20, || {
        publish(
            address,
            one,
            20,
            Pace::Every(Duration::from_millis(20)),
            &mut Vec::new(),
        )
    }); // warm
    let mut published = Vec::new();
    let (paced, _) = crowd.hears(server, 250, || {
        publish(
            address,
            one,
            250,
            Pace::Every(Duration::from_millis(20)),
            &mut published,
        )
    });
    let mut latencies: Vec<_> = probes
        .into_iter()
        .flat_map(|probe| probe.latencies(20, &published))
        .collect();
    latencies.sort_by(f64::total_cmp);
    let (median, late) = (
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
    );
    let (burst, _) = crowd.hears(server, 400, || {
        publish(address, one, 400, Pace::AtOnce, &mut Vec::new())
    });
    let (_, seconds) = crowd.hears(server, 3000, || {
        publish(address, one, 3000, Pace::AtOnce, &mut Vec::new())
    });
    let throughput = 3000.0 * connections as f64 / seconds / 1e3;
    let groups = Crowd::at(&server.address, hundred, connections * 2 / 100);
    let (groups, _) = groups.hears(server, 6000, || {
        publish(
            address,
            hundred,
            6000,
            Pace::Every(Duration::from_micros(500)),
            &mut Vec::new(),
        )
    });
    Figures {
        paced,
        burst,
        groups,
        median,
        late,
        throughput,
        memory,
        memory_with_tls: 0.0,
        opening,
        at_rest,
    }
}

/// Kilobytes of a connection with TLS.
pub fn memory_with_tls(
    server: &Server,
    connections: usize,
    certificate: &CertificateDer<'static>,
) -> f64 {
    let before = server.memory();
    let idle = idle_with_tls(server, &boards(1)[0], connections, certificate);
    let memory = (server.memory() - before) / connections as f64;
    drop(idle);
    memory
}

/// A figure's name, and where it stands.
type Row = (&'static str, fn(&Figures) -> f64);

const ROWS: [Row; 10] = [
    ("paced, 50 a second (us)", |figures| figures.paced),
    ("burst of 400 at once (us)", |figures| figures.burst),
    ("100 groups, 2,000 a second (us)", |figures| figures.groups),
    ("paced, median (ms)", |figures| figures.median),
    ("paced, 99th of 100 (ms)", |figures| figures.late),
    ("throughput (1,000 a second)", |figures| figures.throughput),
    ("memory a connection (KB)", |figures| figures.memory),
    ("memory a connection, TLS (KB)", |figures| {
        figures.memory_with_tls
    }),
    ("memory at rest (MB)", |figures| figures.at_rest / 1024.0),
    ("opened a processor second", |figures| figures.opening),
];

/// Prints the figures of both hubs, and of the plain loop where it has one: for the first rows.
pub fn show(ours: &Figures, theirs: Option<&Figures>, plain: [f64; 2]) {
    let cell =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let ratio = |ours: f64, other: Option<f64>, of: &str| {
        other.map_or_else(String::new, |other| {
            format!("{:>9.2}x of {of}", ours / other)
        })
    };
    for (at, (name, pick)) in ROWS.into_iter().enumerate() {
        let (ours, theirs, plain) = (pick(ours), theirs.map(pick), plain.get(at).copied());
        println!(
            "{name:<34}{ours:>12.2}{:>12}{:>12}{}{}",
            cell(theirs),
            cell(plain),
            ratio(ours, theirs, ".NET"),
            ratio(ours, plain, "the loop")
        );
    }
}
