//! HTTP and WebSockets by hand, so that a test sees every byte.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(30);
/// Half of the time after which a silent client is closed.
const PING_EVERY: Duration = Duration::from_secs(15);
const MASK: [u8; 4] = [0x0f, 0xf0, 0x55, 0xaa];

/// An HTTP answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    /// In lower case, sorted.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(WAIT)).expect("a time-out");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Sends a request and reads its answer.
pub fn http(address: &str, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request).expect("a request sent");
    read_answer(&mut stream, request.starts_with(b"HEAD"))
}

/// Reads a head byte by byte, so that nothing behind it is taken, then the body.
pub fn read_answer(stream: &mut TcpStream, no_body: bool) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let mut lines = head.lines();
    let status = lines
        .next()
        .expect("a status")
        .split(' ')
        .nth(1)
        .expect("a code")
        .parse()
        .expect("a number");
    let mut headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    headers.sort();
    let mut answer = Answer {
        status,
        headers,
        body: String::new(),
    };
    if answer.header("transfer-encoding") == Some("chunked") && !no_body {
        answer.body = String::from_utf8_lossy(&read_chunks(stream)).into_owned();
        return answer;
    }
    let length: usize = answer
        .header("content-length")
        .map_or(0, |length| length.parse().expect("a length"));
    let mut body = vec![
        0;
        if no_body || status == 204 || status == 101 {
            0
        } else {
            length
        }
    ];
    stream.read_exact(&mut body).expect("a body");
    answer.body = String::from_utf8_lossy(&body).into_owned();
    answer
}

fn read_chunks(stream: &mut TcpStream) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a chunk's length");
            line.push(byte[0]);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).expect("text").trim(), 16)
            .expect("a length");
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).expect("a chunk");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

/// A frame from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Close(u16),
    Pong(Vec<u8>),
    /// The TCP connection ended.
    End,
}

/// A masked frame; its first byte is FIN and opcode.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..0x10000 => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4]),
    );
    out
}

/// A WebSocket, its frames written by hand.
pub struct WebSocket {
    pub stream: TcpStream,
    /// Messages that came in one frame with others.
    waiting: std::collections::VecDeque<serde_json::Value>,
    /// Nothing came for as long as a read may take: its end is not the hub's doing.
    fell_silent: bool,
    /// When a ping was sent: a client that says nothing for 30 seconds is closed.
    pinged: Instant,
}

impl WebSocket {
    /// Opens the hub's WebSocket.
    pub fn open(address: &str) -> Self {
        let (socket, answer) = Self::upgrade(address, "/signalRHub");
        assert_eq!(answer.status, 101, "{answer:?}");
        socket
    }

    pub fn upgrade(address: &str, path: &str) -> (Self, Answer) {
        let mut stream = connect(address);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream
            .write_all(request.as_bytes())
            .expect("a request sent");
        let answer = read_answer(&mut stream, false);
        (
            WebSocket {
                stream,
                waiting: Default::default(),
                fell_silent: false,
                pinged: Instant::now(),
            },
            answer,
        )
    }

    /// Opens it and shakes hands.
    pub fn connected(address: &str) -> Self {
        let mut socket = Self::open(address);
        socket.send("{\"protocol\":\"json\",\"version\":1}\u{1e}");
        assert_eq!(socket.next(), Frame::Text("{}\u{1e}".into()));
        socket
    }

    pub fn send(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes());
    }

    /// Sends a masked frame; its first byte is FIN and opcode.
    pub fn frame(&mut self, first: u8, payload: &[u8]) {
        // A server that has closed already takes no more; the test looks at what it said.
        let _ = self.stream.write_all(&masked(first, payload));
    }

    pub fn next(&mut self) -> Frame {
        // ASP.NET Core may send one message in several frames: 0x01, any 0x00, then 0x80.
        let mut begun = Vec::new();
        loop {
            let Some((first, payload)) = self.next_frame() else {
                return Frame::End;
            };
            match first {
                0x01 | 0x00 => begun.extend(payload),
                0x80 | 0x81 => {
                    begun.extend(payload);
                    return Frame::Text(String::from_utf8(begun).expect("UTF-8"));
                }
                0x82 => return Frame::Binary(payload),
                0x88 => return Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
                0x8a => return Frame::Pong(payload),
                other => panic!("an unexpected frame {other:#x}"),
            }
        }
    }

    /// One frame: its first byte and its payload; `None` where the TCP connection ended.
    fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        if let Err(error) = self.stream.read_exact(&mut head) {
            self.fell_silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            return None;
        }
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.take())),
            127 => u64::from_be_bytes(self.take()),
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).expect("a payload");
        Some((head[0], payload))
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    /// Calls a method and waits for its completion.
    pub fn invoke(&mut self, method: &str, argument: &str) {
        let call = serde_json::json!({ "type": 1, "invocationId": "i", "target": method, "arguments": [argument] });
        self.send(&format!("{call}\u{1e}"));
        assert_eq!(
            self.message(),
            serde_json::json!({ "type": 3, "invocationId": "i", "result": null })
        );
    }

    /// The next message that is no ping.
    pub fn message(&mut self) -> serde_json::Value {
        // Pings keep the socket from falling silent, so the patience is counted apart.
        let deadline = Instant::now() + super::PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no message came");
            if self.pinged.elapsed() > PING_EVERY {
                self.send("{\"type\":6}\u{1e}");
                self.pinged = Instant::now();
            }
            if let Some(message) = self.waiting.pop_front() {
                return message;
            }
            match self.next() {
                Frame::Text(text) => {
                    let messages = text.split('\u{1e}').filter(|text| !text.is_empty());
                    let messages = messages
                        .map(|text| serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
                    self.waiting
                        .extend(messages.filter(|message| message["type"] != 6));
                }
                Frame::End if self.fell_silent => panic!("nothing came within {WAIT:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
