//! Tests that know no system, run with the Windows program.

use crate::harness::program::text;
use crate::harness::services::{Part, has};
use crate::harness::wine;

/// Runs tests of this binary with the Windows program; all must pass.
fn passes(test: &str, tests: &[&str], left_out: &[&str]) {
    if !has(test, &[Part::Wine]) {
        return;
    }
    let mut command = wine::these_tests();
    command
        .args(tests)
        .args(["--include-ignored", "--test-threads=2"]);
    for name in left_out {
        command.args(["--skip", name]);
    }
    let output = command.output().expect("a run");
    let said = text(&output.stdout);
    let summary = said
        .lines()
        .rev()
        .find(|line| line.starts_with("test result"));
    eprintln!("{test}: {}", summary.unwrap_or("no result"));
    assert!(output.status.success(), "{said}");
}

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn rehost() {
    passes("windows::suites::rehost", &["command::rehost"], &[]);
}
