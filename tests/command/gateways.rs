//! `rehost` on Ocelot files as people have them: every route to the hub moves, and no other.

use super::checkouts::new_layout;
use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use serde_json::{Value, json};

const CLIENT: &str = "src/Web/Harmony.Client/wwwroot/appsettings.json";
const GATEWAY: &str = "src/ApiGateways/Harmony.ApiGateway/ocelot.json";
const URL: &str = "https://hub.example.com:8443";

/// Runs `rehost` on a gateway's file; the code, what it says, and the file afterwards.
fn rehosted(gateway: &Value, url: &str) -> (Option<i32>, Value, Value) {
    let folder = Folder::new();
    new_layout(&folder);
    folder.write(GATEWAY, &format!("{gateway:#}"));
    let client = folder.read(CLIENT);
    let output = run(harmony(folder.path()).args(["--json", "rehost", url, "--no-check"]));
    let said = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    assert_eq!(folder.read(CLIENT), client, "it reads gatewayUrl only");
    let after = serde_json::from_str(&folder.read(GATEWAY)).expect("JSON");
    (output.status.code(), said, after)
}

fn route(upstream: &str, scheme: &str, servers: Value) -> Value {
    json!({
        "UpstreamPathTemplate": upstream,
        "DownstreamPathTemplate": upstream,
        "DownstreamScheme": scheme,
        "DownstreamHostAndPorts": servers,
    })
}

fn old() -> Value {
    json!([{ "Host": "localhost", "Port": 7262 }])
}

fn new() -> Value {
    json!([{ "Host": "hub.example.com", "Port": 8443 }])
}

fn gateway(routes: &[Value]) -> Value {
    json!({ "Routes": routes, "GlobalConfiguration": { "BaseUrl": "https://localhost:7108" } })
}

#[test]
fn every_route_to_the_hub_moves_and_keeps_its_kind() {
    let api = || {
        route(
            "/api/{everything}",
            "https",
            json!([{ "Host": "localhost", "Port": 7094 }]),
        )
    };
    let stats = || route("/signalRHubStats/{x}", "http", old());
    let all = || {
        route(
            "/{everything}",
            "https",
            json!([{ "Host": "localhost", "Port": 1 }]),
        )
    };
    let hub = |scheme: &str, servers: Value| route("/signalRHub/{everything}", scheme, servers);
    let cases = [
        (
            vec![api(), hub("wss", old())],
            vec![api(), hub("wss", new())],
        ),
        (
            vec![
                route("/signalRHub/negotiate", "https", old()),
                route("/signalRHub", "ws", old()),
            ],
            vec![
                route("/signalRHub/negotiate", "https", new()),
                route("/signalRHub", "wss", new()),
            ],
        ),
        (
            vec![stats(), hub("wss", old())],
            vec![stats(), hub("wss", new())],
        ),
        (
            vec![hub(
                "wss",
                json!([{ "Host": "a", "Port": 1 }, { "Host": "b", "Port": 2 }, { "Host": "c", "Port": 3 }]),
            )],
            vec![hub("wss", new())],
        ),
        (vec![hub("http", json!([]))], vec![hub("https", new())]),
        (
            vec![all(), hub("wss", old())],
            vec![all(), hub("wss", new())],
        ),
        (
            vec![route("/SIGNALRHUB/{x}", "WSS", old())],
            vec![route("/SIGNALRHUB/{x}", "wss", new())],
        ),
    ];
    for (before, after) in cases {
        let (code, said, file) = rehosted(&gateway(&before), URL);
        assert_eq!((code, file), (Some(0), gateway(&after)), "{said}");
    }
}

#[test]
fn older_names_other_cases_and_paths_are_followed() {
    let (code, _, file) = rehosted(
        &json!({ "ReRoutes": [route("/signalRHub/{x}", "ws", old())] }),
        URL,
    );
    assert_eq!(
        (code, file),
        (
            Some(0),
            json!({ "ReRoutes": [route("/signalRHub/{x}", "wss", new())] })
        )
    );
    let lower = json!({ "routes": [{
        "upstreampathtemplate": "/signalRHub/{x}",
        "downstreampathtemplate": "/signalRHub/{x}",
        "downstreamscheme": "wss",
        "downstreamhostandports": [{ "host": "localhost", "port": 7262 }],
    }] });
    let (code, _, file) = rehosted(&lower, "http://10.0.0.1:99/hubs/a/");
    let moved = json!({ "routes": [{
        "upstreampathtemplate": "/signalRHub/{x}",
        "downstreampathtemplate": "/hubs/a/signalRHub/{x}",
        "downstreamscheme": "ws",
        "downstreamhostandports": [{ "host": "10.0.0.1", "port": 99 }],
    }] });
    assert_eq!((code, &file), (Some(0), &moved));
    let (_, _, back) = rehosted(&file, "https://localhost:7262");
    assert_eq!(back, lower, "a path goes as it came");
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let mut discovered = route("/signalRHub/{x}", "wss", json!([]));
    discovered["ServiceName"] = "hub-service".into();
    let mut elsewhere = route("/signalRHub/{x}", "wss", old());
    elsewhere["DownstreamPathTemplate"] = "/live/{x}".into();
    for (routes, url, name) in [
        (vec![discovered], URL, "hub-service"),
        (
            vec![route("/{everything}", "https", old())],
            URL,
            "/{everything}",
        ),
        (
            vec![route("/{service}/{everything}", "https", old())],
            URL,
            "/{service}/{everything}",
        ),
        (vec![elsewhere], "https://h/path", "/signalRHub/{x}"),
        (
            vec![route("/signalRHubStats/{x}", "http", old())],
            URL,
            "no route leads to the hub",
        ),
    ] {
        let before = gateway(&routes);
        let (code, said, file) = rehosted(&before, url);
        assert_eq!((code, &file), (Some(1), &before), "{said}");
        assert!(
            said["error"]["message"].to_string().contains(name),
            "{said}"
        );
    }
}
