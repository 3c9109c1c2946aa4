//! What a delivery costs: our hub, the .NET hub and a plain loop that writes ready frames, in one run.
//!
//! `cargo bench --bench fan_out [CONNECTIONS]`; the .NET hub takes part where `HARMONY_PEER` names its
//! folder. Messages come in by RabbitMQ where `HARMONY_TEST_RABBITMQ` says one is, which is how the
//! .NET hub must get them; costs are processor seconds of the server alone, read from the system. Ours
//! acknowledges each message after its fan-out, the .NET hub before.

#![allow(clippy::print_stdout)] // a benchmark is there to print

use harmony::broker::Broker;
use harmony::connection_string::{Endpoint, amqp::BrokerAddress};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
const MASK: [u8; 4] = [1, 2, 3, 4];
/// Longer than any pause between messages that is not the end.
const QUIET: Duration = Duration::from_secs(20);

/// A server under load, and what its process has used.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A benchmark that fails must not leave servers behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Processor seconds so far: user and system time, in hundredths.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a process");
        let fields: Vec<_> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
        ticks as f64 / 100.0
    }

    /// Kilobytes in memory.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => frame.extend([0x80 | 126, (length >> 8) as u8, length as u8]),
    }
    frame.extend(MASK);
    frame.extend(text.bytes().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
    frame
}

/// Opens a WebSocket and joins a board; the socket, ready for what is broadcast.
fn join(address: &str, board: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "GET /signalRHub HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    read_until(&mut stream, b"\r\n\r\n");
    stream.write_all(&frame(HANDSHAKE)).expect("a handshake");
    read_until(&mut stream, b"{}\x1e");
    let call = format!("{{\"type\":1,\"invocationId\":\"1\",\"target\":\"ListenForBoardEvents\",\"arguments\":[\"{board}\"]}}\u{1e}");
    stream.write_all(&frame(&call)).expect("a call");
    read_until(&mut stream, b"null}\x1e");
    stream
}

fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        bytes.push(byte[0]);
    }
}

/// Drains sockets on one thread and counts the separators that come: one for each message.
fn drain(streams: Vec<TcpStream>, heard: Arc<AtomicU64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for stream in streams {
            stream.set_nonblocking(true).expect("a socket");
            let mut stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
            let heard = heard.clone();
            tasks.push(tokio::spawn(async move {
                use tokio::io::AsyncReadExt;
                let mut buffer = vec![0; 16 << 10];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let count = memchr::memchr_iter(0x1e, &buffer[..length]).count();
                    heard.fetch_add(count as u64, Ordering::Relaxed);
                }
            }));
        }
        for task in tasks {
            // A task ends with its socket.
            let _ = task.await;
        }
    });
}

struct Figures {
    /// Microseconds of the server's processor a delivery.
    paced: f64,
    burst: f64,
    groups: f64,
    /// Milliseconds from publishing to hearing, paced: half of all messages, and all but a hundredth.
    median: f64,
    late: f64,
    /// Thousands of deliveries a second, from RabbitMQ to the clients, as fast as it goes.
    throughput: f64,
    /// Kilobytes a connection.
    memory: f64,
    /// Connections opened in a second of the server's processor.
    opening: f64,
    at_rest: f64,
}

/// Clients that listen and count.
struct Crowd {
    size: u64,
    heard: Arc<AtomicU64>,
}

impl Crowd {
    /// So many clients on each board.
    fn gather(server: &Server, boards: &[String], each: usize) -> Self {
        let streams: Vec<_> = (0..each).flat_map(|_| boards).map(|board| join(&server.address, board)).collect();
        let crowd = Crowd { size: each as u64, heard: Arc::default() };
        let counter = crowd.heard.clone();
        std::thread::spawn(move || drain(streams, counter));
        crowd
    }

    /// Publishes and waits until all of it is heard: the server's microseconds a delivery, and the seconds it took.
    fn hears(&self, server: &Server, messages: usize, publish: impl FnOnce()) -> (f64, f64) {
        let (before, cpu, began) = (self.heard.load(Ordering::Relaxed), server.cpu(), Instant::now());
        publish();
        let deliveries = messages as u64 * self.size;
        let mut last = (before, Instant::now());
        while last.0 < before + deliveries {
            std::thread::park_timeout(Duration::from_millis(5));
            let now = self.heard.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            }
            assert!(last.1.elapsed() < QUIET, "{now} of {} messages heard", before + deliveries);
        }
        ((server.cpu() - cpu) * 1e6 / deliveries as f64, began.elapsed().as_secs_f64())
    }
}

/// Boards of the bench: one that all listen to, and a hundred small ones.
fn boards(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("420371f9-ea23-46de-9ce3-{number:012x}")).collect()
}

