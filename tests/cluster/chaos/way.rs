//! A way to a server that may fail: cut, slow or silent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A way to a server, on which things may go wrong.
pub struct Way {
    pub port: u16,
    state: Arc<AtomicUsize>,
    cuts: Arc<AtomicUsize>,
}

/// How a way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Passage {
    Open,
    /// Every piece takes a tenth of a second.
    Slow,
    /// Nothing passes, and nobody is told.
    Silent,
}

impl Way {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let way = Way {
            port: listener.local_addr().expect("an address").port(),
            state: Arc::default(),
            cuts: Arc::default(),
        };
        let (state, cuts) = (way.state.clone(), way.cuts.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (
                        from.try_clone().expect("a socket"),
                        to.try_clone().expect("a socket"),
                    );
                    let (state, cuts) = (state.clone(), cuts.clone());
                    std::thread::spawn(move || carry(from, to, &state, &cuts));
                }
            }
        });
        way
    }

    pub fn set(&self, passage: Passage) {
        self.state.store(passage as usize, Ordering::Relaxed);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &AtomicUsize, cuts: &AtomicUsize) {
    let (before, mut buffer) = (cuts.load(Ordering::Relaxed), vec![0; 64 << 10]);
    let _ = from.set_nodelay(true);
    let _ = from.set_read_timeout(Some(Duration::from_millis(20)));
    let _ = to.set_write_timeout(Some(Duration::from_millis(500)));
    while cuts.load(Ordering::Relaxed) == before {
        let passage = state.load(Ordering::Relaxed);
        if passage == Passage::Silent as usize {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(_) => break,
        };
        if passage == Passage::Slow as usize {
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() && cuts.load(Ordering::Relaxed) == before {
            match to.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => break,
            }
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
