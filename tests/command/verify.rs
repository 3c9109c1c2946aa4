//! `verify` through real proxies: what works is proven, what does not is named with its fix.

use super::bare::{Down, bare, json};
use crate::harness::parts::{Part, has};
use crate::harness::program::{harmony, run, text};
use crate::harness::proxies::Proxy;
use crate::harness::{Folder, free_port};
use serde_json::Value;

const FORWARD: &str = "proxy_pass http://hubs; proxy_http_version 1.1;\n\
    proxy_set_header Host $host;";
const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade;\n\
    proxy_set_header Connection $wanted_connection;";

/// A hub that runs, brought up in a folder; its `host:port`.
fn hub(folder: &Folder) -> String {
    let address = format!("localhost:{}", free_port());
    let url = format!("http://{address}");
    json(&mut bare(folder, &["up", "--yes", "--hub-url", &url]));
    address
}

fn location(lines: &str) -> String {
    format!(
        "set $wanted_connection $http_connection;\nlocation /signalRHub {{\n{FORWARD}\n{lines}\n}}\n\
         location / {{ default_type text/html; return 200 '<html>Harmony</html>'; }}"
    )
}

/// What `verify` says of a URL: its exit code and its report.
fn verified(folder: &Folder, url: &str, more: &[&str]) -> (Option<i32>, Value) {
    let output = run(harmony(folder.path())
        .args(["verify", "--json", "--timeout", "5s", "--url", url])
        .args(more));
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    (output.status.code(), report)
}

/// What each transport ended with: `received`, or why it failed with the fix.
fn ends(report: &Value) -> Vec<(String, String)> {
    let all = report["instances"].as_array().expect("instances");
    all.iter()
        .map(|one| {
            let transport = one["transport"].as_str().unwrap_or("direct").to_owned();
            let said = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            let end = match one["heard"] == true {
                true => "received".to_owned(),
                false => format!("{} => {}", said("why"), said("fix")),
            };
            (transport, end)
        })
        .collect()
}

fn end<'e>(ends: &'e [(String, String)], transport: &str) -> &'e str {
    let found = ends.iter().find(|(name, _)| name == transport);
    &found
        .unwrap_or_else(|| panic!("no {transport}: {ends:?}"))
        .1
}

const ALL: [&str; 4] = ["direct", "WebSockets", "ServerSentEvents", "LongPolling"];

