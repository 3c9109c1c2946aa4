//! Tests that know no system, run again with the Windows program, and settings judged by both
//! systems.

use crate::harness::program::text;
use crate::harness::services::{Part, has};
use crate::harness::{Folder, wine};
use crate::settings::transcript::{CASES, transcript};
use std::process::Output;

/// Runs tests of this binary with the Windows program; all must pass.
fn passes(test: &str, parts: &[Part], tests: &[&str]) {
    if !has(test, &[&[Part::Wine], parts].concat()) {
        return;
    }
    let mut command = wine::these_tests();
    command.args(["--include-ignored", "--test-threads=2"]);
    command.args(tests);
    judge(test, &command.output().expect("a run"));
}

/// Shows how many passed.
fn judge(test: &str, output: &Output) {
    let said = text(&output.stdout);
    let mut lines = said.lines().rev();
    let summary = lines.find(|line| line.starts_with("test result"));
    eprintln!("{test}: {}", summary.unwrap_or("no result"));
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn clients_are_sent_to_another_hub() {
    const TEST: &str = "windows::suites::clients_are_sent_to_another_hub";
    passes(TEST, &[], &["command::rehost"]);
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn answers_are_recorded() {
    const TEST: &str = "windows::suites::answers_are_recorded";
    passes(TEST, &[], &["command::answers"]);
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn the_javascript_client_hears_a_hub_from_up_to_down() {
    const TEST: &str = "windows::suites::the_javascript_client_hears_a_hub_from_up_to_down";
    let test = "command::bare::from_nothing_to_a_client_that_hears";
    passes(TEST, &[Part::Node], &[test]);
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn the_dotnet_client_hears_in_all_of_its_modes() {
    const TEST: &str = "windows::suites::the_dotnet_client_hears_in_all_of_its_modes";
    passes(TEST, &[Part::Peer], &["engine::dotnet::client"]);
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
    judge(TEST, &wine::output(&mut command));
    let theirs = folder.read("transcript");
    let ours = transcript(CASES);
    let mut pairs = ours.split("case ").zip(theirs.split("case "));
    if let Some((ours, theirs)) = pairs.find(|(ours, theirs)| ours != theirs) {
        panic!("here\n{ours}\nWindows\n{theirs}");
    }
    assert_eq!(ours, theirs);
    eprintln!("{TEST}: {CASES} cases, no difference");
}
