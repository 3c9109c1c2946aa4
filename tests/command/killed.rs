//! `up` killed at any moment: the next one reaches the same state.

use super::bare::{Down, bare};
use super::checkouts::new_layout;
use crate::harness::installation::{Installation, docker, json};
use crate::harness::parts::{Part, has};
use crate::harness::program::{run, text};
use crate::harness::{Folder, free_port, wine};
use std::process::{Command, Stdio};

#[test]
fn killed_at_any_moment_the_next_up_reaches_the_same_state() {
    let kills = std::env::var("HARMONY_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(25u64);
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let up = || bare(&folder, &["up", "--yes", "--hub-url", &url]);
    let began = std::time::Instant::now();
    json(&mut up());
    let whole = began.elapsed().as_micros() as u64 * 3 / 2;
    let (hub, client) = (
        "harmony/Harmony.SignalR/appsettings.json",
        "harmony/Harmony.Client/wwwroot/appsettings.json",
    );
    let settings = [folder.read(hub), folder.read(client)];
    for kill in 0..kills {
        // From nothing, or from a hub that runs.
        if kill % 3 != 0 {
            json(&mut bare(&folder, &["down", "--yes"]));
            std::fs::remove_dir_all(folder.path().join("harmony")).expect("no settings");
        }
        let mut child = up()
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("up");
        std::thread::sleep(std::time::Duration::from_micros(
            kill.wrapping_mul(6_364_136_223_846_793_005) % whole,
        ));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let repaired = json(&mut up());
        assert_eq!(repaired["hub"]["state"], "running", "{repaired}");
        assert_eq!(json(&mut up())["changes"], 0);
        assert_eq!([folder.read(hub), folder.read(client)], settings);
    }
    assert_eq!(json(&mut bare(&folder, &["verify"]))["ok"], true);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("harmony/Harmony.SignalR"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["appsettings.json"]);
    // One hub, and one that watches over it.
    let mine = folder.path().file_name().expect("a name").to_string_lossy();
    let processes = text(&run(Command::new("pgrep").args(["-af", &format!("hub.*{mine}")])).stdout);
    let (begun, never): (Vec<_>, Vec<_>) = processes
        .lines()
        .partition(|process| !wine::is_used() || wine::has_begun(process));
    assert_eq!(begun.len(), 2, "{processes}");
    for process in never {
        let number = process.split(' ').next().expect("a number");
        run(Command::new("kill").args(["-9", number]));
    }
    eprintln!("{kills} kills of up, each repaired by the next");
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn killed_at_any_moment_with_containers_the_next_up_reaches_the_same_state() {
    if !has(
        "killed_at_any_moment_with_containers_the_next_up_reaches_the_same_state",
        &[Part::Docker],
    ) {
        return;
    }
    let kills = std::env::var("HARMONY_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(5u64);
    let here = Installation::in_checkout(new_layout);
    let instance = &here.instance;
    let url = &here.url;
    let bring_up = |hub: &str| here.up(&["--hub-url", url, "--hub", hub]);
    let redis = here.container("redis");
    for kill in 0..kills {
        // From nothing, from a part of it, and from one kind of hub to the other.
        let hub = if kill % 4 < 2 { "process" } else { "container" };
        let most = match kill % 5 {
            0 => {
                here.remove();
                assert_eq!(here.leftovers(), "");
                9_000_000
            }
            1 => {
                here.json(&["rehost", "--no-check", &url.replace("http:", "https:")]);
                1_000_000
            }
            _ => {
                docker(&["rm", "-f", &redis]);
                1_500_000
            }
        };
        let mut child = bring_up(hub)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("up");
        // The moment is the fault itself; nothing is waited for.
        std::thread::sleep(std::time::Duration::from_micros(
            kill.wrapping_add(1).wrapping_mul(6_364_136_223_846_793_005) % most,
        ));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let repaired = json(&mut bring_up(hub));
        for service in ["hub", "redis", "rabbitmq"] {
            assert_eq!(repaired[service]["state"], "running", "{repaired}");
        }
        assert_eq!(json(&mut bring_up(hub))["changes"], 0);
        let label = format!("label=harmony.instance={instance}");
        let there = |kind: &[&str]| {
            docker(&[kind, &["-q", "--filter", &label]].concat())
                .lines()
                .count()
        };
        let containers = if hub == "process" { 2 } else { 3 };
        assert_eq!(
            [
                there(&["ps", "-a"]),
                there(&["volume", "ls"]),
                there(&["network", "ls"])
            ],
            [containers, 1, containers - 2]
        );
    }
    here.remove();
    assert_eq!(here.leftovers(), "");
    eprintln!("{kills} kills of up with containers, each repaired by the next; nothing left");
}
