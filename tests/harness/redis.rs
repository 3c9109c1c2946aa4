//! Redis commands byte by byte, and an HTTP proxy in front of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Sends commands to a Redis; returns what it says until it says `+PONG`.
pub fn ask(port: u16, commands: &[&[&[u8]]]) -> String {
    let stream = super::raw::connect(&format!("127.0.0.1:{port}"));
    let mut writer = stream.try_clone().expect("a stream");
    let mut bytes = Vec::new();
    for command in commands {
        bytes.extend(format!("*{}\r\n", command.len()).bytes());
        for part in *command {
            bytes.extend(format!("${}\r\n", part.len()).bytes());
            bytes.extend_from_slice(part);
            bytes.extend(b"\r\n");
        }
    }
    bytes.extend(b"PING\r\n");
    writer.write_all(&bytes).expect("commands sent");
    let mut said = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.expect("a line");
        if line == "+PONG" {
            break;
        }
        said.push_str(&line);
        said.push('\n');
    }
    said
}

/// An HTTP proxy that only knows CONNECT; it ends with the process.
pub struct ConnectProxy {
    pub port: u16,
    /// Ways that it made.
    pub made: Arc<AtomicUsize>,
}

impl ConnectProxy {
    /// Makes ways, or refuses each with a status.
    pub fn start(refuses: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = counter.clone();
                std::thread::spawn(move || make_way(stream, refuses, &counter));
            }
        });
        ConnectProxy { port, made }
    }
}

fn make_way(mut client: TcpStream, refuses: Option<&str>, made: &AtomicUsize) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    if let Some(status) = refuses {
        let _ = write!(client, "HTTP/1.1 {status}\r\n\r\n");
        return;
    }
    let Some(mut server) = target.and_then(|target| TcpStream::connect(target).ok()) else {
        return;
    };
    made.fetch_add(1, Ordering::Relaxed);
    let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
    let (mut from, mut to) = (
        client.try_clone().expect("a stream"),
        server.try_clone().expect("a stream"),
    );
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut server, &mut client);
}
