//! What other programs and users of the machine must not suffer from, nor find.

use crate::harness::Folder;
use crate::harness::program::{Hub, Program, harmony, run, text};
use crate::harness::raw::{WebSocket, connect};
use crate::harness::wait_for;
use harmony::hub_process::{self, Running};
use harmony::instance::Instance;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

/// The limit of a process's open files.
fn limit_files(pid: u32, most: usize) {
    let pid = format!("--pid={pid}");
    let most = format!("--nofile={most}:");
    assert!(
        run(Command::new("prlimit").args([&pid, &most]))
            .status
            .success()
    );
}

#[test]
fn a_hub_without_file_descriptors_waits_and_goes_on() {
    const LINE: &str = "a connection could not be accepted";
    let hub = Hub::embedded(&["--Serilog:MinimumLevel:Default=Debug"]);
    let pid = hub.program.pid();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
    limit_files(pid, open.count() + 10);
    let crowd: Vec<_> = (0..30).map(|_| connect(hub.address())).collect();
    let tries = || {
        hub.program
            .lines()
            .iter()
            .filter(|line| line.contains(LINE))
            .count()
    };
    let seen = wait_for("some tries", || Some(tries()).filter(|tries| *tries >= 5));
    // One that does not pause tries ten thousand times between two looks.
    assert!(seen < 100, "{seen} tries");
    drop(crowd);
    limit_files(pid, 1000);
    WebSocket::connected(hub.address()).invoke("ListenForBoardEvents", "board");
}

#[tokio::test]
async fn a_number_that_is_another_process_by_now_is_left_alone() {
    let folder = Folder::new();
    let instance = Instance::new("gone", folder.path()).expect("an instance");
    std::fs::create_dir_all(&instance.folder).expect("a folder");
    let mut other = Program::start(Command::new("sleep").arg("600"));
    let running = Running {
        pid: other.pid(),
        fingerprint: String::new(),
        version: String::new(),
        started_at: 0,
        url: "http://127.0.0.1:1".into(),
        admin_url: String::new(),
        arguments: Vec::new(),
    };
    // Its file is still there, but nobody holds the lock any more.
    let note = serde_json::to_string(&running).expect("JSON");
    std::fs::write(instance.folder.join("hub.pid"), note).expect("a file");
    let stopped = hub_process::stop(&instance, &running, Duration::from_secs(1)).await;
    assert!(stopped.is_ok(), "{stopped:?}");
    assert!(!other.has_ended());
}

#[test]
fn no_instance_shares_the_folder_of_the_certificate() {
    let folder = Folder::new();
    for name in ["https", "HTTPS"] {
        let output = run(harmony(folder.path()).args(["status", "--instance", name]));
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("is no name for an instance"));
    }
    assert!(Instance::new("https2", folder.path()).is_ok());
}

#[test]
fn an_edit_keeps_extended_attributes_and_tells_of_hard_links() {
    let folder = Folder::new();
    let file = folder.write(
        "Harmony.SignalR/appsettings.json",
        "{ \"AllowedHosts\": \"*\" }\n",
    );
    let other = folder.path().join("other-name.json");
    std::fs::hard_link(&file, &other).expect("a link");
    let (name, flags) = ("user.harmony-test", rustix::fs::XattrFlags::empty());
    // Some file systems have none.
    let has_attributes = rustix::fs::setxattr(&file, name, b"kept", flags).is_ok();
    let edit = [
        "settings",
        "set",
        "AllowedHosts",
        "example.com",
        "--checkout",
    ];
    let output = run(harmony(folder.path()).args(edit).arg(folder.path()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("1 more hard link"), "{said}");
    assert_eq!(std::fs::metadata(&file).expect("a file").nlink(), 1);
    assert!(
        std::fs::read_to_string(&other)
            .expect("a file")
            .contains("\"*\"")
    );
    if has_attributes {
        let mut value = [0; 16];
        let size = rustix::fs::getxattr(&file, name, &mut value[..]).expect("an attribute");
        assert_eq!(&value[..size], b"kept");
    }
}
