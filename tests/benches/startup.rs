//! How long things take: the hub's start, a first and a second `up`, and `up` against its
//! containers' own boot.
//!
//! `cargo bench --bench startup`; the figures with containers need Docker with the images, from the
//! registry that `HARMONY_TEST_REGISTRY` names or from where Docker finds them.

#![allow(clippy::print_stdout)] // a benchmark is there to print

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HARMONY: &str = env!("CARGO_BIN_EXE_harmony");
const ROUNDS: usize = 15;

fn harmony(home: &std::path::Path) -> Command {
    let mut command = Command::new(HARMONY);
    command
        .current_dir(home)
        .env("HOME", home)
        .env_remove("XDG_STATE_HOME")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// From exec to the line that says that it listens.
fn hub_start(home: &std::path::Path) -> Duration {
    let began = Instant::now();
    let mut child = harmony(home)
        .args([
            "hub",
            "--urls=http://127.0.0.1:0",
            "--rabbitmq=embedded",
            "--redis=none",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the hub");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    let took = began.elapsed();
    assert!(line.starts_with("Now listening on"), "{line}");
    child
        .kill()
        .and_then(|()| child.wait())
        .expect("the hub's end");
    took
}

fn up(home: &std::path::Path, arguments: &[&str]) -> (Duration, serde_json::Value) {
    let began = Instant::now();
    let output = harmony(home)
        .args(["up", "--yes", "--json"])
        .args(arguments)
        .output()
        .expect("harmony up");
    let took = began.elapsed();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success(), "{report}");
    (took, report)
}

fn down(home: &std::path::Path, arguments: &[&str]) {
    harmony(home)
        .args(["down", "--volumes", "--yes"])
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .expect("harmony down");
}

/// The slower container's own boot: `docker run` until RabbitMQ takes a connection with its
/// password.
fn container_boot(image: &str) -> Option<Duration> {
    let began = Instant::now();
    let run = [
        "run",
        "-d",
        "--rm",
        "-p",
        "127.0.0.1::5672",
        "-e",
        "RABBITMQ_DEFAULT_USER=u",
        "-e",
        "RABBITMQ_DEFAULT_PASS=p",
        image,
    ];
    let output = Command::new("docker")
        .args(run)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let port = Command::new("docker")
        .args(["port", &id, "5672"])
        .output()
        .ok()?;
    let port = String::from_utf8_lossy(&port.stdout)
        .trim()
        .rsplit(':')
        .next()?
        .parse()
        .ok()?;
    let endpoint = harmony::connection_string::Endpoint::new("127.0.0.1", port);
    let address = harmony::connection_string::amqp::BrokerAddress::new(endpoint, "u", "p", "/");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let ready = runtime.block_on(harmony::containers::readiness::await_rabbitmq(
        &address,
        std::future::pending::<()>(),
    ));
    let took = began.elapsed();
    Command::new("docker")
        .args(["rm", "-f", "-v", &id])
        .stdout(Stdio::null())
        .status()
        .ok()?;
    ready.ok().map(|()| took)
}

fn main() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let start = median((0..ROUNDS).map(|_| hub_start(home)).collect());
    println!(
        "hub listening after exec                 {:>9.1} ms  (median of {ROUNDS}; wanted: 20)",
        milliseconds(start)
    );

    let port = harmony::containers::ports::free_port().expect("a port");
    let url = format!("http://localhost:{port}");
    let embedded = [
        "--redis",
        "none",
        "--rabbitmq",
        "embedded",
        "--hub-url",
        &url,
    ];
    let (first, _) = up(home, &embedded);
    let second = median((0..ROUNDS).map(|_| up(home, &embedded).0).collect());
    println!(
        "up, embedded, from nothing               {:>9.1} ms",
        milliseconds(first)
    );
    println!(
        "up, embedded, again                      {:>9.1} ms  (median of {ROUNDS})",
        milliseconds(second)
    );
    down(home, &[]);

    let registry = std::env::var("HARMONY_TEST_REGISTRY").ok();
    let image = match &registry {
        Some(registry) => format!("{registry}/rabbitmq:4-management-alpine"),
        None => "rabbitmq:4-management-alpine".to_owned(),
    };
    let Some(boot) = container_boot(&image) else {
        println!("up with containers                       not measured: no Docker, or no {image}");
        return;
    };
    let boot = median(vec![
        boot,
        container_boot(&image).unwrap_or(boot),
        container_boot(&image).unwrap_or(boot),
    ]);
    let mut arguments = vec![
        "--instance",
        "bench",
        "--hub-url",
        &url,
        "--redis",
        "container",
        "--rabbitmq",
        "container",
    ];
    if let Some(registry) = &registry {
        arguments.extend(["--image-registry", registry]);
    }
    // The first round pulls what is missing; it is not counted.
    let mut times = Vec::new();
    let mut again = Vec::new();
    for round in 0..4 {
        let (took, _) = up(home, &arguments);
        if round > 0 {
            times.push(took);
        }
        again.extend((0..5).map(|_| {
            let (took, report) = up(home, &arguments);
            assert_eq!(report["changes"], 0, "{report}");
            took
        }));
        down(home, &["--instance", "bench"]);
    }
    let (first, second) = (median(times), median(again));
    println!(
        "RabbitMQ container's own boot            {:>9.1} ms  (docker run to AMQP handshake, median of 3)",
        milliseconds(boot)
    );
    println!(
        "up with containers, images present       {:>9.1} ms  (median of 3; {:+.1} ms, wanted: +500 at most)",
        milliseconds(first),
        milliseconds(first) - milliseconds(boot)
    );
    println!(
        "up with containers, again                {:>9.1} ms  (median of 20; wanted: 500)",
        milliseconds(second)
    );
}
