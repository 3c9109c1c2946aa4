//! `rehost`: before and after, in every kind of client.

use super::bare::json;
use super::checkouts::{new_layout, old_layout};
use crate::harness::program::{Hub, harmony, run, text};
use crate::harness::raw::http;
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::io::Read;
use std::process::Command;

const CLIENT: &str = "src/Web/Harmony.Client/wwwroot/appsettings.json";
const PRODUCTION: &str = "src/Web/Harmony.Client/wwwroot/appsettings.Production.json";
const GATEWAY: &str = "src/ApiGateways/Harmony.ApiGateway/ocelot.json";

fn rehost(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = harmony(folder.path());
    command.arg("rehost").args(arguments);
    command
}

#[test]
fn in_the_old_layout_the_clients_own_key_changes_in_every_environment() {
    let folder = Folder::new();
    old_layout(&folder);
    let before = folder.read(CLIENT);
    let answer = json(&mut rehost(
        &folder,
        &["https://hub.example.com/signalRHub/", "--no-check"],
    ));
    assert_eq!(
        (&answer["changes"], &answer["url"]),
        (&2.into(), &"https://hub.example.com".into())
    );
    let after = before.replace("https://localhost:7262", "https://hub.example.com");
    assert_eq!(
        [folder.read(CLIENT), folder.read(PRODUCTION)],
        [after.clone(), after]
    );
    assert_eq!(
        json(&mut rehost(
            &folder,
            &["https://hub.example.com", "--no-check"]
        ))["changes"],
        0
    );
}

#[test]
fn in_the_new_layout_the_gateways_route_changes_or_the_gateways_address() {
    let folder = Folder::new();
    new_layout(&folder);
    let (client, gateway) = (folder.read(CLIENT), folder.read(GATEWAY));
    json(&mut rehost(
        &folder,
        &["http://[2001:db8::7]:9000/", "--no-check"],
    ));
    assert_eq!(folder.read(CLIENT), client);
    let routed = gateway.replace("wss", "ws").replace(
        "\"localhost\",\n          \"Port\": 7262",
        "\"[2001:db8::7]\",\n          \"Port\": 9000",
    );
    assert_eq!(folder.read(GATEWAY), routed);
    json(&mut rehost(
        &folder,
        &["https://gate.example.com", "--gateway", "--no-check"],
    ));
    assert_eq!(folder.read(GATEWAY), routed);
    assert_eq!(
        folder.read(CLIENT),
        client.replace("https://localhost:7108", "https://gate.example.com")
    );
}

#[test]
fn a_published_clients_compressed_twins_are_made_anew() {
    let folder = Folder::new();
    let text = "\u{feff}{\n  \"signalrHostUrl\": \"https://localhost:7262\"\n}";
    folder.write("site/wwwroot/appsettings.json", text);
    for ending in ["br", "gz"] {
        folder.write(&format!("site/wwwroot/appsettings.json.{ending}"), "stale");
    }
    let answer = json(&mut rehost(
        &folder,
        &[
            "https://xn--hb-eka.example",
            "--client",
            "site",
            "--no-check",
        ],
    ));
    assert_eq!(answer["changes"], 3, "{answer}");
    let after = folder.read("site/wwwroot/appsettings.json");
    assert_eq!(
        after,
        text.replace("https://localhost:7262", "https://xn--hb-eka.example")
    );
    let twin = |ending: &str| {
        std::fs::read(
            folder
                .path()
                .join(format!("site/wwwroot/appsettings.json.{ending}")),
        )
        .expect("a twin")
    };
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(twin("gz").as_slice())
        .read_to_string(&mut unpacked)
        .expect("gzip");
    assert_eq!(unpacked, after);
    unpacked.clear();
    brotli::Decompressor::new(twin("br").as_slice(), 4096)
        .read_to_string(&mut unpacked)
        .expect("brotli");
    assert_eq!(unpacked, after);
    assert_eq!(
        json(&mut rehost(
            &folder,
            &[
                "https://xn--hb-eka.example",
                "--client",
                "site",
                "--no-check"
            ]
        ))["changes"],
        0
    );
}

