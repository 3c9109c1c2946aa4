//! A change of several files, killed at any moment: all old or all new, after the next run at the
//! latest.

use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use harmony::appsettings::SettingsFile;
use proptest::prelude::*;
use std::process::Stdio;
use std::time::Duration;

const FILES: [&str; 3] = [
    "appsettings.json",
    "appsettings.Production.json",
    "appsettings.Staging.json",
];

fn cases(default: u32) -> u32 {
    std::env::var("HARMONY_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(default)
}

fn published_client(folder: &Folder, url: &str) {
    for name in FILES {
        folder.write(
            &format!("site/{name}"),
            &format!("\u{feff}{{\r\n  // {name}\r\n  \"signalrHostUrl\": \"{url}\",\r\n}}"),
        );
    }
}

/// Which of the addresses a file has; anything else is torn.
fn side(folder: &Folder, name: &str, sides: [&str; 2]) -> usize {
    let held = folder.read(&format!("site/{name}"));
    let whole =
        |url: &str| format!("\u{feff}{{\r\n  // {name}\r\n  \"signalrHostUrl\": \"{url}\",\r\n}}");
    sides
        .iter()
        .position(|url| held == whole(url))
        .unwrap_or_else(|| panic!("{name} is torn: {held:?}"))
}

fn leftovers(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("site")).expect("a folder");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names
        .filter(|name| !FILES.contains(&name.as_str()))
        .collect()
}

#[test]
fn killed_at_any_moment_three_files_are_all_old_or_all_new() {
    const OLD: &str = "https://old.example";
    const NEW: &str = "https://new.example";
    let folder = Folder::new();
    published_client(&folder, OLD);
    let rehost = |url: &str| {
        let mut command = harmony(folder.path());
        command
            .args(["rehost", url, "--client", "site", "--no-check"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    // How long a whole run takes, so that kills fall on all of it.
    let began = std::time::Instant::now();
    assert!(rehost(OLD).status().expect("a run").success());
    let whole = began.elapsed().as_micros() as u64 * 3;
    let (mut old, mut new, mut repaired) = (0, 0, 0);
    let kills = cases(2000);
    for kill in 0..kills {
        let moment = u64::from(kill).wrapping_mul(6_364_136_223_846_793_005) % whole;
        let (from, to) = if side(&folder, FILES[0], [OLD, NEW]) == 0 {
            (OLD, NEW)
        } else {
            (NEW, OLD)
        };
        let mut child = rehost(to).spawn().expect("a run");
        std::thread::sleep(Duration::from_micros(moment));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        let at_once: Vec<_> = FILES
            .iter()
            .map(|name| side(&folder, name, [from, to]))
            .collect();
        let mixed = at_once.iter().any(|side| *side != at_once[0]);
        if mixed || !leftovers(&folder).is_empty() {
            // Any next run mends it, before it does its own work.
            let output = run(harmony(folder.path()).args(["settings", "undo", "--dry-run"]));
            assert!(
                !leftovers(&folder).is_empty(),
                "a dry run writes nothing: {}",
                text(&output.stderr)
            );
            run(harmony(folder.path()).args(["settings", "schema", "answers"]));
            repaired += 1;
        }
        let after: Vec<_> = FILES
            .iter()
            .map(|name| side(&folder, name, [from, to]))
            .collect();
        assert!(
            after.iter().all(|side| *side == after[0]),
            "a mixture stayed: {after:?}"
        );
        assert_eq!(leftovers(&folder), Vec::<String>::new());
        if after[0] == 0 { old += 1 } else { new += 1 }
    }
    eprintln!("{kills} kills: {old} old, {new} new, {repaired} repaired by the next run, 0 torn");
    assert!(old > 0 && new > 0, "the kills fell on one side only");
}

#[test]
fn undo_shows_what_it_would_mean_where_a_file_changed_since() {
    let folder = Folder::new();
    published_client(&folder, "https://a.example");
    let rehosted = run(harmony(folder.path()).args([
        "rehost",
        "https://b.example",
        "--client",
        "site",
        "--no-check",
    ]));
    assert!(rehosted.status.success(), "{}", text(&rehosted.stderr));
    let changed = folder
        .read("site/appsettings.json")
        .replace("b.example", "c.example");
    folder.write("site/appsettings.json", &changed);
    let refused = run(harmony(folder.path()).args(["settings", "undo"]));
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(
        said.contains("-   \"signalrHostUrl\": \"https://c.example\"")
            && said.contains("+   \"signalrHostUrl\": \"https://a.example\""),
        "{said}"
    );
    assert_eq!(folder.read("site/appsettings.json"), changed);
}

#[test]
fn a_second_run_is_told_who_works() {
    let folder = Folder::new();
    let folder_path = folder.path();
    std::fs::create_dir_all(folder_path.join("home/.local/state/harmony/harmony"))
        .expect("folders");
    let holder = folder_path.join("home/.local/state/harmony/harmony/holder");
    let lock = std::fs::File::create(holder.with_extension("lock")).expect("a lock");
    lock.lock().expect("the lock");
    std::fs::write(holder, "harmony up --yes (pid 4711)\n").expect("a note");
    published_client(&folder, "https://a.example");
    let refused = run(harmony(folder_path).args([
        "rehost",
        "https://b.example",
        "--client",
        "site",
        "--no-check",
    ]));
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("harmony up --yes (pid 4711)"),
        "{}",
        text(&refused.stderr)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn undo_brings_back_every_byte(contents in prop::collection::vec(("[a-z]{1,6}", proptest::option::of("[ -~]{0,40}"), "[ -~\\r\\n]{0,40}"), 1..6)) {
        use harmony::appsettings::change::{self, Replacement};
        let folder = Folder::new();
        let mut replacements: Vec<Replacement> = Vec::new();
        for (name, before, after) in contents {
            let path = folder.path().join(&name);
            if replacements.iter().any(|known| known.path == path) || before.as_deref() == Some(&after) {
                continue;
            }
            if let Some(before) = &before {
                std::fs::write(&path, before).expect("a file");
            }
            replacements.push(Replacement { path, before: before.map(String::into_bytes), after: after.into_bytes() });
        }
        let backups = folder.path().join("backups");
        change::commit(&replacements, &backups).expect("a change");
        for replacement in &replacements {
            prop_assert_eq!(&std::fs::read(&replacement.path).expect("a file"), &replacement.after);
        }
        change::undo(&backups, 1).expect("undone");
        for replacement in &replacements {
            prop_assert_eq!(&std::fs::read(&replacement.path).ok(), &replacement.before);
        }
    }
}

#[test]
fn folders_that_were_made_for_files_are_gone_when_the_change_is_undone() {
    let folder = Folder::new();
    let (backups, made) = (folder.path().join("backups"), folder.path().join("made"));
    let planned = |name: &str| {
        SettingsFile::planned(&made.join(name), "{ \"A\": 1 }\n").expect("a planned file")
    };
    let files = [
        planned("a/b/appsettings.json"),
        planned("c/appsettings.json"),
    ];
    harmony::appsettings::write(&files, &backups).expect("a change");
    assert!(made.join("a/b/appsettings.json").exists());
    harmony::appsettings::change::undo(&backups, 1).expect("an undo");
    assert!(!made.exists());

    harmony::appsettings::write(&files, &backups).expect("a change");
    folder.write("made/c/mine.txt", "mine");
    harmony::appsettings::change::undo(&backups, 1).expect("an undo");
    assert!(!made.join("a").exists());
    assert_eq!(folder.read("made/c/mine.txt"), "mine");
}
