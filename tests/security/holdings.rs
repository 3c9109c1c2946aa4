//! Whatever way clients take to make the hub hold something, it counts against one limit for all,
//! and nothing of it stays when they are gone.

use crate::harness::program::Hub;
use crate::harness::raw::{WebSocket, connect, http, masked, read_answer};
use crate::harness::wait_for;
use crate::security::memory;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;

const LIMIT: f64 = (1 << 20) as f64;
const PEERS: usize = 120;
const PIECE: usize = 30_000;
const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

fn held(hub: &Hub) -> f64 {
    hub.metric("harmony_hub_held_bytes ")
}

/// Lets peers hold what they can, and looks at what the hub holds then, and when they are gone.
fn bounded<T>(name: &str, hub: &Hub, hold: impl FnOnce(&Hub) -> T) {
    let (before, at_rest) = (memory(hub, "VmRSS"), held(hub));
    let peers = hold(hub);
    let most = held(hub);
    assert!(most <= 2.0 * LIMIT, "{name}: {most} bytes");
    // Those that hold little are served meanwhile.
    let mut client = WebSocket::connected(hub.address());
    client.invoke("StopListeningForBoardEvents", BOARD);
    drop((client, peers));
    let body = "POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\n\
                Content-Length: 0\r\nConnection: close\r\n\r\n";
    let mut looks = 0;
    let left = wait_for("the hub to let go", || {
        // What nobody opened is forgotten when somebody negotiates.
        if looks % 100 == 0 {
            http(hub.address(), body.as_bytes());
        }
        looks += 1;
        Some(held(hub)).filter(|left| *left < at_rest + 100_000.0)
    });
    eprintln!(
        "{name:<36}{:>8.0} KB held {:>8.0} KB after {:>8.1} MB more memory",
        most / 1e3,
        left / 1e3,
        memory(hub, "VmRSS").saturating_sub(before) as f64 / 1e3
    );
}

/// The path of a negotiated connection.
fn negotiated(hub: &Hub, query: &str) -> String {
    let request = format!(
        "POST /signalRHub/negotiate?negotiateVersion=1{query} HTTP/1.1\r\nHost: x\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let body = http(hub.address(), request.as_bytes()).body;
    let negotiated: Value = serde_json::from_str(&body).expect("JSON");
    let token = negotiated["connectionToken"].as_str().expect("a token");
    format!("/signalRHub?id={token}")
}

fn closed(hub: &Hub) -> f64 {
    hub.metric("harmony_hub_connections_held_too_much_total ")
}

#[test]
fn what_clients_make_the_hub_hold_has_one_limit() {
    let hub = Hub::embedded(&[&format!("--Limits:WaitingBytesInAll={LIMIT}")]);
    bounded("messages that never end", &hub, |hub| {
        let peers: Vec<_> = (0..PEERS)
            .map(|_| {
                let mut client = WebSocket::connected(hub.address());
                let _ = client.stream.write_all(&masked(0x01, &[b' '; PIECE]));
                client
            })
            .collect();
        wait_for("some to be closed", || (closed(hub) > 10.0).then_some(()));
        peers
    });
    bounded("heads that never end", &hub, |hub| {
        let bad = hub.metric("harmony_hub_connections_bad_http_total ");
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(PIECE));
        let peers: Vec<TcpStream> = (0..PEERS)
            .map(|_| {
                let mut stream = connect(hub.address());
                let _ = stream.write_all(head.as_bytes());
                stream
            })
            .collect();
        wait_for("some to be closed", || {
            let now = hub.metric("harmony_hub_connections_bad_http_total ");
            (now > bad + 10.0).then_some(())
        });
        peers
    });
    bounded("bodies before the connection is opened", &hub, |hub| {
        let mut refused = 0;
        for _ in 0..PEERS {
            let path = negotiated(hub, "");
            let mut stream = connect(hub.address());
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {PIECE}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &[b' '; PIECE]].concat());
            refused += usize::from(read_answer(&mut stream, false).status == 404);
        }
        assert!(refused > 10, "{refused}");
    });
    bounded("names of groups", &hub, |hub| {
        let mut refused = 0;
        let peers: Vec<_> = (0..PEERS)
            .map(|_| {
                let mut client = WebSocket::connected(hub.address());
                for name in ["a", "b", "c"] {
                    let name = name.repeat(PIECE / 3);
                    let call = json!({
                        "type": 1, "invocationId": "i",
                        "target": "ListenForBoardEvents", "arguments": [name],
                    });
                    client.send(&format!("{call}\u{1e}"));
                    let error = client.message()["error"].to_string();
                    refused += usize::from(error.contains("the server holds too much"));
                }
                client
            })
            .collect();
        assert!(refused > 10, "{refused}");
        peers
    });
    bounded("messages that nobody acknowledges", &hub, |hub| {
        let slow = "harmony_hub_connections_too_slow_total ";
        let before = hub.metric(slow);
        let peers: Vec<_> = (0..20)
            .map(|_| {
                let path = negotiated(hub, "&useStatefulReconnect=true");
                let (mut client, _) = WebSocket::upgrade(hub.address(), &path);
                client.send("{\"protocol\":\"json\",\"version\":2}\u{1e}");
                assert_eq!(client.message(), json!({}));
                client.invoke("ListenForBoardEvents", BOARD);
                client
            })
            .collect();
        let title = "x".repeat(20_000);
        let body =
            format!("{{\"BoardId\":\"{BOARD}\",\"CardId\":\"{BOARD}\",\"Title\":\"{title}\"}}");
        wait_for("some to be closed", || {
            assert_eq!(hub.notify("CardTitleChanged", &body).status, 202);
            (hub.metric(slow) > before + 5.0).then_some(())
        });
        peers
    });
}
