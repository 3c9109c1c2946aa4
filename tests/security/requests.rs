//! Requests that a proxy in front reads otherwise than the hub must not pass its rules: they are
//! read as Kestrel reads them (`engine::dotnet::requests` compares them with it).

use crate::harness::program::Hub;
use crate::harness::raw::{Answer, http};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn ask(hub: &Hub, line: &str, headers: &str, body: &str) -> Answer {
    let request = format!("{line}\r\n{headers}\r\n{body}");
    http(hub.address(), request.as_bytes())
}

#[test]
fn a_path_is_decoded_once() {
    let hub = Hub::embedded(&[]);
    let status = |path: &str| {
        let line = format!("POST {path} HTTP/1.1");
        ask(&hub, &line, "Host: x\r\nContent-Length: 0\r\n", "").status
    };
    assert_eq!(status("/signalRHub/negotiate"), 200);
    assert_eq!(status("/signalRHub/%6eegotiate"), 200);
    assert_eq!(status("/x/../signalRHub/negotiate"), 200);
    for hidden in [
        "/signalRHub/negotiate%3F/x",
        "/signalRHub/negotiate%3Fx",
        "/signalRHub/%256eegotiate",
        "/signalRHub%2Fnegotiate",
        "/signalRHub/negotiate%23x",
    ] {
        assert_eq!(status(hidden), 404, "{hidden}");
    }
}

#[test]
fn an_absolute_target_and_host_must_agree() {
    let hub = Hub::embedded(&[]);
    let status = |target: &str, host: &str| {
        let line = format!("GET {target} HTTP/1.1");
        ask(&hub, &line, &format!("Host: {host}\r\n"), "").status
    };
    let live = |authority: &str| format!("http://{authority}/healthz/live");
    assert_eq!(status(&live("hub.example"), "hub.example"), 200);
    assert_eq!(status(&live("hub.example:80"), "hub.example"), 200);
    assert_eq!(status(&live("hub.example"), "hub.example:80"), 200);
    assert_eq!(status(&live("hub.example:81"), "hub.example"), 400);
    assert_eq!(status(&live("other.example"), "hub.example"), 400);
}

#[test]
fn every_line_of_asked_headers_is_allowed() {
    let hub = Hub::embedded(&[]);
    let headers = "Host: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n\
                   Access-Control-Request-Headers: x-a, X-B\r\nAccess-Control-Request-Headers: c\r\n";
    let answer = ask(&hub, "OPTIONS /signalRHub/negotiate HTTP/1.1", headers, "");
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("x-a,X-B,c")
    );
}

#[test]
fn only_a_plain_upgrade_opens_a_websocket() {
    let hub = Hub::embedded(&[]);
    let status = |headers: &str, body: &str| {
        let headers = format!("Host: x\r\n{headers}");
        ask(&hub, "GET /signalRHub HTTP/1.1", &headers, body).status
    };
    assert_eq!(status(UPGRADE, ""), 101);
    assert_eq!(status(&format!("{UPGRADE}Content-Length: 0\r\n"), ""), 101);
    for more in [
        "Content-Length: 5\r\n",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ] {
        let body = if more.starts_with("Content") {
            "hello"
        } else {
            ""
        };
        assert_eq!(status(&format!("{UPGRADE}{more}"), body), 400, "{more}");
    }
    let chunked = format!("{UPGRADE}Transfer-Encoding: chunked\r\n");
    assert_eq!(status(&chunked, "5\r\nhello\r\n0\r\n\r\n"), 400);
}

#[test]
fn http_1_0_is_served_without_chunks() {
    let hub = Hub::embedded(&[]);
    let status = |headers: &str, body: &str| {
        ask(&hub, "POST /signalRHub/negotiate HTTP/1.0", headers, body).status
    };
    assert_eq!(status("Content-Length: 0\r\n", ""), 200);
    assert_eq!(status("", ""), 400, "its end cannot be known");
    // Kestrel takes these; hyper does not, and no client sends them.
    assert_eq!(status("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
}
