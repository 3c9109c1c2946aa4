//! Access lists, owners, hard links and marks of files, as far as Wine makes them of what this
//! system has: it maps an access list to a mode.

use super::windows;
use crate::harness::parts::{Part, has};
use crate::harness::program::{run, text};
use crate::harness::{Folder, free_port, wine};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

const HUB: &str = "Harmony.SignalR/appsettings.json";
const SET: [&str; 4] = ["settings", "set", "AllowedHosts", "hub.example"];

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("a file");
    metadata.permissions().mode() & 0o777
}

/// The Windows program, whose own files are at another place than its user's.
fn elsewhere(folder: &Folder, states: &Path, arguments: &str) -> Command {
    let spelt = |path: &Path| format!("Z:{}", path.display()).replace('/', "\\");
    let (program, states) = (spelt(&wine::harmony()), spelt(states));
    let home = folder.path().join("home");
    fs::create_dir_all(&home).expect("a home");
    // Wine gives the variable a value of its own where the first program starts.
    let line = format!("set LOCALAPPDATA={states}&& {program} {arguments}");
    let mut command = wine::command(&home, Path::new("cmd"));
    command.current_dir(folder.path()).args(["/c", &line]);
    command
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn what_is_kept_outside_the_users_folder_is_closed_to_others() {
    const TEST: &str = "windows::files::what_is_kept_outside_the_users_folder_is_closed_to_others";
    if !has(TEST, &[Part::Wine]) {
        return;
    }
    let folder = Folder::new();
    // Wine adds the rights of the folder above to every list.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("a mode");
    let states = folder.path().join("far/states");
    let url = format!("http://localhost:{}", free_port());
    let up = format!("up --yes --redis none --rabbitmq embedded --hub-url {url}");
    for arguments in [up.as_str(), "down --yes"] {
        let output = run(&mut elsewhere(&folder, &states, arguments));
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let own = states.join("harmony/harmony");
    let mut narrowed = vec![own.join("admin-token"), own.join("backups")];
    narrowed.extend(own.ancestors().take(4).map(PathBuf::from));
    for path in narrowed {
        assert_eq!(mode(&path) & 0o007, 0, "{}", path.display());
    }
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn a_checkout_of_another_user_is_refused() {
    const TEST: &str = "windows::files::a_checkout_of_another_user_is_refused";
    if !has(TEST, &[Part::Wine]) {
        return;
    }
    let folder = Folder::new();
    folder.write(HUB, "{}");
    let refuses = || {
        let output = run(windows(&folder, &SET).arg("--json"));
        text(&output.stdout).contains("foreignCheckout")
    };
    assert!(!refuses(), "one's own");
    chown(folder.path(), Some(1234), None).expect("an owner");
    assert!(refuses());
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn other_names_and_read_only_marks_are_told_of() {
    const TEST: &str = "windows::files::other_names_and_read_only_marks_are_told_of";
    if !has(TEST, &[Part::Wine]) {
        return;
    }
    let folder = Folder::new();
    let file = folder.write(HUB, "{}");
    fs::hard_link(&file, folder.path().join("other.json")).expect("a link");
    let edited = run(&mut windows(&folder, &SET));
    let said = text(&edited.stderr);
    assert!(said.contains("had 1 more hard links"), "{said}");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).expect("a mark");
    let refused = run(&mut windows(
        &folder,
        &["settings", "set", "AllowedHosts", "b"],
    ));
    let said = text(&refused.stderr);
    let advice = format!("attrib -R 'Z:{}'", file.display()).replace('/', "\\");
    assert!(said.contains(&advice), "{said}\n{advice}");
    assert!(folder.read(HUB).contains("hub.example"));
}
