//! Requests, good and bad ones: answered as Kestrel and ASP.NET Core answer them.
//!
//! Left out is what hyper does otherwise: chunked bodies and upgrades in HTTP/1.0, which it
//! refuses.

use crate::harness::parts::{Part, has};
use crate::harness::program::Hub;
use crate::harness::raw::{Answer, http};
use crate::harness::services::refhub;
use serde_json::Value;

const UPGRADE: &str = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const EVENTS: &str = "text/event-stream";

/// Requests: a line, and further header lines.
fn requests() -> Vec<String> {
    let mut requests = Vec::new();
    for version in [
        "1",
        "2",
        "0",
        "-1",
        "",
        "%201",
        "1%20",
        "%2b1",
        "+1",
        "1.0",
        "1e0",
        "0x1",
        "2147483647",
        "2147483648",
        "abc",
        "1&negotiateVersion=0",
        "0&negotiateVersion=1",
        "%D9%A1",
        "-0",
        "01",
        "1;",
        "1%00",
        "1%00%00",
        "%001",
        "1%00x",
        "1%20%00",
        "1%00%20",
        "+1%00",
        "1%0b",
        "1%c2%a0",
        "1&NEGOTIATEVERSION=1",
    ] {
        requests.push(format!(
            "POST /signalRHub/negotiate?negotiateVersion={version}"
        ));
    }
    for asked in [
        "true",
        "True",
        "1",
        "yes",
        "TRUE",
        "%20true",
        "true%20",
        "false",
        "",
        "true&useStatefulReconnect=false",
        "true&useStatefulReconnect=true",
    ] {
        requests.push(format!(
            "POST /signalRHub/negotiate?negotiateVersion=1&useStatefulReconnect={asked}"
        ));
    }
    for method in [
        "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO", "POST", "post", "Get",
    ] {
        for target in [
            "/signalRHub/negotiate",
            "/signalRHub",
            "/signalRHub?id=nope",
            "/signalRHub?ID=",
            "/nowhere",
        ] {
            requests.push(format!("{method} {target}"));
            requests.push(format!("{method} {target}\nOrigin: https://a.example"));
        }
    }
    for path in [
        "/signalR%48ub/negotiate",
        "//signalRHub/negotiate",
        "/signalRHub//negotiate",
        "/x/../signalRHub/negotiate",
        "/./signalrhub/negotiate",
        "/signalRHub/negotiate/",
        "/signalRHub/negotiate//",
        "/signalRHub/negotiate/x",
        "/signalRHub/x",
        "/signalRHub/",
        "/signalRHub%2fnegotiate",
        "/%zz",
        "/%00",
        "/%",
        "/a%20b",
        "/\u{fc}",
        "/%c3%bc",
        "/%ff",
        "/..",
        "/signalRHub/negotiate/.",
        "/signalRHub/x/..",
        "/signalRHub/negotiate%3F/x",
        "/signalRHub/negotiate%3Fa",
        "/signalRHub/negotiate%23a",
        "/signalRHub/negotiate%253F",
        "/signalRHub%252fnegotiate",
    ] {
        requests.push(format!("POST {path}"));
    }
    requests.push(format!("GET /{}", "a".repeat(8166)));
    requests.push(format!("GET /{}", "a".repeat(8300)));
    for headers in [
        "Host: two",
        "X Y: z",
        "Expect: 100-continue",
        "Connection: close",
        "Cookie: a=b; c=d",
        "Content-Type: application/json",
        "Origin: null",
        "Origin:",
        "X-Requested-With: XMLHttpRequest",
    ] {
        requests.push(format!(
            "POST /signalRHub/negotiate?negotiateVersion=1\n{headers}"
        ));
    }
    requests.push(format!("GET /x\nX: {}", "a".repeat(33_000)));
    for accept in [
        EVENTS,
        "Text/Event-Stream",
        "text/event-stream;q=0.5",
        "text/*",
        "*/*",
        "application/json, text/event-stream",
        "text/event-streams",
        "",
    ] {
        requests.push(format!("GET /signalRHub?id=nope\nAccept: {accept}"));
    }
    for (name, other) in [
        ("", ""),
        ("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        ("Connection: Upgrade", "Connection: close"),
        ("websocket", "WebSocket"),
        ("websocket", "h2c"),
        ("13", "8"),
        ("13", "13, 8"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "abc"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!=="),
        ("dGhlIHNhbXBsZSBub25jZQ==", ""),
        ("Version: 13", "Version: 13\nSec-WebSocket-Protocol: a, b"),
        (
            "Version: 13",
            "Version: 13\nSec-WebSocket-Extensions: permessage-deflate",
        ),
        ("Version: 13", "Version: 13\nOrigin: https://a.example"),
        ("Version: 13", "Version: 13\nAccept: text/event-stream"),
        ("Version: 13", "Version: 13\nSec-WebSocket-Version: 13"),
        (
            "Version: 13",
            "Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
        ("Version: 13", "Version: 13\nTransfer-Encoding: chunked"),
    ] {
        let upgrade = UPGRADE.replace(name, if name.is_empty() { "" } else { other });
        let upgrade = if name.is_empty() {
            UPGRADE.to_owned()
        } else {
            upgrade
        };
        for target in [
            "/signalRHub",
            "/signalRHub/",
            "/signalRHub?id=nope",
            "/signalRHub?id=",
            "/SIGNALRHUB",
        ] {
            requests.push(format!("GET {target}\n{upgrade}"));
        }
        requests.push(format!("POST /signalRHub\n{upgrade}"));
    }
    for asked in [
        "Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: x-a, X-B",
        "Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: a, b\nAccess-Control-Request-Headers: c",
        "Access-Control-Request-Method: DELETE",
        "X: y",
    ] {
        for path in ["/signalRHub/negotiate", "/signalRHub", "/nowhere"] {
            requests.push(format!(
                "OPTIONS {path}\nOrigin: https://a.example\n{asked}"
            ));
        }
    }
    requests
}

/// What must be alike: all but dates, ids, and how a body is delimited.
fn comparable(answer: Answer) -> (u16, Vec<(String, String)>, Value) {
    const OTHERWISE: [&str; 6] = [
        "date",
        "server",
        "content-length",
        "transfer-encoding",
        "sec-websocket-accept",
        "keep-alive",
    ];
    let headers = answer
        .headers
        .into_iter()
        .filter(|(name, _)| !OTHERWISE.contains(&name.as_str()));
    let headers = headers
        .map(|(name, value)| {
            if name == "connection" {
                (name, value.to_ascii_lowercase())
            } else {
                (name, value)
            }
        })
        .collect();
    let mut body = serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::from(answer.body));
    for id in ["connectionId", "connectionToken"] {
        if let Some(id) = body.get_mut(id) {
            *id = id.as_str().map_or(0, str::len).into();
        }
    }
    (answer.status, headers, body)
}

#[test]
#[ignore = "needs the .NET peer: run tests/run"]
fn requests_are_answered_as_kestrel_answers_them() {
    if !has(
        "requests_are_answered_as_kestrel_answers_them",
        &[Part::Peer],
    ) {
        return;
    }
    let ours = Hub::embedded(&[]);
    let (_program, theirs) = refhub(None, None);
    let whole = |request: String| {
        let (line, headers) = request.split_once('\n').unwrap_or((&request, ""));
        let headers: String = headers
            .split('\n')
            .filter(|header| !header.is_empty())
            .map(|header| format!("{header}\r\n"))
            .collect();
        format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 0\r\n\r\n")
    };
    let mut requests: Vec<_> = requests().into_iter().map(whole).collect();
    requests.extend([
        "GET /x HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET http://localhost:80/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://localhost/x HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        "GET http://localhost:81/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET https://localhost:443/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http://localhost:443/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://LOCALHOST/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http://localhost/x HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n", "POST /signalRHub/negotiate HTTP/1.0\r\nHost: x\r\n\r\n",
        "GET http://localhost/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://localhost/x HTTP/1.1\r\nHost: other\r\n\r\n", "hello\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a:x\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a:\r\n\r\n", "GET /x HTTP/1.1\r\nHost: :1\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "POST /signalRHub/negotiate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /signalRHub/negotiate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "GET /x HTTP/1.1\r\nHost : a\r\n\r\n", "\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    ].map(str::to_owned));
    let mut differences = Vec::new();
    for request in &requests {
        let [ours, theirs] =
            [ours.address(), &theirs].map(|address| comparable(http(address, request.as_bytes())));
        if ours != theirs {
            differences.push(format!(
                "{:.200}\n  ours {ours:?}\n  .NET {theirs:?}",
                format!("{request:?}")
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    eprintln!(
        "{} requests answered as Kestrel answers them",
        requests.len()
    );
}
