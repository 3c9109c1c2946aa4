//! Servers that are too old are named and not used.

use super::faults::error;
use crate::harness::Folder;
use crate::harness::parts::{Part, has};
use crate::harness::program::{harmony, text};
use crate::harness::services::RabbitMq;
use crate::harness::ways::way_to;
use std::io::{Read, Write};
use std::net::TcpListener;

/// A Redis that answers every command with the same.
fn fake_redis(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = client.read(&mut buffer) {
                    let commands = text(&buffer[..read])
                        .lines()
                        .filter(|line| line.starts_with('*'))
                        .count();
                    if client.write_all(&answer.repeat(commands)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// What `up` with these servers must refuse, and why.
fn assert_too_old(folder: &Folder, servers: &[&str], reason: &str) {
    let mut command = harmony(folder.path());
    let (code, failure) = error(command.args(["up", "--yes"]).args(servers));
    let expected = (Some(5), &"serviceTooOld".into());
    assert_eq!((code, &failure["code"]), expected, "{failure}");
    let why = failure["why"].as_str().expect("a reason");
    assert!(why.contains(reason), "{failure}");
}

#[test]
fn a_server_that_is_too_old_is_not_used() {
    let folder = Folder::new();
    // What Redis 5 says to HELLO. No package of it is to be had any more, so it is played.
    let redis = fake_redis(b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n");
    let redis = format!("127.0.0.1:{redis}");
    let servers = ["--rabbitmq", "embedded", "--redis", &redis];
    assert_too_old(&folder, &servers, "Redis 6.0");

    if has("a_server_that_is_too_old_is_not_used", &[Part::RabbitMq]) {
        let rabbitmq = RabbitMq::start();
        // The real one, which gives itself another version of the same length on the way.
        let old = way_to(format!("127.0.0.1:{}", rabbitmq.port), |bytes| {
            const KEY: &[u8] = b"\x07versionS\x00\x00\x00\x06";
            if let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) {
                bytes[at + KEY.len()..][..6].copy_from_slice(b"3.7.28");
            }
        });
        let address = format!("127.0.0.1:{old}");
        let virtual_host = ["--rabbitmq-vhost", &rabbitmq.virtual_host];
        let servers = ["--redis", "none", "--rabbitmq", &address];
        let reason = "RabbitMQ 3.7.28; at least RabbitMQ 3.8";
        assert_too_old(&folder, &[&servers[..], &virtual_host].concat(), reason);
    }
    assert!(!folder.path().join("harmony").exists());
}
