//! A publisher to RabbitMQ that writes every byte itself, so that a test can publish what no
//! library would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The bits that say which properties follow.
pub const CONTENT_TYPE: u16 = 1 << 15;
pub const HEADERS: u16 = 1 << 13;
pub const CORRELATION_ID: u16 = 1 << 10;
pub const EXPIRATION: u16 = 1 << 8;
pub const USER_ID: u16 = 1 << 4;

pub const EXCHANGE: &str = "harmony_notifications";
pub const KEY: &[u8] = b"notifications.signalr";

const WAIT: Duration = Duration::from_secs(30);

/// One connection with one channel that confirms.
pub struct Amqp {
    stream: TcpStream,
    frame_max: usize,
}

pub fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8], text].concat()
}

pub fn long(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text].concat()
}

/// A header: its name, its type and its value as it stands on the wire.
pub fn header(name: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    [&short(name), &[kind][..], value].concat()
}

/// The header that names a notification's type.
pub fn type_header(name: &str) -> Vec<u8> {
    header(b"notification_type", b'S', &long(name.as_bytes()))
}

/// Properties that are nothing but headers.
pub fn headers(headers: &[Vec<u8>]) -> Vec<u8> {
    [&HEADERS.to_be_bytes()[..], &long(&headers.concat())].concat()
}

impl Amqp {
    /// Connects to this machine's RabbitMQ.
    pub fn connect(port: u16, virtual_host: &str, user: &str, password: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("RabbitMQ");
        stream.set_read_timeout(Some(WAIT)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        let mut amqp = Amqp {
            stream,
            frame_max: 4096,
        };
        amqp.write(b"AMQP\0\0\x09\x01");
        amqp.wait_for(10, 10);
        let response = format!("\0{user}\0{password}");
        let start = [
            &long(b"")[..],
            &short(b"PLAIN"),
            &long(response.as_bytes()),
            &short(b"en_US"),
        ];
        amqp.method(0, 10, 11, &start.concat());
        let tune = amqp.wait_for(10, 30);
        amqp.frame_max = u32::from_be_bytes(tune[2..6].try_into().expect("a size")) as usize;
        // The same sizes, no heartbeats.
        amqp.method(0, 10, 31, &[&tune[..6], &[0, 0][..]].concat());
        let open = [&short(virtual_host.as_bytes())[..], &short(b""), &[0]];
        amqp.method(0, 10, 40, &open.concat());
        amqp.wait_for(10, 41);
        amqp.method(1, 20, 10, &short(b""));
        amqp.wait_for(20, 11);
        amqp.method(1, 85, 10, &[0]);
        amqp.wait_for(85, 11);
        amqp
    }

    /// Publishes to Harmony's exchange; returns once RabbitMQ has it.
    pub fn publish(&mut self, properties: &[u8], body: &[u8]) {
        self.publish_to(EXCHANGE, KEY, properties, body);
    }

    pub fn publish_to(&mut self, exchange: &str, key: &[u8], properties: &[u8], body: &[u8]) {
        self.send(exchange, key, properties, body);
        self.wait_for(60, 80);
    }

    /// Publishes and does not wait.
    pub fn send(&mut self, exchange: &str, key: &[u8], properties: &[u8], body: &[u8]) {
        let place = [&[0, 0][..], &short(exchange.as_bytes()), &short(key), &[0]];
        self.method(1, 60, 40, &place.concat());
        let size = (body.len() as u64).to_be_bytes();
        self.frame(2, 1, &[&[0, 60, 0, 0][..], &size, properties].concat());
        for chunk in body.chunks(self.frame_max - 8) {
            self.frame(3, 1, chunk);
        }
    }

    fn method(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) {
        let numbers = [class.to_be_bytes(), method.to_be_bytes()].concat();
        self.frame(1, channel, &[&numbers, arguments].concat());
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let size = (payload.len() as u32).to_be_bytes();
        let frame = [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xCE]];
        self.write(&frame.concat());
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("bytes sent");
    }

    /// Reads until a method comes; its arguments.
    fn wait_for(&mut self, class: u16, method: u16) -> Vec<u8> {
        loop {
            let mut head = [0; 7];
            self.stream.read_exact(&mut head).expect("a frame");
            let size = u32::from_be_bytes(head[3..].try_into().expect("a size")) as usize;
            let mut payload = vec![0; size + 1];
            self.stream.read_exact(&mut payload).expect("a payload");
            if head[0] != 1 {
                continue;
            }
            let numbers = [0, 2].map(|at| u16::from_be_bytes([payload[at], payload[at + 1]]));
            if numbers == [class, method] {
                return payload[4..size].to_vec();
            }
            let closes = numbers == [10, 50] || numbers == [20, 40];
            assert!(!closes, "RabbitMQ: {}", String::from_utf8_lossy(&payload));
        }
    }
}
