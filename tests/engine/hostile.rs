//! Hostile and clumsy peers: what each is told, what it is counted as, and what the hub's memory
//! does meanwhile.

mod limits;

use crate::harness::program::Hub;
use crate::harness::raw::{WebSocket, http};
use crate::harness::wait_for;
use rustix::process::{Resource, Rlimit};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const UPGRADE: &str = "GET /signalRHub HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";

/// A masked text frame, whose mask of zeroes leaves it readable.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => frame.extend([0x80 | 126, (length >> 8) as u8, length as u8]),
    }
    frame.extend([0; 4]);
    frame.extend(text.bytes());
    frame
}

/// Kilobytes of the hub: now, or its peak.
fn memory(hub: &Hub, what: &str) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", hub.program.pid())).expect("a process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(what))
        .expect("a size");
    line.trim_matches([':', '\t', ' '])
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .expect("a number")
}

/// Does something to a hub, and says what became of its memory: before, at its peak, and after.
fn measured(name: &str, hub: &Hub, most: u64, attack: impl FnOnce(&Hub)) {
    // Begins the peak anew.
    std::fs::write(format!("/proc/{}/clear_refs", hub.program.pid()), "5").expect("a new peak");
    let before = memory(hub, "VmRSS");
    attack(hub);
    let peak = memory(hub, "VmHWM");
    wait_for("quiet", || {
        (hub.metric("harmony_hub_connections ") == 0.0).then_some(())
    });
    eprintln!(
        "{name:<44}{:>8.1} MB before {:>8.1} MB peak {:>8.1} MB after",
        before as f64 / 1e3,
        peak as f64 / 1e3,
        memory(hub, "VmRSS") as f64 / 1e3
    );
    assert!(
        peak < before + most * 1000,
        "{name}: {before} kB grew to {peak} kB"
    );
    // It serves as before.
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", "board");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// As many files as this process may open; from now on it may.
fn files() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .expect("files");
    limit.maximum.map_or(usize::MAX, |most| most as usize)
}

/// Held by whoever opens a crowd: the files of this process are not enough for two.
static CROWD: Mutex<()> = Mutex::new(());

/// Opens many sockets at once, says something on each, and reads until an answer ends so.
async fn many(address: &str, count: usize, talk: &[(&[u8], &[u8])]) -> Vec<tokio::net::TcpStream> {
    let server: SocketAddr = address.parse().expect("an address");
    let mut streams = Vec::with_capacity(count);
    for place in 0..count {
        // Loopback has many addresses; one has not ports enough.
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        let own = std::net::Ipv4Addr::new(127, 0, (place >> 13) as u8, 1);
        socket.bind((own, 0).into()).expect("an address");
        // What it does not read then waits at the hub, where it is to be bounded.
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let mut stream = socket.connect(server).await.expect("a connection");
        for (words, answer) in talk {
            stream.write_all(words).await.expect("words");
            let mut heard = Vec::new();
            while !heard
                .windows(answer.len().max(1))
                .any(|window| window == *answer)
                && !answer.is_empty()
            {
                assert!(
                    stream.read_buf(&mut heard).await.expect("an answer") > 0,
                    "{}",
                    String::from_utf8_lossy(&heard)
                );
            }
        }
        streams.push(stream);
    }
    streams
}

fn publish(hub: &Hub, board: &str, title: &str) {
    let body = format!(
        "{{\"BoardId\":\"{board}\",\"CardId\":\"adf2a8f3-1f31-4e04-bc2e-2a5a88a061d4\",\"Title\":\"{title}\"}}"
    );
    let admin = hub
        .admin
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let request = format!(
        "POST /notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nnotification_type: CardTitleChanged\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        hub.token,
        body.len()
    );
    assert_eq!(http(admin, request.as_bytes()).status, 202);
}

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

fn listen() -> String {
    format!(
        "{{\"type\":1,\"invocationId\":\"1\",\"target\":\"ListenForBoardEvents\",\"arguments\":[\"{BOARD}\"]}}\u{1e}"
    )
}