/// Runs one server through all loads.
fn measure(server: &Server, connections: usize, address: &BrokerAddress) -> Figures {
    let (one, hundred) = (&boards(101)[..1], &boards(101)[1..]);
    let (at_rest, cpu) = (server.memory(), server.cpu());
    let crowd = Crowd::gather(server, one, connections);
    let opening = connections as f64 / (server.cpu() - cpu).max(0.01);
    let memory = (server.memory() - at_rest) / connections as f64;
    crowd.hears(server, 20, || publish(address, one, 20, Pace::Every(Duration::from_millis(20)), &mut Vec::new())); // warm
    let probe = Probe::start(server, &one[0]);
    let mut published = Vec::new();
    let (paced, _) = crowd.hears(server, 250, || publish(address, one, 250, Pace::Every(Duration::from_millis(20)), &mut published));
    let (median, late) = probe.latency(&published);
    let (burst, _) = crowd.hears(server, 400, || publish(address, one, 400, Pace::AtOnce, &mut Vec::new()));
    let (_, seconds) = crowd.hears(server, 3000, || publish(address, one, 3000, Pace::AtOnce, &mut Vec::new()));
    let throughput = 3000.0 * connections as f64 / seconds / 1e3;
    let groups = Crowd::gather(server, hundred, connections * 2 / 100);
    let (groups, _) = groups.hears(server, 6000, || publish(address, hundred, 6000, Pace::Every(Duration::from_micros(500)), &mut Vec::new()));
    Figures { paced, burst, groups, median, late, throughput, memory, opening, at_rest }
}

/// A client that notes when it hears what.
struct Probe(std::sync::mpsc::Receiver<(usize, Instant)>);

impl Probe {
    fn start(server: &Server, board: &str) -> Self {
        let mut stream = join(&server.address, board);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                let now = Instant::now();
                bytes.extend_from_slice(&buffer[..read]);
                while let Some(end) = memchr::memchr(0x1e, &bytes) {
                    let message: Vec<u8> = bytes.drain(..=end).collect();
                    let text = String::from_utf8_lossy(&message);
                    let number = text.split("card number ").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
                    if let Some(number) = number
                        && sender.send((number, now)).is_err()
                    {
                        return;
                    }
                }
            }
        });
        Probe(receiver)
    }

    /// In milliseconds: the median and the 99th of a hundred.
    fn latency(self, published: &[Instant]) -> (f64, f64) {
        let heard = self.0.iter().take(published.len());
        let mut times: Vec<_> = heard.map(|(number, at)| (at - published[number]).as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[times.len() * 99 / 100])
    }
}

/// The least that a server could do: write ready frames to sockets, one call each, all that waits at once.
fn plain_loop(connections: usize) -> (f64, f64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // One by one: a listener's backlog is short.
    let pair = |_| (TcpStream::connect(address).expect("a connection"), listener.accept().expect("a connection").0);
    let (clients, mut servers): (Vec<_>, Vec<_>) = (0..connections).map(pair).unzip();
    servers.iter().for_each(|server| server.set_nodelay(true).expect("no delay"));
    std::thread::spawn(move || drain(clients, Arc::default()));
    let body = message(0, &boards(1)[0]);
    let payload = format!("{{\"type\":1,\"target\":\"OnCardTitleChanged\",\"arguments\":[{body}]}}\u{1e}");
    let one = harmony::signalr::transport::websocket::text_frame(payload.as_bytes());
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let began = cpu();
    for _ in 0..250 {
        for server in &mut servers {
            server.write_all(&one).expect("a write");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let paced = (cpu() - began) * 1e6 / (250 * connections) as f64;
    let many = one.repeat(64);
    let began = cpu();
    for _ in 0..6 {
        for server in &mut servers {
            server.write_all(&many).expect("a write");
        }
    }
    (paced, (cpu() - began) * 1e6 / (6 * 64 * connections) as f64)
}

fn message(number: usize, board: &str) -> String {
    format!("{{\"BoardId\":\"{board}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"card number {number}\"}}")
}

#[derive(Clone, Copy)]
enum Pace {
    Every(Duration),
    /// None waits for the one before it.
    AtOnce,
}

/// Publishes through RabbitMQ, to one board after the other; notes when.
fn publish(address: &BrokerAddress, boards: &[String], messages: usize, pace: Pace, when: &mut Vec<Instant>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let broker = Broker::connect(address, "bench", Duration::from_secs(10)).await.expect("RabbitMQ");
        let bodies: Vec<_> = (0..messages).map(|number| message(number, &boards[number % boards.len()])).collect();
        let publish = |body| broker.publish("CardTitleChanged", body);
        let mut sent = futures_util::stream::FuturesUnordered::new();
        let began = Instant::now();
        for (number, body) in bodies.iter().enumerate() {
            if let Pace::Every(pause) = pace {
                // Those before it go on meanwhile: publishing takes several round trips.
                let mut due = std::pin::pin!(tokio::time::sleep_until((began + pause * number as u32).into()));
                loop {
                    tokio::select! {
                        () = &mut due => break,
                        Some(taken) = futures_util::StreamExt::next(&mut sent) => Result::<(), harmony::broker::BrokerError>::expect(taken, "a message"),
                    }
                }
            }
            when.push(Instant::now());
            sent.push(publish(body.as_bytes()));
        }
        while let Some(taken) = futures_util::StreamExt::next(&mut sent).await {
            taken.expect("a message");
        }
        drop(sent);
        broker.close().await;
    });
}

