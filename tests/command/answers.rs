//! What `--record-answers` keeps: every answer, and no secret.

use crate::harness::program::{harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::{Value, json};

const SECRETS: [(&str, &str); 6] = [
    ("BrokerConfiguration:Password", "hunter-1"),
    ("RedisConnectionString", "localhost:6379,password=hunter-2"),
    (
        "ConnectionStrings:Redis",
        "localhost:6379,password=hunter-3",
    ),
    ("Jwt:Key", "hunter-4"),
    ("Proxy:Address", "http://me:hunter-5@proxy:3128"),
    ("Serilog:Properties:ApiKey", "hunter-6"),
];

/// Answers with these settings, recorded by an `up` that asks for a confirmation and gets none.
fn record(folder: &Folder, settings: &Value) -> (Value, String) {
    folder.write("given.json", &json!({ "settings": settings }).to_string());
    let url = format!("http://localhost:{}", free_port());
    let output = run(harmony(folder.path()).args([
        "up",
        "--redis=none",
        "--rabbitmq=embedded",
        "--answers=given.json",
        "--record-answers=recorded.json",
        "--hub-url",
        &url,
    ]));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let recorded = serde_json::from_str(&folder.read("recorded.json")).expect("JSON");
    (recorded, said)
}

#[test]
fn secret_settings_are_left_out_and_named() {
    let folder = Folder::new();
    let mut settings = json!({
        "DetailedErrors": true,
        "BrokerConfiguration:Host": "rabbit",
        "BrokerConfiguration:Username": null,
        "Jwt:LifetimeMinutes": 5,
        "Credentials:Pin": 7_355_608,
        "Mail": { "Password": "hunter-7" },
    });
    for (key, secret) in SECRETS {
        settings[key] = secret.into();
    }
    let (recorded, said) = record(&folder, &json!({ "Harmony.SignalR": settings }));
    assert_eq!(
        recorded["settings"],
        json!({ "Harmony.SignalR": {
            "DetailedErrors": true,
            "BrokerConfiguration:Host": "rabbit",
            "BrokerConfiguration:Username": null,
            "Jwt:LifetimeMinutes": 5,
        }})
    );
    let left_out = SECRETS.map(|(key, _)| key);
    for key in left_out.into_iter().chain(["Credentials:Pin", "Mail"]) {
        let warning = format!("leaves out the secret {key} of Harmony.SignalR");
        assert!(said.contains(&warning), "{key}: {said}");
    }
    assert!(!said.contains("hunter"), "{said}");
}

#[test]
fn settings_without_secrets_are_recorded_as_they_are() {
    let folder = Folder::new();
    let settings = json!({
        "Harmony.Client": { "Theme": "dark" },
        "Harmony.SignalR": {
            "RedisConnectionString": "localhost:6379,ssl=true",
            "BrokerConfiguration:Password": null,
        },
    });
    let (recorded, said) = record(&folder, &settings);
    assert_eq!(recorded["settings"], settings);
    assert!(!said.contains("leaves out"), "{said}");
}

#[test]
fn an_application_with_nothing_but_secrets_is_left_out() {
    let folder = Folder::new();
    let settings = json!({ "Harmony.SignalR": { "BrokerConfiguration:Password": "hunter-1" } });
    let (recorded, _) = record(&folder, &settings);
    assert_eq!(recorded.get("settings"), None, "{recorded}");
}
