//! Who can publish on the hubs' Redis cannot make a hub read its log again and again, or hold it in
//! memory.

use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::WebSocket;
use crate::harness::redis::ask;
use crate::harness::services::Redis;
use crate::harness::wait_for;
use crate::security::memory;
use std::time::{SystemTime, UNIX_EPOCH};

const LOG: &[u8] = b"{Harmony.SignalR.Hubs.SignalRHub}:log";
const NOTES: &[u8] = b"Harmony.SignalR.Hubs.SignalRHub:internal:log";

#[test]
#[ignore = "needs Redis: run tests/run"]
fn notes_about_the_log_cost_no_more_than_one_reading() {
    if !has(
        "notes_about_the_log_cost_no_more_than_one_reading",
        &[Part::Redis],
    ) {
        return;
    }
    let redis = Redis::start();
    let address = format!("--RedisConnectionString={}", redis.connection_string());
    let hub = Hub::start(&["--rabbitmq=embedded", &address]);
    hub.wait_until_ready();
    let before = memory(&hub, "VmRSS");
    // A stream of 20 MB, and 30 notes that say that all of it is new.
    let payload = vec![b'x'; 100_000];
    let entry: &[&[u8]] = &[b"XADD", LOG, b"*", b"c", b"elsewhere", b"p", &payload];
    ask(redis.port, &vec![entry; 200]);
    // Places in the log are times: an end that is now makes all of it recent.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let end = format!("{}-0", now.as_millis() + 5000).into_bytes();
    let mut note = vec![0x92, 0xa3];
    note.extend(b"0-0");
    note.push(0xa0 | end.len() as u8);
    note.extend(&end);
    let publish: &[&[u8]] = &[b"PUBLISH", NOTES, &note];
    let heard = ask(redis.port, &vec![publish; 30]);
    assert_eq!(heard.matches(":1").count(), 30, "the hub listens: {heard}");
    // It reads what it was told to, until nothing is left.
    let mut reads = String::new();
    wait_for("the end of reading", || {
        let statistics = ask(redis.port, &[&[b"INFO", b"commandstats"]]);
        let line = statistics
            .lines()
            .find(|line| line.starts_with("cmdstat_xrange:"))?
            .to_owned();
        let done = line == reads;
        reads = line;
        done.then_some(())
    });
    let mut client = WebSocket::connected(hub.address());
    client.invoke("ListenForBoardEvents", "board");
    hub.wait_until_ready();
    let grown = memory(&hub, "VmHWM").saturating_sub(before);
    eprintln!(
        "30 notes over a log of 20 MB: {:.1} MB more",
        grown as f64 / 1e3
    );
    assert!(grown < 64_000, "{grown} kB more");
}
