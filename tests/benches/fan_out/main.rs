//! What a delivery costs: our hub, the .NET hub and a plain loop that writes ready frames, in one
//! run.
//!
//! `cargo bench --bench fan_out [CONNECTIONS]`; the .NET hub takes part where `HARMONY_PEER` names
//! its folder. Messages come in by RabbitMQ where `HARMONY_TEST_RABBITMQ` says one is, which is how
//! the .NET hub must get them, and what tells the loop to write; costs are processor seconds of the
//! server alone, read from the system, of which the loop's are those of its thread. Ours
//! acknowledges each message after its fan-out, the .NET hub before. `fan_out scale` shows instead
//! what a delivery costs our hub among ever more clients, as many as one process has files for, and
//! beyond that several hubs on one Redis. `fan_out attacked [NAME]` attacks it with messages while
//! a board is heard.

#![allow(clippy::print_stdout)] // a benchmark is there to print

#[allow(dead_code)] // what only the tests send
#[path = "../../harness/amqp.rs"]
mod amqp;
mod attacks;
mod crowd;
mod figures;
mod fleet;
#[allow(dead_code)]
#[path = "../../harness/hostile.rs"]
mod hostile;
mod plain_loop;
mod publisher;
mod server;

use crate::crowd::{Crowd, open};
use crate::figures::{measure, memory_with_tls};
use crate::fleet::{LISTEN, fleet, listen};
use crate::plain_loop::{READ_FROM, plain_loop, read_from};
use crate::publisher::{Pace, consume, message, publish, wait_for_consumer};
use crate::server::{Server, start};
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::BrokerAddress;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Boards of the bench: one that all listen to, and a hundred small ones.
fn boards(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("420371f9-ea23-46de-9ce3-{number:012x}"))
        .collect()
}

/// The plain loop, told by the same messages from RabbitMQ: (paced, burst). No hub may run beside
/// it.
fn told_by_the_same_messages(
    connections: usize,
    address: &BrokerAddress,
    messages: usize,
    pause: Duration,
) -> (f64, f64) {
    let told = consume(address, messages);
    let publishing = address.clone();
    std::thread::spawn(move || {
        publish(
            &publishing,
            &boards(1),
            messages,
            Pace::Every(pause),
            &mut Vec::new(),
        )
    });
    plain_loop(connections, &message(0, &boards(1)[0]), told)
}

/// What a delivery costs among ever more clients of one board, at the same number of deliveries a
/// second.
fn scale(start: impl Fn(&str) -> Server, address: &BrokerAddress, most: usize) {
    const DELIVERIES_A_SECOND: usize = 50_000;
    /// As many clients hear a burst in all, at each size.
    const BURSTS: usize = 60_000;
    let mut sizes = [1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]
        .map(|size: usize| size.min(most))
        .to_vec();
    sizes.dedup();
    let load = |size: usize| {
        (
            (500_000 / size).max(10),
            Duration::from_secs_f64(size as f64 / DELIVERIES_A_SECOND as f64),
        )
    };
    // First, since the files of this process are not enough for both, nor the messages.
    let plain = sizes.iter().map(|size| {
        let (messages, pause) = load(*size);
        told_by_the_same_messages(*size, address, messages, pause).0
    });
    let plain: Vec<_> = plain.collect();
    let server = start("");
    println!(
        "{:>12}{:>18}{:>18}{:>18}{:>14}",
        "connections", "us a delivery", "the plain loop", "in bursts of 100", "KB each"
    );
    let board = &boards(1)[..];
    let at_rest = server.memory();
    let mut crowd = Crowd::at(&server.address, board, 0);
    for (size, plain) in sizes.into_iter().zip(plain) {
        crowd.grow(
            open(&server.address, board, size - crowd.size()),
            size - crowd.size(),
        );
        let memory = (server.memory() - at_rest) / size as f64;
        let (messages, pause) = load(size);
        crowd.hears(&server, 5, || {
            publish(address, board, 5, Pace::Every(pause), &mut Vec::new())
        }); // warm
        let (cost, _) = crowd.hears(&server, messages, || {
            publish(
                address,
                board,
                messages,
                Pace::Every(pause),
                &mut Vec::new(),
            )
        });
        let mut burst = 0.0;
        let bursts = (BURSTS / size).max(1);
        for _ in 0..bursts {
            burst += crowd
                .hears(&server, 100, || {
                    publish(address, board, 100, Pace::AtOnce, &mut Vec::new())
                })
                .0
                / bursts as f64;
        }
        println!("{size:>12}{cost:>18.2}{plain:>18.2}{burst:>18.2}{memory:>14.2}");
    }
    drop(server);
    for size in [40_000, 100_000].into_iter().filter(|size| *size > most) {
        if let Some((cost, memory)) = fleet(&start, address, &board[0], size, most) {
            println!(
                "{size:>12}{cost:>18.2}{:>18}{:>18}{memory:>14.2}   by {} hubs on one Redis",
                "-",
                "-",
                size.div_ceil(most)
            );
        }
    }
}