#[test]
fn memory_stays_bounded_whatever_peers_do() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    files();
    let hub = Hub::embedded(&[
        "--Limits:WaitingBytesInAll=67108864",
        "--Limits:MessagesPerSecond=1000000",
    ]);
    measured("1,000 heads that never end", &hub, 30, |hub| {
        runtime().block_on(async {
            let mut streams = many(
                hub.address(),
                1000,
                &[(b"GET /signalRHub HTTP/1.1\r\nHost: x\r\nX: ", b"")],
            )
            .await;
            for stream in &mut streams {
                stream.write_all(&[b'y'; 4000]).await.expect("more of it");
            }
            wait_for("all of them to be let in", || {
                (hub.metric("harmony_hub_connections_half_open ") >= 1000.0).then_some(())
            });
        })
    });
    measured("1,000 WebSockets that shake no hands", &hub, 30, |hub| {
        runtime().block_on(async {
            let streams = many(
                hub.address(),
                1000,
                &[
                    (UPGRADE.as_bytes(), b"\r\n\r\n"),
                    (&frame("{\"protocol\":\"js")[..10], b""),
                ],
            )
            .await;
            wait_for("all of them to be let in", || {
                (hub.metric("harmony_hub_connections_half_open ") >= 1000.0).then_some(())
            });
            drop(streams);
        })
    });
    measured("1,000 messages that never end", &hub, 60, |hub| {
        runtime().block_on(async {
            // As long as a message may be, less a byte, each in a frame that says so.
            let mut half = vec![0x81, 0x80 | 126, 0x7f, 0xff, 0, 0, 0, 0];
            half.extend([b' '; 16_000]);
            drop(
                many(
                    hub.address(),
                    1000,
                    &[
                        (UPGRADE.as_bytes(), b"\r\n\r\n"),
                        (&frame(HANDSHAKE), b"{}\x1e"),
                        (&half, b""),
                    ],
                )
                .await,
            );
        })
    });
    measured("a message of 100 MB", &hub, 10, |hub| {
        let mut socket = WebSocket::connected(hub.address());
        let mut head = vec![0x82, 0x80 | 127];
        head.extend(100_000_000u64.to_be_bytes());
        head.extend([0; 4]);
        let _ = socket.stream.write_all(&head);
        let piece = vec![b'x'; 1 << 20];
        let _ = (0..100)
            .take_while(|_| socket.stream.write_all(&piece).is_ok())
            .count();
        assert!(hub.metric("harmony_hub_connections_broken_protocol_total ") >= 1.0);
    });
    measured("a million group joins", &hub, 40, |hub| {
        let mut socket = WebSocket::connected(hub.address());
        let reader = socket.stream.try_clone().expect("a socket");
        let refused = std::thread::spawn(move || {
            let (mut reader, mut tail, mut refused) = (reader, Vec::new(), 0);
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                tail.extend_from_slice(&buffer[..read]);
                refused += tail
                    .windows(9)
                    .filter(|window| *window == b"groups al")
                    .count();
                tail.drain(..tail.len().saturating_sub(8));
            }
            refused
        });
        let mut words = Vec::new();
        for number in 0..1_000_000 {
            // Without an id nobody waits for an answer; every thousandth has one.
            let id = if number % 1000 == 999 {
                "\"invocationId\":\"1\","
            } else {
                ""
            };
            words.extend(frame(&format!("{{\"type\":1,{id}\"target\":\"ListenForBoardEvents\",\"arguments\":[\"{number}\"]}}\u{1e}")));
            if words.len() > 1 << 16 {
                socket.stream.write_all(&words).expect("joins");
                words.clear();
            }
        }
        let _ = socket.stream.write_all(&words);
        socket.frame(0x88, &[3, 0xe8]);
        let refused = refused.join().expect("a reader");
        assert!(refused > 900, "{refused} of 1000 refused");
    });
    measured("10,000 clients that do not read", &hub, 180, |hub| {
        runtime().block_on(async {
            let words = listen();
            let streams = many(
                hub.address(),
                10_000,
                &[
                    (UPGRADE.as_bytes(), b"\r\n\r\n"),
                    (&frame(HANDSHAKE), b"{}\x1e"),
                    (&frame(&words), b"null}\x1e"),
                ],
            )
            .await;
            let title = "x".repeat(20_000);
            wait_for("slow clients to be closed", || {
                publish(hub, BOARD, &title);
                (hub.metric("harmony_hub_connections_too_slow_total ") >= 5000.0).then_some(())
            });
            drop(streams);
        })
    });
}

#[test]
fn twenty_thousand_clients_hear_a_message() {
    let _alone = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    // Each is a file; where the machine allows no more than 20,000 of them, some are needed for the
    // rest.
    let clients = (files() - 1000).min(20_000);
    let hub = Hub::embedded(&[]);
    let before = memory(&hub, "VmRSS");
    runtime().block_on(async {
        let words = listen();
        let mut streams = many(
            hub.address(),
            clients,
            &[
                (UPGRADE.as_bytes(), b"\r\n\r\n"),
                (&frame(HANDSHAKE), b"{}\x1e"),
                (&frame(&words), b"null}\x1e"),
            ],
        )
        .await;
        eprintln!(
            "{clients} clients: {:.1} KB each",
            (memory(&hub, "VmRSS") - before) as f64 / clients as f64
        );
        publish(&hub, BOARD, "for all");
        for stream in &mut streams {
            let mut heard = Vec::new();
            while !heard.windows(7).any(|window| window == b"for all") {
                assert!(stream.read_buf(&mut heard).await.expect("a message") > 0);
            }
        }
    });
}
