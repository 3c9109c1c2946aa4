//! Clients of a server: they join boards, count what they hear, and one of them notes when.

use crate::server::Server;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
const MASK: [u8; 4] = [1, 2, 3, 4];
/// Longer than any pause between messages that is not the end.
const QUIET: Duration = Duration::from_secs(20);
/// Fewer than the ports that the system gives out.
const CLIENTS_OF_AN_ADDRESS: usize = 16_000;

fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => frame.extend([0x80 | 126, (length >> 8) as u8, length as u8]),
    }
    frame.extend(MASK);
    frame.extend(
        text.bytes()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4]),
    );
    frame
}

/// Opens a WebSocket and joins a board; the stream is then ready for what is broadcast.
fn join(stream: &mut (impl Read + Write), board: &str) {
    let request = "GET /signalRHub HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    read_until(stream, b"\r\n\r\n");
    stream.write_all(&frame(HANDSHAKE)).expect("a handshake");
    read_until(stream, b"{}\x1e");
    let call = format!(
        "{{\"type\":1,\"invocationId\":\"1\",\"target\":\"ListenForBoardEvents\",\"arguments\":[\"{board}\"]}}\u{1e}"
    );
    stream.write_all(&frame(&call)).expect("a call");
    read_until(stream, b"null}\x1e");
}

fn read_until(stream: &mut impl Read, end: &[u8]) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        bytes.push(byte[0]);
    }
}

/// A connection from one of loopback's many addresses, others for each server: one has not ports
/// enough for all.
pub fn connect(address: &str) -> TcpStream {
    static OPENED: AtomicUsize = AtomicUsize::new(0);
    let own = (OPENED.fetch_add(1, Ordering::Relaxed) / CLIENTS_OF_AN_ADDRESS % 250) as u8;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let address: SocketAddr = address.parse().expect("an address");
    let place = Ipv4Addr::new(127, (address.port() % 250) as u8, own, 1);
    socket
        .bind(&SocketAddr::from((place, 0)).into())
        .expect("an address");
    socket.connect(&address.into()).expect("a connection");
    socket.into()
}

/// So many clients on each board.
pub fn open(address: &str, boards: &[String], each: usize) -> Vec<TcpStream> {
    let open = |board| {
        let mut stream = connect(address);
        join(&mut stream, board);
        stream
    };
    (0..each)
        .flat_map(|_| boards)
        .map(|board| open(board))
        .collect()
}

/// Clients that speak TLS, trust `certificate`, and have nothing to hear.
pub fn idle_with_tls(
    server: &Server,
    board: &str,
    count: usize,
    certificate: &CertificateDer<'static>,
) -> Vec<impl Read + Write + use<>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let config = Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    );
    let open = |_| {
        let client = ClientConnection::new(
            config.clone(),
            ServerName::try_from("localhost").expect("a name"),
        )
        .expect("a client");
        let mut stream = StreamOwned::new(client, connect(&server.address));
        join(&mut stream, board);
        stream
    };
    (0..count).map(open).collect()
}

/// Drains sockets on this thread, those that are there and those that come, and counts the
/// separators that they bring: one for each message. Returns once no more can come and all have
/// ended.
pub fn drain(mut streams: UnboundedReceiver<Vec<TcpStream>>, heard: Arc<AtomicU64>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        while let Some(streams) = streams.recv().await {
            for stream in streams {
                stream.set_nonblocking(true).expect("a socket");
                let mut stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
                let heard = heard.clone();
                tasks.spawn(async move {
                    use tokio::io::AsyncReadExt;
                    let mut buffer = vec![0; 16 << 10];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        let count = memchr::memchr_iter(0x1e, &buffer[..length]).count();
                        heard.fetch_add(count as u64, Ordering::Relaxed);
                    }
                });
            }
        }
        tasks.join_all().await;
    });
}

/// Clients that listen and count.
pub struct Crowd {
    /// How many are on each board.
    size: u64,
    heard: Arc<AtomicU64>,
    /// To the one thread that reads for all of them: more threads would cost the server more to
    /// wake.
    drained: UnboundedSender<Vec<TcpStream>>,
}

impl Crowd {
    /// So many clients on each board.
    pub fn at(address: &str, boards: &[String], each: usize) -> Self {
        Self::of(open(address, boards, each), each)
    }

    /// How many messages they have heard together.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Clients that have joined, so many on each board.
    pub fn of(streams: Vec<TcpStream>, each: usize) -> Self {
        let (drained, streams_to_drain) = unbounded_channel();
        let mut crowd = Crowd {
            size: 0,
            heard: Arc::default(),
            drained,
        };
        let heard = crowd.heard.clone();
        std::thread::spawn(move || drain(streams_to_drain, heard));
        crowd.grow(streams, each);
        crowd
    }

    /// How many are on each board.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// So many more on each board.
    pub fn grow(&mut self, streams: Vec<TcpStream>, each: usize) {
        self.size += each as u64;
        self.drained.send(streams).expect("a thread that drains");
    }

    /// Publishes and waits until all of it is heard: the server's microseconds a delivery, and the
    /// seconds it took.
    pub fn hears(&self, server: &Server, messages: usize, publish: impl FnOnce()) -> (f64, f64) {
        let (before, cpu, began) = (
            self.heard.load(Ordering::Relaxed),
            server.cpu(),
            Instant::now(),
        );
        publish();
        let deliveries = messages as u64 * self.size;
        let mut last = (before, Instant::now());
        while last.0 < before + deliveries {
            std::thread::park_timeout(Duration::from_millis(5));
            let now = self.heard.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            }
            assert!(
                last.1.elapsed() < QUIET,
                "{now} of {} messages heard",
                before + deliveries
            );
        }
        (
            (server.cpu() - cpu) * 1e6 / deliveries as f64,
            began.elapsed().as_secs_f64(),
        )
    }
}

/// A client that notes when it hears what.
pub struct Probe(std::sync::mpsc::Receiver<(usize, Instant)>);

impl Probe {
    pub fn start(server: &Server, board: &str) -> Self {
        let mut stream = connect(&server.address);
        join(&mut stream, board);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                let now = Instant::now();
                bytes.extend_from_slice(&buffer[..read]);
                while let Some(end) = memchr::memchr(0x1e, &bytes) {
                    let message: Vec<u8> = bytes.drain(..=end).collect();
                    let text = String::from_utf8_lossy(&message);
                    let number = text
                        .split("card number ")
                        .nth(1)
                        .and_then(|rest| rest.split('"').next()?.parse().ok());
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

    /// In milliseconds how long each message took, those after the first `skipped`.
    pub fn latencies(self, skipped: usize, published: &[Instant]) -> Vec<f64> {
        let heard = self.0.iter().skip(skipped).take(published.len());
        heard
            .map(|(number, at)| (at - published[number]).as_secs_f64() * 1e3)
            .collect()
    }
}