#[test]
fn what_is_no_hub_is_not_written_down() {
    let folder = Folder::new();
    old_layout(&folder);
    let before = folder.read(CLIENT);
    let url = format!("http://127.0.0.1:{}", free_port());
    let output = run(rehost(&folder, &[&url]).arg("--json"));
    let error: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (output.status.code(), &error["error"]["code"]),
        (Some(5), &"notAHub".into())
    );
    assert_eq!(folder.read(CLIENT), before);
    let hub = Hub::embedded(&[]);
    assert_eq!(json(&mut rehost(&folder, &[&hub.url]))["changes"], 2);
    for bad in [
        "ftp://x",
        "nonsense",
        "http://u:p@x",
        "http://x/?q=1",
        "http://x:0",
    ] {
        assert_eq!(
            run(&mut rehost(&folder, &[bad, "--no-check"]))
                .status
                .code(),
            Some(2),
            "{bad}"
        );
    }
}

#[test]
fn a_plain_hub_for_a_secure_page_is_warned_of() {
    let folder = Folder::new();
    old_layout(&folder);
    let output = run(&mut rehost(
        &folder,
        &["http://hub.example.com", "--no-check"],
    ));
    assert!(
        text(&output.stderr).contains("warning: the client is served over HTTPS"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_route_inside_harmonys_compose_file_follows_where_that_gateway_can_reach_the_hub() {
    const DOCKER: &str = "src/ApiGateways/Harmony.ApiGateway/ocelot.docker.json";
    let folder = Folder::new();
    new_layout(&folder);
    let before = folder.read(GATEWAY).replace(
        "\"localhost\",\n          \"Port\": 7262",
        "\"harmony-signalr\",\n          \"Port\": 443",
    );
    folder.write(DOCKER, &before);
    json(&mut rehost(
        &folder,
        &["https://hub.example.com:8443/signalrhub", "--no-check"],
    ));
    assert_eq!(
        folder.read(DOCKER),
        before
            .replace("harmony-signalr", "hub.example.com")
            .replace("443", "8443")
    );
    let moved = folder.read(DOCKER);
    json(&mut rehost(
        &folder,
        &["http://localhost:7999", "--no-check"],
    ));
    assert_eq!(
        folder.read(DOCKER),
        moved,
        "inside a container localhost is another machine"
    );
    assert!(folder.read(GATEWAY).contains("7999"));
}

#[test]
fn an_international_name_goes_in_as_browsers_write_it() {
    let folder = Folder::new();
    old_layout(&folder);
    json(&mut rehost(
        &folder,
        &["https://hüb.example:8443/", "--no-check"],
    ));
    assert!(
        folder
            .read(CLIENT)
            .contains("\"https://xn--hb-xka.example:8443\""),
        "{}",
        folder.read(CLIENT)
    );
}

#[test]
fn origins_that_are_named_are_the_only_pages_that_the_hub_lets_in() {
    let folder = Folder::new();
    old_layout(&folder);
    let named = "https://kanban.example.com/board,HTTP://B.example:8080/";
    let arguments = [
        "https://hub.example.com",
        "--no-check",
        "--origins",
        named,
        "--environment",
        "Production",
    ];
    json(&mut rehost(&folder, &arguments));
    assert_eq!(json(&mut rehost(&folder, &arguments))["changes"], 0);
    let settings = folder.path().join("src/Web/Harmony.SignalR");
    let hub = Hub::embedded(&["--settings", settings.to_str().expect("text")]);
    let negotiate = |origin: &str| {
        let request = format!(
            "POST /signalRHub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\n\
             Origin: {origin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        http(hub.address(), request.as_bytes()).status
    };
    for (origin, expected) in [
        ("https://kanban.example.com", 200),
        ("http://b.example:8080", 200),
        ("http://b.example", 403),
        ("https://evil.example", 403),
    ] {
        assert_eq!(negotiate(origin), expected, "{origin}");
    }

    for wrong in ["kanban.example.com", "ftp://kanban.example.com"] {
        let refused = run(&mut rehost(
            &folder,
            &["https://hub.example.com", "--no-check", "--origins", wrong],
        ));
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
    }
    json(&mut rehost(
        &folder,
        &["https://hub.example.com", "--no-check", "--origins", "*"],
    ));
    assert!(
        folder
            .read("src/Web/Harmony.SignalR/appsettings.json")
            .contains("\"Origins\": \"*\"")
    );
}
