//! A checkout that somebody else filled: it cannot show, change or copy what is outside of it, nor
//! take memory.

use crate::harness::parts::{Part, has};
use crate::harness::program::{HARMONY, harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

const HUB: &str = "Harmony.SignalR/appsettings.json";
const CLIENT: &str = "Harmony.Client/wwwroot/appsettings.json";
const SECRET: &str = "hunter2-do-not-show";
/// Address space that every command has enough of.
const MEMORY: u64 = 600 << 20;

fn checkout() -> Folder {
    let folder = Folder::new();
    folder.write(HUB, "{ \"AllowedHosts\": \"*\" }");
    folder.write(CLIENT, "{ \"signalrHostUrl\": \"http://localhost:1\" }");
    folder
}

/// Runs a command in little memory.
fn run_in(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let settings = harmony(folder.path());
    let mut command = Command::new("prlimit");
    command.arg(format!("--as={MEMORY}")).arg(HARMONY);
    command
        .args(arguments)
        .arg("--json")
        .current_dir(folder.path())
        .env_clear();
    let kept = settings
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    run(command.envs(kept).envs(variables.iter().copied()))
}

/// Everything that a command said, its error code and its exit code.
fn said(output: &Output) -> (String, String, Option<i32>) {
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let code = answer["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    (all, code, output.status.code())
}

const READERS: [&[&str]; 8] = [
    &["settings", "list"],
    &["settings", "get", "AllowedHosts"],
    &["settings", "validate"],
    &["settings", "set", "AllowedHosts", "x"],
    &["status"],
    &["doctor"],
    &["up", "--dry-run", "--redis=none", "--rabbitmq=embedded"],
    &["rehost", "http://localhost:2", "--no-check"],
];

#[test]
fn links_that_leave_a_checkout_are_refused() {
    let outside = Folder::new();
    let foreign = outside.write(
        "foreign.json",
        &format!("{{ \"AllowedHosts\": \"{SECRET}\" }}"),
    );
    std::fs::set_permissions(&foreign, PermissionsExt::from_mode(0o600)).expect("a mode");
    let variables = [("AWS_SECRET_ACCESS_KEY", SECRET)];
    for target in [
        Path::new("/proc/self/environ"),
        &foreign,
        Path::new("/dev/zero"),
    ] {
        let folder = checkout();
        std::fs::remove_file(folder.path().join(HUB)).expect("a file");
        symlink(target, folder.path().join(HUB)).expect("a link");
        for arguments in READERS {
            let output = run_in(&folder, arguments, &variables);
            let (all, code, exit) = said(&output);
            assert!(!all.contains(SECRET), "{arguments:?}: {all}");
            assert_ne!(exit, Some(0), "{arguments:?}: {all}");
            let is_refused = code == "settingsOutside" || all.contains("outside");
            assert!(is_refused, "{arguments:?} {target:?}: {all}");
        }
        let states = folder.path().join("home/.local/state/harmony");
        let copies = run(Command::new("grep").args(["-rl", SECRET]).arg(&states));
        assert_eq!(text(&copies.stdout), "", "nothing is copied");
    }
    let mode = std::fs::metadata(&foreign)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(outside.read("foreign.json").contains(SECRET), "unchanged");
}

#[test]
fn a_folder_that_is_a_link_to_elsewhere_is_refused() {
    let (folder, outside) = (checkout(), Folder::new());
    outside.write("appsettings.json", "{ \"AllowedHosts\": \"theirs\" }");
    std::fs::remove_dir_all(folder.path().join("Harmony.SignalR")).expect("a folder");
    symlink(outside.path(), folder.path().join("Harmony.SignalR")).expect("a link");
    let (all, code, exit) = said(&run_in(
        &folder,
        &["settings", "set", "AllowedHosts", "x"],
        &[],
    ));
    assert_eq!((code.as_str(), exit), ("settingsOutside", Some(3)), "{all}");
    assert!(outside.read("appsettings.json").contains("theirs"));
}

#[test]
fn links_that_stay_inside_a_checkout_are_followed_and_stay_links() {
    let folder = checkout();
    std::fs::rename(folder.path().join(HUB), folder.path().join("shared.json")).expect("a move");
    symlink("../shared.json", folder.path().join(HUB)).expect("a link");
    let (all, _, exit) = said(&run_in(
        &folder,
        &["settings", "set", "AllowedHosts", "x"],
        &[],
    ));
    assert_eq!(exit, Some(0), "{all}");
    assert_eq!(folder.read("shared.json"), "{ \"AllowedHosts\": \"x\" }");
    let hub = std::fs::symlink_metadata(folder.path().join(HUB)).expect("a file");
    assert!(hub.is_symlink());
}

#[test]
fn twins_without_an_end_take_no_memory() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..128 {
        packed.write_all(&zeros).expect("bytes");
    }
    let bomb = packed.finish().expect("bytes");
    let folder = checkout();
    std::fs::write(folder.path().join(format!("{CLIENT}.gz")), &bomb).expect("a file");
    let rehost = ["rehost", "http://localhost:2", "--no-check"];
    let (all, _, exit) = said(&run_in(&folder, &rehost, &[]));
    assert_eq!(exit, Some(0), "{all}");
    let twin = std::fs::metadata(folder.path().join(format!("{CLIENT}.gz"))).expect("a twin");
    assert!(twin.len() < 1000, "it stands for the settings now");
    for ending in ["gz", "br"] {
        let folder = checkout();
        symlink(
            "/dev/zero",
            folder.path().join(format!("{CLIENT}.{ending}")),
        )
        .expect("a link");
        let (all, code, _) = said(&run_in(&folder, &rehost, &[]));
        assert_eq!(code, "settingsOutside", "{all}");
        assert!(
            folder.read(CLIENT).contains("localhost:1"),
            "all or nothing"
        );
    }
}

#[test]
fn files_that_are_too_large_or_no_files_are_refused() {
    let folder = checkout();
    let file = std::fs::File::create(folder.path().join(HUB)).expect("a file");
    file.set_len(100 << 30).expect("a sparse file");
    let (all, code, exit) = said(&run_in(&folder, &["settings", "list"], &[]));
    assert_eq!(
        (code.as_str(), exit),
        ("settingsUnreadable", Some(3)),
        "{all}"
    );
    std::fs::remove_file(folder.path().join(HUB)).expect("a file");
    run(Command::new("mkfifo").arg(folder.path().join(HUB)));
    let (all, code, exit) = said(&run_in(&folder, &["settings", "list"], &[]));
    assert_eq!(
        (code.as_str(), exit),
        ("settingsUnreadable", Some(3)),
        "{all}"
    );
}

/// A hub follows its administrator's links, and still shows nothing of what they lead to.
#[test]
fn no_error_shows_what_a_file_holds() {
    for line in [
        &format!("PASSWORD={SECRET}\0HOME=/x"),
        &format!("{{ \"Password\": \"{SECRET}\" oops }}"),
        &format!("{{ \"Password\": \"a\"{SECRET}\": 1 }}"),
        &format!("{{ \"Password\": '{SECRET}' }}"),
        &format!("{{ \"Password\": {SECRET}, \"A\": 1 }}"),
        &format!("{{ \"A\": 1 \"{SECRET}\", }}"),
        &format!("{{ \"A\": 1 // {SECRET}\n \"B\" }}"),
        &format!("{{ \"Password\":\n{SECRET}: 1 }}"),
        &format!("{{ \"Password\": \"{SECRET}\n\" }}"),
    ] {
        let folder = checkout();
        folder.write(HUB, line);
        for arguments in [
            &["settings", "list"][..],
            &["hub", "--settings", "Harmony.SignalR"],
        ] {
            let mut command = harmony(folder.path());
            let output = run(command.args(arguments));
            let all = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{all}");
            assert!(
                !all.contains("hunter2") && !all.contains("not-show"),
                "{line}\n{all}"
            );
        }
    }
}

#[test]
fn an_excerpt_still_shows_where_the_fault_is() {
    let folder = checkout();
    let long = "x".repeat(5000);
    for (line, shown) in [
        (
            "{ \"Host\": \"mq\" \"Port\": 5672 }",
            "{ \"Host\": \"********\" \"********\": ******** }\n",
        ),
        ("{ Host: True }", "{ Host: True }\n"),
        ("{ \"On\": tru }", "{ \"On\": ******** }\n"),
        (
            &*format!("{{ \"A\": \"{long}\", \"B\" }}"),
            "{ \"A\": \"********\", \"********\" }\n",
        ),
    ] {
        folder.write(HUB, line);
        let output = run(harmony(folder.path()).args(["settings", "list"]));
        let all = text(&output.stderr);
        assert!(all.contains(&format!("  1 | {shown}")), "{all}");
        let caret = all.lines().find_map(|line| line.find('^'));
        assert!(caret.is_some_and(|at| at < 60), "{all}");
    }
}

#[test]
fn a_checkout_of_another_user_is_refused_until_it_is_trusted() {
    const TEST: &str = "a_checkout_of_another_user_is_refused_until_it_is_trusted";
    if !has(TEST, &[Part::Root]) {
        return;
    }
    let folder = checkout();
    let give = |path: &str| chown(folder.path().join(path), Some(4711), None).expect("an owner");
    let call = |arguments: &[&str], caller: Option<&str>| {
        let caller = caller.map(|caller| ("SUDO_UID", caller));
        said(&run_in(&folder, arguments, caller.as_slice()))
    };
    let list = ["settings", "list"];
    for path in ["Harmony.SignalR", ""] {
        give(path);
        let (all, code, exit) = call(&list, Some("4712"));
        assert_eq!((code.as_str(), exit), ("foreignCheckout", Some(2)), "{all}");
        assert!(all.contains("--trust-checkout"), "{all}");
        // Root in a container works for everybody, and sudo for who called it.
        for caller in [None, Some("4711")] {
            assert_eq!(call(&list, caller).2, Some(0), "{caller:?}");
        }
    }
    assert_eq!(
        call(&["settings", "list", "--trust-checkout"], Some("4712")).2,
        Some(0)
    );
    let url = format!("http://localhost:{}", free_port());
    let up = [
        "up",
        "--yes",
        "--hub=none",
        "--redis=none",
        "--rabbitmq=embedded",
        "--hub-url",
        &url,
    ];
    assert_eq!(call(&up, Some("4712")).1, "foreignCheckout");
    let (all, _, exit) = call(&[&up[..], &["--trust-checkout"]].concat(), Some("4712"));
    assert_eq!(exit, Some(0), "{all}");
    assert_eq!(call(&list, Some("4712")).2, Some(0), "up remembers it");
}
