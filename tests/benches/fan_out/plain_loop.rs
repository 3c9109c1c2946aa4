//! The physical limit: a loop that writes ready frames to sockets.

use crate::crowd::{connect, drain};
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

/// What this program is asked to do for the loop: read from ADDRESS by so many CONNECTIONS until
/// they end.
pub const READ_FROM: &str = "read-from";

pub fn read_from(address: &str, connections: usize) {
    let (drained, streams) = tokio::sync::mpsc::unbounded_channel();
    drained
        .send((0..connections).map(|_| connect(address)).collect())
        .expect("who drains is there");
    drop(drained);
    drain(streams, Arc::default());
}

/// The least that a hub could do, by so many connections: write ready frames to sockets, one call
/// each, all that waits at once. Microseconds of the loop's processor for each: of those that it is
/// told to write, and in a burst. Taking messages in is not its work.
pub fn plain_loop(
    connections: usize,
    body: &str,
    told: impl IntoIterator<Item = ()>,
) -> (f64, f64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // A server's clients are another process.
    let mut clients = Command::new(std::env::current_exe().expect("a program"));
    let mut clients = clients
        .args([READ_FROM, &address.to_string(), &connections.to_string()])
        .spawn()
        .expect("clients");
    let mut servers: Vec<_> = (0..connections)
        .map(|_| listener.accept().expect("a connection").0)
        .collect();
    servers
        .iter()
        .for_each(|server| server.set_nodelay(true).expect("no delay"));
    let payload =
        format!("{{\"type\":1,\"target\":\"OnCardTitleChanged\",\"arguments\":[{body}]}}\u{1e}");
    let one = harmony::signalr::frame::text_frame(payload.as_bytes());
    let mut write = |frames: &[u8]| {
        for server in &mut servers {
            server.write_all(frames).expect("a write");
        }
    };
    let (mut messages, cpu) = (0, processor_seconds());
    for () in told {
        write(&one);
        messages += 1;
    }
    let paced = (processor_seconds() - cpu) * 1e6 / (messages * connections) as f64;
    let many = one.repeat(64);
    let cpu = processor_seconds();
    (0..6).for_each(|_| write(&many));
    let burst = (processor_seconds() - cpu) * 1e6 / (6 * 64 * connections) as f64;
    drop(servers);
    clients.wait().expect("an end");
    (paced, burst)
}

/// What this thread has used of its processor.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
