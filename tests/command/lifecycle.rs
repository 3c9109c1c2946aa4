//! What lasts over upgrades and days, and how everything of ours goes.

use super::bare::Down;
use crate::harness::installation::Installation;
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{harmony, run, text};
use crate::harness::{Folder, free_port, wait_for};
use serde_json::Value;

fn json(folder: &Folder, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = run(harmony(folder.path()).args(arguments).arg("--json"));
    let answer = serde_json::from_slice(&output.stdout);
    let answer = answer.unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (answer, output.status.code())
}

fn up(folder: &Folder, instance: &str) -> Value {
    let url = format!("http://localhost:{}", free_port());
    let arguments = [
        "up",
        "--yes",
        "--redis=none",
        "--rabbitmq=embedded",
        "--hub-url",
        &url,
    ];
    let (report, exit) = json(
        folder,
        &[&arguments[..], &["--instance", instance]].concat(),
    );
    assert_eq!(exit, Some(0), "{report}");
    report
}

#[test]
fn status_says_what_the_next_up_would_change() {
    let folder = Folder::new();
    let (before, _) = json(&folder, &["status"]);
    assert_eq!(before["changes"], 0, "nothing was brought up: {before}");
    let _down = Down(&folder, vec![]);
    up(&folder, "harmony");
    let (settled, _) = json(&folder, &["status"]);
    assert_eq!(
        (&settled["changes"], &settled["plan"]["changes"]),
        (&0.into(), &0.into())
    );
    let set = ["settings", "set", "DetailedErrors", "true"];
    run(harmony(folder.path()).args(set));
    let (changed, _) = json(&folder, &["status"]);
    assert_eq!(changed["changes"], 1, "{changed}");
    assert_eq!(changed["plan"]["steps"][0]["target"], "hub", "{changed}");
    let shown = run(harmony(folder.path()).arg("status"));
    assert!(
        text(&shown.stderr).contains("would change 1"),
        "{}",
        text(&shown.stderr)
    );
}

#[test]
fn down_everything_leaves_nothing_of_ours() {
    let (folder, other) = (Folder::new(), Folder::new());
    let _down = [
        Down(&folder, vec![]),
        Down(&folder, vec!["--instance=second".into()]),
    ];
    let first = up(&folder, "harmony");
    let home = folder.path().join("home");
    let second = {
        let url = format!("http://localhost:{}", free_port());
        let mut command = harmony(folder.path());
        command.current_dir(other.path()).args([
            "up",
            "--yes",
            "--redis=none",
            "--rabbitmq=embedded",
            "--json",
        ]);
        let output = run(command.args(["--instance=second", "--hub-url", &url]));
        serde_json::from_slice::<Value>(&output.stdout).expect("a report")
    };
    let states = home.join(".local/state/harmony");
    let (plan, exit) = json(&folder, &["down", "--everything", "--dry-run"]);
    assert_eq!(
        (plan["instances"].as_array().map(Vec::len), exit),
        (Some(2), Some(0))
    );
    let (unasked, exit) = json(&folder, &["down", "--everything"]);
    assert_eq!(
        (unasked["error"]["code"].as_str(), exit),
        (Some("answerMissing"), Some(2))
    );
    assert!(states.exists());
    let (gone, exit) = json(&folder, &["down", "--everything", "--yes"]);
    assert_eq!(exit, Some(0), "{gone}");
    assert!(!states.exists(), "no state, log, backup or certificate");
    for report in [first, second] {
        let pid = report["hub"]["pid"].as_u64().expect("a process");
        let process = format!("/proc/{pid}/exe");
        wait_for("the hub's end", || {
            (!std::path::Path::new(&process).exists()).then_some(())
        });
    }
    let (again, exit) = json(&folder, &["down", "--everything", "--yes"]);
    assert_eq!((&again["changes"], exit), (&0.into(), Some(0)), "{again}");
    assert!(
        folder
            .path()
            .join("harmony/Harmony.SignalR/appsettings.json")
            .exists()
    );
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn down_everything_takes_containers_too_and_names_the_images_that_stay() {
    const TEST: &str = "down_everything_takes_containers_too_and_names_the_images_that_stay";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let here = Installation::new();
    let image = format!("{}/redis:8-alpine", registry().expect("a registry"));
    let up = run(&mut here.up_with_redis(&image, &[]));
    assert!(up.status.success(), "{}", text(&up.stderr));
    let gone = run(&mut here.command(&["down", "--everything", "--yes"]));
    let said = text(&gone.stdout);
    assert!(gone.status.success(), "{}", text(&gone.stderr));
    assert!(said.contains(&format!("docker image rm {image}")), "{said}");
    assert_eq!(here.leftovers(), "");
}

/// State of a version that knew less, or more, is read; what it does not say is decided anew.
#[test]
fn state_of_other_versions_is_read() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    up(&folder, "harmony");
    let path = folder
        .path()
        .join("home/.local/state/harmony/harmony/state.json");
    let text = std::fs::read_to_string(&path).expect("a state");
    let mut state: Value = serde_json::from_str(&text).expect("JSON");
    let port = state["adminPort"].clone();
    let known = [
        "checkout",
        "environment",
        "hubUrl",
        "redis",
        "rabbitmq",
        "adminPort",
    ];
    state
        .as_object_mut()
        .expect("a state")
        .retain(|key, _| known.contains(&key.as_str()));
    state["ofANewerVersion"] = true.into();
    std::fs::write(&path, state.to_string()).expect("a file");
    let (report, exit) = json(
        &folder,
        &["up", "--yes", "--redis=none", "--rabbitmq=embedded"],
    );
    assert_eq!((exit, &report["changes"]), (Some(0), &0.into()), "{report}");
    let text = std::fs::read_to_string(&path).expect("a state");
    let migrated: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(migrated["adminPort"], port);
}