fn start(mut command: Command, address: Option<String>) -> Server {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a server");
    let output = child.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(output).lines();
    let address = address.unwrap_or_else(|| {
        let line = lines.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix("Now listening on: http://").map(str::to_owned));
        line.expect("an address")
    });
    std::thread::spawn(move || lines.for_each(drop));
    let server = Server { child, address };
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ready(&server.address) {
        assert!(Instant::now() < deadline, "the server is not ready");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    server
}

/// Whether the hub takes notifications; the reference hub has no health check, so any answer will do.
fn ready(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let sent = stream.write_all(b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    sent.and_then(|()| stream.read_to_string(&mut answer)).is_ok_and(|_| !answer.contains(" 503 "))
}

fn main() {
    let connections = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(1000);
    let Some((amqp, _)) = std::env::var("HARMONY_TEST_RABBITMQ").ok().and_then(|ports| Some(ports.split_once(':')?.0.parse().ok()?).map(|port: u16| (port, ()))) else {
        println!("not measured: HARMONY_TEST_RABBITMQ names no RabbitMQ; tests/run --bench fan_out starts one");
        return;
    };
    let address = BrokerAddress::new(Endpoint::new("127.0.0.1", amqp), "", "", "/");
    let settings = [("BrokerConfiguration__Host", "127.0.0.1".to_owned()), ("BrokerConfiguration__Port", amqp.to_string())];
    let ours = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harmony"));
        command.args(["hub", "--urls=http://127.0.0.1:0"]).envs(settings.clone());
        let server = start(command, None);
        measure(&server, connections, &address)
    };
    let (paced, burst) = plain_loop(connections);
    println!("{connections} connections in one group, messages by RabbitMQ, processor time of the server a delivery\n");
    println!("{:<34}{:>12}{:>12}{:>12}", "", "ours", ".NET", "plain loop");
    let theirs = std::env::var_os("HARMONY_PEER").map(std::path::PathBuf::from).map(|peer| {
        let port = harmony::containers::ports::free_port().expect("a port");
        let mut command = Command::new(peer.join("dotnet/dotnet"));
        command.arg(peer.join("refhub/refhub.dll")).args(["--urls", &format!("http://127.0.0.1:{port}")]).envs(settings);
        command.env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
        let server = start(command, Some(format!("127.0.0.1:{port}")));
        std::thread::sleep(Duration::from_secs(3)); // it says nowhere when it consumes
        measure(&server, connections, &address)
    });
    let row = |name: &str, ours: f64, theirs: Option<f64>, plain: Option<f64>| {
        let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let ratio = theirs.map_or_else(String::new, |theirs| format!("{:>9.2}x of .NET", ours / theirs));
        let floor = plain.map_or_else(String::new, |plain| format!("{:>7.2}x of the loop", ours / plain));
        println!("{name:<34}{ours:>12.2}{:>12}{:>12}{ratio}{floor}", cell(theirs), cell(plain));
    };
    let of = |pick: fn(&Figures) -> f64| theirs.as_ref().map(pick);
    row("paced, 50 a second (us)", ours.paced, of(|figures| figures.paced), Some(paced));
    row("burst of 400 at once (us)", ours.burst, of(|figures| figures.burst), Some(burst));
    row("100 groups, 2,000 a second (us)", ours.groups, of(|figures| figures.groups), None);
    row("paced, median (ms)", ours.median, of(|figures| figures.median), None);
    row("paced, 99th of 100 (ms)", ours.late, of(|figures| figures.late), None);
    row("throughput (1,000 a second)", ours.throughput, of(|figures| figures.throughput), None);
    row("memory a connection (KB)", ours.memory, of(|figures| figures.memory), None);
    row("memory at rest (MB)", ours.at_rest / 1024.0, of(|figures| figures.at_rest / 1024.0), None);
    row("opened a processor second", ours.opening, of(|figures| figures.opening), None);
}
