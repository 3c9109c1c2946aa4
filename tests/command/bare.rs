//! A bare machine: nothing but our executable.

pub use crate::harness::installation::json;
use crate::harness::parts::{Part, has, node_modules};
#[cfg(unix)]
use crate::harness::program::kill;
use crate::harness::program::{Program, harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::process::Command;

/// `harmony` without containers, whatever this machine has.
pub fn bare(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = harmony(folder.path());
    command.args(arguments);
    if arguments.first() == Some(&"up") {
        command.args(["--redis", "none", "--rabbitmq", "embedded"]);
    }
    command
}

/// Brings an instance down when the test ends, however it ends.
pub struct Down<'f>(pub &'f Folder, pub Vec<String>);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        run(harmony(self.0.path())
            .args(["down", "--volumes", "--yes"])
            .args(&self.1));
    }
}

#[test]
fn from_nothing_to_a_client_that_hears() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    assert_eq!(first["hub"]["state"], "running");
    assert_eq!(first["hub"]["url"], url);
    assert_eq!(
        [&first["redis"]["state"], &first["rabbitmq"]["state"]],
        ["embedded", "embedded"]
    );
    assert_eq!(first["changes"], 3, "{first}");
    assert!(
        folder
            .read("harmony/Harmony.Client/wwwroot/appsettings.json")
            .contains(&url)
    );
    assert!(
        folder
            .read("harmony/Harmony.SignalR/appsettings.json")
            .contains("BrokerConfiguration")
    );

    let second = json(&mut bare(&folder, &["up", "--yes"]));
    assert_eq!(second["changes"], 0, "{second}");
    assert_eq!(second["hub"]["pid"], first["hub"]["pid"]);

    let status = json(&mut bare(&folder, &["status"]));
    assert_eq!(status["hub"]["state"], "running");

    let verified = json(&mut bare(&folder, &["verify"]));
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["instances"][0]["heard"], true);

    if has("from_nothing_to_a_client_that_hears", &[Part::Node]) {
        let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
        let mut client = javascript(&url, board, "OnCardTitleChanged");
        let published = run(&mut bare(
            &folder,
            &[
                "publish",
                "CardTitleChanged",
                "--board",
                board,
                "--field",
                "Title=Hello <you>",
            ],
        ));
        assert!(published.status.success(), "{}", text(&published.stderr));
        let heard: Value = serde_json::from_str(&format!(
            "{{\"heard\"{}",
            client.wait_for_line("{\"heard\"")
        ))
        .expect("JSON");
        assert_eq!(heard["argument"]["title"], "Hello <you>");
    }

    let down = json(&mut bare(&folder, &["down"]));
    assert_eq!(down["changes"], 1);
    assert_eq!(
        json(&mut bare(&folder, &["status"]))["hub"]["state"],
        "absent"
    );
    assert_eq!(json(&mut bare(&folder, &["down"]))["changes"], 0);
}

/// The official JavaScript client, listening to a board.
pub fn javascript(url: &str, board: &str, event: &str) -> Program {
    javascript_by(url, board, event, None)
}

/// The same, negotiating a transport.
pub fn javascript_by(url: &str, board: &str, event: &str, transport: Option<&str>) -> Program {
    let mut command = Command::new("node");
    command.arg(format!(
        "{}/tests/clients/listen.mjs",
        env!("CARGO_MANIFEST_DIR")
    ));
    command
        .args([node_modules().expect("npm packages").as_os_str()])
        .args([url, "ListenForBoardEvents", board, event])
        .args(transport);
    let mut program = Program::start(&mut command);
    program.wait_for_line("\"listening\"");
    program
}

#[test]
#[ignore = "needs the JavaScript client: run tests/run"]
fn the_javascript_client_comes_back_after_a_restart_of_the_hub() {
    if !has(
        "the_javascript_client_comes_back_after_a_restart_of_the_hub",
        &[Part::Node],
    ) {
        return;
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let board = "420371f9-ea23-46de-9ce3-00aeeec060a2";
    let mut client = javascript(&url, board, "OnCardTitleChanged");
    json(&mut bare(&folder, &["down"]));
    json(&mut bare(&folder, &["up", "--yes"]));
    client.wait_for_line("\"reconnected\"");
    assert!(
        run(&mut bare(
            &folder,
            &["publish", "CardTitleChanged", "--board", board]
        ))
        .status
        .success()
    );
    client.wait_for_line("\"heard\"");
}

#[cfg(unix)]
#[test]
fn without_docker_and_servers_up_falls_back_to_embedded_and_says_so() {
    const TEST: &str = "without_docker_and_servers_up_falls_back_to_embedded_and_says_so";
    // The machine's Docker is hidden by a mount of the test's own.
    if !has(TEST, &[Part::Root]) {
        return;
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--net",
        "sh",
        "-c",
        "mount -t tmpfs none /run && ip link set lo up; exec \"$@\"",
        "sh",
    ]);
    command.args([
        crate::harness::program::HARMONY,
        "up",
        "--yes",
        "--hub-url",
        &url,
    ]);
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    command
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = run(&mut command);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("Embedded: one process, without Redis and RabbitMQ."),
        "{}",
        text(&output.stderr)
    );
    assert!(
        text(&output.stdout).contains(&url)
            && text(&output.stderr).contains("Next: harmony verify")
    );
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_change() {
    let folder = Folder::new();
    let url = format!("http://localhost:{}", free_port());
    let plan = json(&mut bare(&folder, &["up", "--dry-run", "--hub-url", &url]));
    assert_eq!(plan["changes"], 3);
    assert_eq!(plan["steps"][0]["action"], "create");
    assert!(!folder.path().join("harmony").exists());
    let code = run(&mut bare(
        &folder,
        &["up", "--dry-run", "--detailed-exitcode", "--hub-url", &url],
    ))
    .status
    .code();
    assert_eq!(code, Some(4));
}

#[test]
fn settings_changed_by_hand_replace_the_hub() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let settings = folder.read("harmony/Harmony.SignalR/appsettings.json");
    folder.write(
        "harmony/Harmony.SignalR/appsettings.json",
        &settings.replace("Information", "Warning"),
    );
    let second = json(&mut bare(&folder, &["up", "--yes"]));
    assert_eq!(
        second["steps"][0]["cause"], "its settings changed",
        "{second}"
    );
    assert_ne!(first["hub"]["pid"], second["hub"]["pid"]);
}

#[cfg(unix)]
#[test]
fn a_hub_that_dies_is_started_again() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]))["hub"]["pid"]
        .as_u64()
        .expect("a pid");
    // One that dies at once was never up; this one lives a little first.
    let began = std::time::Instant::now();
    crate::harness::wait_for("a life long enough", || {
        (began.elapsed().as_secs() >= 3).then_some(())
    });
    assert!(kill(folder.path(), first), "the hub is there");
    let second = crate::harness::wait_for("another hub", || {
        let status = json(&mut bare(&folder, &["status"]));
        status["hub"]["pid"]
            .as_u64()
            .filter(|second| *second != first && status["hub"]["state"] == "running")
    });
    assert_eq!(json(&mut bare(&folder, &["verify"]))["ok"], true);
    assert!(
        folder
            .read("home/.local/state/harmony/harmony/hub.log")
            .contains("the hub died")
    );
    json(&mut bare(&folder, &["down", "--yes"]));
    assert_eq!(
        json(&mut bare(&folder, &["status"]))["hub"]["state"],
        "absent"
    );
    assert!(!kill(folder.path(), second), "it is not started once more");
}
