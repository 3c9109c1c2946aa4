//! Rules that hold for several commands alike: an engine that cannot be asked, pending changes, -q.

use super::bare::{Down, bare, json};
use crate::harness::parts::{Part, has};
use crate::harness::program::{harmony, run, text};
use crate::harness::terminal::{Shape, Terminal};
use crate::harness::{Folder, free_port, unique};
use serde_json::Value;
use std::os::unix::net::UnixListener;

const NOWHERE: &str = "unix:///nonexistent/docker.sock";

/// Runs a command where Docker is configured and not there; its exit code and output.
fn without_engine(folder: &Folder, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(harmony(folder.path())
        .args(arguments)
        .arg("--json")
        .env("DOCKER_HOST", NOWHERE));
    let first = text(&output.stdout);
    let value = serde_json::from_str(&first)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {first}{}", text(&output.stderr)));
    (output.status.code(), value)
}

#[test]
fn five_commands_say_the_same_of_an_engine_that_cannot_be_asked() {
    let folder = Folder::new();
    folder.write(
        "home/.local/state/harmony/harmony/state.json",
        "{ \"redis\": \"container\", \"rabbitmq\": \"container\" }",
    );
    let mut said = Vec::new();
    for arguments in [
        vec!["up", "--yes"],
        vec!["down"],
        vec!["status"],
        vec!["logs"],
    ] {
        let (code, value) = without_engine(&folder, &arguments);
        assert_eq!(code, Some(6), "{arguments:?}: {value}");
        let error = &value["error"];
        said.push((
            error["code"].clone(),
            error["message"].clone(),
            error["why"].clone(),
        ));
        if arguments[0] == "status" {
            assert_eq!(value["redis"]["state"], "unknown", "{value}");
            assert_eq!(value["rabbitmq"]["state"], "unknown", "{value}");
        }
    }
    eprintln!("{:?}", said[0]);
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    let (code, diagnosis) = without_engine(&folder, &["doctor"]);
    assert_eq!(code, Some(6), "{diagnosis}");
    let checks = diagnosis["checks"].as_array().expect("checks");
    let engine = checks
        .iter()
        .find(|check| check["name"] == "engine")
        .expect("a check");
    let (_, message, why) = &said[0];
    let expected = format!(
        "{}: {}",
        message.as_str().expect("a message"),
        why.as_str().expect("a reason")
    );
    assert_eq!(engine["message"], expected);
}

#[test]
fn embedded_never_asks_docker() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let socket = folder.path().join("docker.sock");
    let engine = UnixListener::bind(&socket).expect("a socket");
    engine.set_nonblocking(true).expect("a socket");
    let host = format!("unix://{}", socket.display());
    let url = format!("http://localhost:{}", free_port());
    for arguments in [
        vec!["up", "--yes", "--hub-url", &url],
        vec!["status"],
        vec!["logs"],
        vec!["down"],
    ] {
        let output = run(bare(&folder, &arguments).env("DOCKER_HOST", &host));
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        let asked = engine.accept();
        assert!(asked.is_err(), "{arguments:?} asked Docker");
    }
}

#[test]
fn pending_changes_have_an_exit_code_of_their_own_in_every_dry_run() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let pending = |arguments: &[&str]| {
        let mut command = harmony(folder.path());
        command
            .args(arguments)
            .args(["--dry-run", "--detailed-exitcode"]);
        run(&mut command).status.code()
    };
    assert_eq!(pending(&["down"]), Some(4));
    assert_eq!(
        pending(&["rehost", "--no-check", "http://localhost:1"]),
        Some(4)
    );
    assert_eq!(pending(&["rehost", "--no-check", &url]), Some(0));
    assert_eq!(
        pending(&["settings", "set", "AllowedHosts", "a.example"]),
        Some(4)
    );
    assert_eq!(pending(&["settings", "set", "AllowedHosts", "*"]), Some(0));
    json(&mut bare(&folder, &["down"]));
    assert_eq!(pending(&["down"]), Some(0));
}

#[test]
fn a_quiet_run_shows_the_plan_that_it_asks_about() {
    let folder = Folder::new();
    let url = format!("http://localhost:{}", free_port());
    let command = bare(&folder, &["up", "-q", "--hub-url", &url]);
    let mut terminal = Terminal::start(&command, Shape::columns(100));
    terminal.sees("launch  hub  (not running)");
    terminal.sees("Go ahead?");
    terminal.press(crate::harness::terminal::CONTROL_C);
    assert_eq!(terminal.end().code, 130);
    assert!(!folder.path().join("harmony").exists());
}

#[test]
fn hints_repeat_the_flags_that_led_to_them() {
    let folder = Folder::new();
    let output = run(harmony(folder.path()).args(["verify", "--instance", "blue"]));
    let said = text(&output.stderr);
    assert!(said.contains("harmony up --instance blue"), "{said}");
}

/// The folders without anything in them.
fn empty_folders(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .map_while(Result::ok);
    let paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    if paths.is_empty() {
        return vec![folder.to_owned()];
    }
    let folders = paths.iter().filter(|path| path.is_dir());
    folders.flat_map(|path| empty_folders(path)).collect()
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_up_that_failed_leaves_no_empty_folders() {
    if !has("an_up_that_failed_leaves_no_empty_folders", &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    folder.write("mine.txt", "");
    let mut up = harmony(folder.path());
    up.args([
        "up",
        "--yes",
        "--json",
        "--redis",
        "container",
        "--rabbitmq",
        "container",
    ]);
    // Nobody listens at port 1.
    up.args(["--image-registry", "127.0.0.1:1", "--instance", &instance]);
    let output = run(&mut up);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "imageUnavailable", "{answer}");
    assert_eq!(
        empty_folders(folder.path()),
        Vec::<std::path::PathBuf>::new()
    );
}