#[test]
#[ignore = "needs nginx and haproxy: run tests/run"]
fn every_transport_is_proven_through_proxies_that_are_set_up_well() {
    if !has(
        "every_transport_is_proven_through_proxies_that_are_set_up_well",
        &[Part::Nginx, Part::HaProxy],
    ) {
        return;
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let hub = hub(&folder);
    let good = location(&format!("{UPGRADE}\nproxy_buffering off;"));
    for proxy in [
        Proxy::nginx(&[&hub], &good),
        Proxy::haproxy(
            &[&hub],
            "  timeout client 60s\n  timeout server 60s\n  timeout tunnel 1h",
            "",
        ),
    ] {
        let (code, report) = verified(&folder, &proxy.url, &["--hold", "0s"]);
        let ends = ends(&report);
        for transport in ALL {
            assert_eq!(end(&ends, transport), "received", "{report}");
        }
        assert_eq!((code, &report["ok"]), (Some(0), &Value::Bool(true)));
        assert_eq!(ends.len(), 4, "CORS is open: {report}");
    }
}

#[test]
#[ignore = "needs nginx: run tests/run"]
fn what_a_proxy_lacks_is_named_with_its_fix() {
    if !has("what_a_proxy_lacks_is_named_with_its_fix", &[Part::Nginx]) {
        return;
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let hub = hub(&folder);
    let broken = |server: &str, more: &[&str]| {
        let proxy = Proxy::nginx(&[&hub], server);
        let (code, report) = verified(&folder, &proxy.url, more);
        assert_eq!(code, Some(1), "{report}");
        assert_eq!(report["ok"], false);
        ends(&report)
    };
    let none = ["--hold", "0s"];

    let no_upgrade = broken(&location("proxy_buffering off;"), &none);
    for transport in ["direct", "WebSockets"] {
        let said = end(&no_upgrade, transport);
        assert!(
            said.contains("Upgrade") && said.contains("proxy_set_header Upgrade"),
            "{said}"
        );
    }
    for transport in ["ServerSentEvents", "LongPolling"] {
        assert_eq!(end(&no_upgrade, transport), "received");
    }

    // As nginx comes: HTTP/1.0 to the hub, so that nothing says where a message ends.
    let held = "location /signalRHub { proxy_pass http://hubs; \
                proxy_ignore_headers X-Accel-Buffering; }";
    let buffered = broken(held, &none);
    let said = end(&buffered, "ServerSentEvents");
    assert!(said.contains("proxy_buffering off"), "{said}");

    let no_route = broken(
        "location / { default_type text/html; return 200 '<html>Harmony</html>'; }",
        &none,
    );
    let missing = broken("location / { return 404; }", &none);
    for transport in ALL {
        for found in [&no_route, &missing] {
            let said = end(found, transport);
            assert!(said.contains("UpstreamPathTemplate /signalRHub"), "{said}");
        }
    }

    let impatient = location(&format!(
        "{UPGRADE}\nproxy_buffering off;\nproxy_read_timeout 1s;"
    ));
    let cut = broken(&impatient, &["--hold", "10s"]);
    for transport in ["direct", "WebSockets"] {
        let said = end(&cut, transport);
        assert!(
            said.contains("of silence") && said.contains("proxy_read_timeout"),
            "{said}"
        );
    }

    let closed = location(&format!(
        "{UPGRADE}\nproxy_buffering off;\nproxy_hide_header Access-Control-Allow-Origin;"
    ));
    let page = ["--hold", "0s", "--origin", "https://board.example.com"];
    let cors = broken(&closed, &page);
    let said = end(&cors, "CORS");
    assert!(
        said.contains("https://board.example.com") && said.contains("Cors:Origins"),
        "{said}"
    );

    let gone = Proxy::nginx(&[&format!("127.0.0.1:{}", free_port())], &location(UPGRADE));
    let (_, report) = verified(&folder, &gone.url, &none);
    let said = end(&ends(&report), "direct").to_owned();
    assert!(
        said.contains("502") && said.contains("nginx") && said.contains("proxy_pass"),
        "{said}"
    );
}

#[test]
#[ignore = "needs haproxy: run tests/run"]
fn clients_that_are_spread_over_hubs_need_sticky_sessions() {
    if !has(
        "clients_that_are_spread_over_hubs_need_sticky_sessions",
        &[Part::HaProxy],
    ) {
        return;
    }
    let (folder, other) = (Folder::new(), Folder::new());
    let _down = (Down(&folder, vec![]), Down(&other, vec![]));
    let hubs = [hub(&folder), hub(&other)];
    let defaults = "  timeout client 60s\n  timeout server 60s\n  timeout tunnel 1h";
    let spread = Proxy::haproxy(&[&hubs[0], &hubs[1]], defaults, "  balance roundrobin");
    let (_, report) = verified(&folder, &spread.url, &["--hold", "0s"]);
    let said = end(&ends(&report), "LongPolling").to_owned();
    assert!(said.contains("sticky sessions"), "{report}");
}

#[test]
fn a_refused_connection_is_called_one() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    hub(&folder);
    let away = format!("http://127.0.0.1:{}", free_port());
    let output = run(harmony(folder.path()).args(["verify", &away]));
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("cannot connect") && said.contains("nothing listens there"),
        "{said}"
    );
    assert!(!said.contains("connection ended"), "{said}");
    let report = json_of(&folder, &["verify", &away, "--json"]);
    assert!(report["hops"][0]["why"].is_string(), "{report}");
    assert_eq!(report["instances"][0]["heard"], false);
}

#[test]
fn another_hubs_url_can_be_checked_without_settings() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let _down = Down(&folder, vec![]);
    let hub = hub(&folder);
    let url = format!("http://{hub}");
    let arguments = ["verify", "--url", &url, "--hold", "0s"];
    let output = run(harmony(elsewhere.path()).args(arguments));
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("No notification was sent"), "{said}");
}

fn json_of(folder: &Folder, arguments: &[&str]) -> Value {
    let output = run(harmony(folder.path()).args(arguments));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}
