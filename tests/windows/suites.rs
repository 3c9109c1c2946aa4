//! Tests that know no system, run here and again with the Windows program.

use super::counts::{Count, note};
use super::skipped::{MIXED, SKIPPED};
use crate::harness::parts::{Part, has};
use crate::harness::program::text;
use crate::harness::{Folder, wine};
use crate::settings::transcript::{CASES, transcript};
use std::process::Command;

/// How many times a run that writes is killed.
const KILLS: &str = "100";
/// Each is mended by three runs more.
const KILLS_OF_UP: &str = "20";

fn this_binary() -> Command {
    Command::new(std::env::current_exe().expect("this program"))
}

/// Runs tests, but those that are skipped; all must pass.
fn passed(mut command: Command, tests: &[&str]) -> Count {
    command.arg("--test-threads=2").args(tests);
    for (skipped, _) in SKIPPED {
        command.args(["--skip", skipped]);
    }
    let output = wine::output(&mut command);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    Count::of_run(&said)
}

/// Runs tests of this binary with the program of this system, then with the one of Windows.
fn passes(test: &str, parts: &[Part], tests: &[&str], cases: &str) {
    if !has(test, &[&[Part::Wine], parts].concat()) {
        return;
    }
    let [here, windows] = [this_binary(), wine::these_tests()].map(|mut command| {
        command.arg("--include-ignored");
        command.env("HARMONY_CASES", cases);
        for (skipped, _) in MIXED {
            command.args(["--skip", skipped]);
        }
        passed(command, tests)
    });
    note(test, here, windows);
    assert_eq!(here, windows);
}

macro_rules! suite {
    ($name:ident, [$($part:ident),*], [$($tests:literal),*]) => {
        #[test]
        #[ignore = "needs Wine and a Windows build: run tests/run --windows"]
        fn $name() {
            const TEST: &str = concat!("windows::suites::", stringify!($name));
            passes(TEST, &[$(Part::$part),*], &[$($tests),*], KILLS);
        }
    };
}

suite!(
    settings_are_read_and_edited,
    [],
    [
        "settings::commands",
        "settings::environments",
        "settings::encodings",
        "settings::questions",
        "settings::secrets",
        "settings::schemas"
    ]
);
suite!(clients_are_sent_to_another_hub, [], ["command::rehost"]);
suite!(
    published_clients_are_sent_to_another_hub,
    [],
    ["command::published"]
);
suite!(answers_are_recorded, [], ["command::answers"]);
suite!(
    a_hub_is_brought_up_and_down,
    [Node],
    ["command::bare", "command::lifecycle"]
);
suite!(
    setup_asks_on_a_console_that_wine_draws,
    [],
    ["command::setup"]
);
suite!(
    notifications_are_published,
    [RabbitMq, Peer],
    ["command::publish"]
);
suite!(
    every_transport_is_verified,
    [Nginx, HaProxy],
    ["command::verify"]
);
suite!(
    problems_are_found,
    [],
    ["command::doctor", "command::terminal"]
);
suite!(
    the_dotnet_client_hears_in_all_of_its_modes,
    [Peer],
    ["engine::dotnet::client"]
);
suite!(
    hubs_share_a_redis_with_the_dotnet_hub,
    [Redis, RabbitMq, Node, Peer],
    ["cluster::hubs", "engine::dotnet::backplane"]
);
suite!(kills_during_writes_tear_no_file, [], ["settings::change"]);

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn after_kills_of_up_the_next_one_reaches_the_same_state() {
    const TEST: &str = "windows::suites::after_kills_of_up_the_next_one_reaches_the_same_state";
    passes(TEST, &[], &["command::killed"], KILLS_OF_UP);
}

/// The tests themselves as a Windows program, which starts the other: all that need nothing else.
#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn settings_plans_and_rules_are_the_same_in_a_windows_process() {
    const TEST: &str =
        "windows::suites::settings_plans_and_rules_are_the_same_in_a_windows_process";
    const TESTS: [&str; 4] = ["settings::", "provision::", "hub::", "security::"];
    if !has(TEST, &[Part::Wine]) {
        return;
    }
    let folder = Folder::new();
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    let [mut here, mut windows] = [this_binary(), wine::command(&home, &wine::tests())];
    for command in [&mut here, &mut windows] {
        command.env("HARMONY_CASES", KILLS);
    }
    windows.current_dir(env!("CARGO_MANIFEST_DIR"));
    note(TEST, passed(here, &TESTS), passed(windows, &TESTS));
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn generated_settings_become_the_same_bytes_on_both_systems() {
    const TEST: &str = "windows::suites::generated_settings_become_the_same_bytes_on_both_systems";
    if !has(TEST, &[Part::Wine]) {
        return;
    }
    let folder = Folder::new();
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    let file = folder.path().join("transcript");
    let mut command = wine::command(&home, &wine::tests());
    command.args(["--ignored", "settings::transcript::is_written"]);
    command.current_dir(folder.path());
    command.env("HARMONY_TEST_TRANSCRIPT", &file);
    let output = wine::output(&mut command);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let theirs = folder.read("transcript");
    let ours = transcript(CASES);
    let mut pairs = ours.split("case ").zip(theirs.split("case "));
    if let Some((ours, theirs)) = pairs.find(|(ours, theirs)| ours != theirs) {
        panic!("here\n{ours}\nWindows\n{theirs}");
    }
    assert_eq!(ours, theirs);
    let cases = Count::of_cases(&theirs);
    note(TEST, Count::of_cases(&ours), cases);
}
