//! `doctor` names what is broken, each with its cure.

use super::bare::{Down, bare, json};
use super::checkouts::old_layout;
use crate::harness::parts::{Part, has};
use crate::harness::program::{harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::net::TcpListener;
use std::process::Command;

#[test]
fn doctor_says_what_would_not_work_and_how_to_mend_it() {
    let folder = Folder::new();
    let broken = "{ \"BrokerConfiguration\": { \"Port\": 99999 } }";
    folder.write("harmony/Harmony.SignalR/appsettings.json", broken);
    let diagnosis = |command: &mut Command| {
        let output = run(command.arg("--json"));
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
        (output.status.code(), answer)
    };
    let failed = |answer: &Value| {
        let checks = answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter(|check| check["status"] == "failed");
        checks
            .map(|check| {
                (
                    check["name"].clone(),
                    check["message"].as_str().expect("a message").to_owned(),
                    check["fix"].as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let (code, answer) = diagnosis(&mut bare(&folder, &["doctor"]));
    assert_eq!(code, Some(1));
    assert!(
        failed(&answer)
            .iter()
            .any(|(name, message, fix)| name == "value"
                && message.contains("99999")
                && !fix.is_empty()),
        "{answer}"
    );

    folder.write("harmony/Harmony.SignalR/appsettings.json", "{ broken");
    let (code, answer) = diagnosis(&mut bare(&folder, &["doctor"]));
    assert_eq!(code, Some(1));
    assert!(
        failed(&answer).iter().any(|(name, ..)| name == "settings"),
        "{answer}"
    );

    folder.write("harmony/Harmony.SignalR/appsettings.json", "{}");
    let thief = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "{{ \"signalrHostUrl\": \"http://localhost:{}\" }}",
        thief.local_addr().expect("an address").port()
    );
    folder.write("harmony/Harmony.Client/wwwroot/appsettings.json", &url);
    let (code, answer) =
        diagnosis(bare(&folder, &["doctor"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock"));
    assert_eq!(code, Some(6));
    let failures = failed(&answer);
    assert!(
        failures
            .iter()
            .any(|(name, message, _)| name == "hub" && message.contains("uses its port")),
        "{answer}"
    );
    assert!(
        failures
            .iter()
            .any(|(name, message, _)| name == "engine"
                && message.contains("/nonexistent/docker.sock")),
        "{answer}"
    );

    let in_the_way = folder.write("in-the-way", "");
    let (code, answer) = diagnosis(bare(&folder, &["doctor"]).env("XDG_STATE_HOME", in_the_way));
    assert_eq!(code, Some(1));
    assert!(
        failed(&answer).iter().any(|(name, ..)| name == "own files"),
        "{answer}"
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn doctor_names_what_is_broken_and_its_cure() {
    const TEST: &str = "doctor_names_what_is_broken_and_its_cure";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let failures = |folder: &Folder, variables: &[(&str, &str)]| {
        let output = run(harmony(folder.path())
            .args(["doctor", "--json"])
            .envs(variables.iter().copied()));
        let expected = if variables.is_empty() { 1 } else { 6 };
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{}",
            text(&output.stdout)
        );
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let failed: Vec<_> = answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter(|check| check["status"] == "failed")
            .cloned()
            .collect();
        for check in &failed {
            eprintln!(
                "{}: {} -> {}",
                check["name"], check["message"], check["fix"]
            );
            assert!(
                !check["fix"].as_str().unwrap_or_default().is_empty(),
                "{check}"
            );
        }
        failed
            .iter()
            .map(|check| {
                (
                    check["name"].as_str().expect("a name").to_owned(),
                    check["message"].as_str().expect("words").to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let has_failure = |found: &[(String, String)], name: &str, words: &str| {
        assert!(
            found
                .iter()
                .any(|(known, message)| known == name && message.contains(words)),
            "{name} ({words}) is not in {found:?}"
        );
    };
    let checkout = || {
        let folder = Folder::new();
        old_layout(&folder);
        folder
    };

    eprintln!("-- no Docker where DOCKER_HOST says");
    let folder = checkout();
    has_failure(
        &failures(&folder, &[("DOCKER_HOST", "unix:///nowhere/docker.sock")]),
        "engine",
        "/nowhere/docker.sock",
    );

    eprintln!("-- settings that can't be read");
    let folder = checkout();
    folder.write(
        "src/Web/Harmony.SignalR/appsettings.json",
        "{\n  \"RedisConnectionString\": \n}",
    );
    has_failure(&failures(&folder, &[]), "settings", "appsettings.json:3:1");

    eprintln!("-- a certificate that is not there");
    let folder = checkout();
    let path = "src/Web/Harmony.SignalR/appsettings.json";
    let text = folder.read(path);
    folder.write(path, &text.replacen('{', "{ \"Kestrel\": { \"Certificates\": { \"Default\": { \"Path\": \"gone.pfx\", \"Password\": \"x\" } } },", 1));
    has_failure(&failures(&folder, &[]), "certificate", "gone.pfx");

    eprintln!("-- the hub's port is held by another");
    let folder = checkout();
    let thief = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = thief.local_addr().expect("an address").port();
    for name in ["appsettings.json", "appsettings.Production.json"] {
        folder.write(
            &format!("src/Web/Harmony.Client/wwwroot/{name}"),
            &format!("{{ \"signalrHostUrl\": \"http://localhost:{port}\" }}"),
        );
    }
    has_failure(
        &failures(&folder, &[]),
        "hub",
        &format!("uses its port {port}"),
    );

    eprintln!("-- the hub froze");
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let up = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let pid = rustix::process::Pid::from_raw(
        i32::try_from(up["hub"]["pid"].as_i64().expect("a pid")).expect("a pid"),
    )
    .expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("a signal");
    let found = failures(&folder, &[]);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("a signal");
    has_failure(&found, "hub", "does not respond");
}