/// As many files as this process, and the hubs that it starts, may open.
fn files() -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    // A process that asks for more than it may have keeps what it has.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    );
    most.map_or(usize::MAX, |most| most as usize)
}

fn main() {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    if let [READ_FROM, address, connections] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return read_from(address, connections.parse().expect("a number"));
    }
    if let [LISTEN, address, board, connections] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        listen(address, board, connections.parse().expect("a number"));
    }
    let connections = arguments
        .first()
        .and_then(|number| number.parse().ok())
        .unwrap_or(1000);
    let amqp = std::env::var("HARMONY_TEST_RABBITMQ")
        .ok()
        .and_then(|ports| ports.split_once(':')?.0.parse().ok());
    let Some(amqp) = amqp else {
        println!(
            "not measured: HARMONY_TEST_RABBITMQ names no RabbitMQ; tests/run --bench fan_out starts one"
        );
        return;
    };
    harmony::tls::install_provider();
    let files = files();
    let address = BrokerAddress::new(Endpoint::new("127.0.0.1", amqp), "", "", "/");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let settings = [
        ("BrokerConfiguration__Host", "127.0.0.1".to_owned()),
        ("BrokerConfiguration__Port", amqp.to_string()),
        (
            "Kestrel__Certificates__Default__Path",
            certificate.display().to_string(),
        ),
        (
            "Kestrel__Certificates__Default__KeyPath",
            key.display().to_string(),
        ),
    ];
    let ours = |scheme| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harmony"));
        command.arg("hub");
        start(command, scheme, &settings)
    };
    if arguments.first().is_some_and(|first| first == "scale") {
        // Some are needed for the rest.
        let ours = |redis: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_harmony"));
            command.arg("hub").env("RedisConnectionString", redis);
            start(command, "http", &settings)
        };
        return scale(ours, &address, files - 500);
    }
    if arguments.first().is_some_and(|first| first == "attacked") {
        let only = arguments.get(1).map_or("", String::as_str);
        return attacks::attacked(&ours("http"), &address, &boards(1)[0], only);
    }
    let measure = |server: &dyn Fn(&'static str) -> Server| {
        let mut figures = measure(&server("http"), connections, &address);
        figures.memory_with_tls = memory_with_tls(&server("https"), connections, made.cert.der());
        figures
    };
    let ours = measure(&ours);
    let (paced, burst) =
        told_by_the_same_messages(connections, &address, 250, Duration::from_millis(20));
    println!(
        "{connections} connections in one group, messages by RabbitMQ, processor time of the server a delivery\n"
    );
    println!("{:<34}{:>12}{:>12}{:>12}", "", "ours", ".NET", "plain loop");
    let theirs = std::env::var_os("HARMONY_PEER")
        .map(PathBuf::from)
        .map(|peer| {
            let theirs = |scheme| {
                let mut command = Command::new(peer.join("dotnet/dotnet"));
                command
                    .arg(peer.join("refhub/refhub.dll"))
                    .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
                let server = start(command, scheme, &settings);
                wait_for_consumer(&address); // it says nowhere when it consumes
                server
            };
            measure(&theirs)
        });
    figures::show(&ours, theirs.as_ref(), [paced, burst]);
}
