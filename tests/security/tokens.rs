//! Who may come in: users' tokens, and the origins of web pages.

use crate::harness::program::Hub;
use crate::harness::raw::{WebSocket, http};
use harmony::json_web_token::{TokenError, sign, verify};
use serde_json::{Value, json};

const SECRET: &str = "a secret of Harmony.Api";

fn with_header(header: &Value, claims: &Value) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = ring::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_ends_and_asks_for_nothing_unknown() {
    let judge = |token: &str| verify(token, SECRET, 1000, 0).map(|token| token.ends);
    let signed = |claims: Value| judge(&sign(&claims, SECRET));
    assert_eq!(signed(json!({ "exp": 2000 })), Ok(2000));
    assert_eq!(signed(json!({ "exp": 2000.5 })), Ok(2000));
    assert_eq!(signed(json!({ "exp": 1000 })), Err(TokenError::Expired));
    for endless in [json!({}), json!({ "exp": null })] {
        assert_eq!(
            signed(endless.clone()),
            Err(TokenError::Endless),
            "{endless}"
        );
    }
    for odd in [json!("2000"), json!("never"), json!(true), json!([2000])] {
        assert_eq!(
            signed(json!({ "exp": odd })),
            Err(TokenError::Malformed),
            "{odd}"
        );
    }
    assert_eq!(
        signed(json!({ "exp": 2000, "nbf": "500" })),
        Err(TokenError::Malformed)
    );
    assert_eq!(
        signed(json!({ "exp": 2000, "nbf": 1500 })),
        Err(TokenError::NotYet)
    );
    let claims = json!({ "exp": 2000 });
    let critical = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    assert_eq!(
        judge(&with_header(&critical, &claims)),
        Err(TokenError::Critical)
    );
    assert_eq!(
        judge(&with_header(&json!({ "alg": "none" }), &claims)),
        Err(TokenError::Algorithm)
    );
}

fn handshake(hub: &Hub, origin: &str) -> u16 {
    let request = format!(
        "GET /signalRHub HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        hub.address()
    );
    http(hub.address(), request.as_bytes()).status
}

#[test]
fn pages_of_other_origins_are_kept_out_where_origins_are_named() {
    let hub = Hub::embedded(&[
        "--Cors:Origins:0=https://kanban.example.com",
        "--Cors:Origins:1=http://b.example:8080/",
    ]);
    assert_eq!(handshake(&hub, "https://kanban.example.com"), 101);
    assert_eq!(handshake(&hub, "HTTP://B.example:8080"), 101);
    // The hub's own page.
    assert_eq!(handshake(&hub, &format!("http://{}", hub.address())), 101);
    for origin in [
        "https://evil.example",
        "http://kanban.example.com",
        "null",
        "https://kanban.example.com.evil.example",
    ] {
        assert_eq!(handshake(&hub, origin), 403, "{origin}");
    }
    let negotiate = |origin: &str| {
        let request = format!(
            "POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        http(hub.address(), request.as_bytes())
    };
    let welcome = negotiate("https://kanban.example.com");
    assert_eq!(
        (
            welcome.status,
            welcome.header("access-control-allow-origin")
        ),
        (200, Some("https://kanban.example.com"))
    );
    let refused = negotiate("https://evil.example");
    assert_eq!(
        (
            refused.status,
            refused.header("access-control-allow-origin")
        ),
        (403, None)
    );
    // What is no page has no origin.
    WebSocket::connected(hub.address());
    // Without the setting everybody is welcome, as in Harmony.
    assert_eq!(handshake(&Hub::embedded(&[]), "https://evil.example"), 101);
}

#[test]
fn a_client_that_fails_over_and_over_fills_no_log() {
    const CALLS: usize = 20_000;
    let hub = Hub::embedded(&[]);
    let mut client = WebSocket::connected(hub.address());
    let calls =
        "{\"type\":1,\"target\":\"ListenForBoardEvents\",\"arguments\":[null]}\u{1e}".repeat(100);
    for _ in 0..CALLS / 100 {
        client.send(&calls);
    }
    crate::harness::wait_for("all calls", || {
        let failed = hub.metric("harmony_hub_invocations_failed_total");
        (failed == CALLS as f64).then_some(())
    });
    let lines = hub.program.lines();
    let said = lines
        .iter()
        .filter(|line| line.contains("a hub method failed"));
    assert_eq!(said.count(), 1);
    assert!(lines.len() < 20, "{} lines", lines.len());
}
