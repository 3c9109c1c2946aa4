//! Tests of the suites that the Windows program is not put to under Wine, each with its reason.

use super::counts::note_skipped;
use crate::harness::program::text;
use std::process::Command;

/// A test's name, and why it says nothing of the Windows program, or what Wine lacks for it.
pub const SKIPPED: &[(&str, &str)] = &[
    (
        "settings::commands::writing::files_are_born_private_and_keep_their_mode",
        "modes are of Linux; windows::files looks at what Wine makes of access lists",
    ),
    (
        "command::doctor::a_secret_that_git_tracks_is_pointed_out",
        "there is no git for Windows here",
    ),
    (
        "command::doctor::certs_trust_reaches_the_browsers_and_clean_takes_it_back",
        "browsers on Linux have stores of their own; Windows has one store for all",
    ),
    (
        "command::setup::poor::poor_terminals_will_do",
        "Wine draws the console itself, with escape sequences and colours of its own",
    ),
    (
        "command::bare::without_docker_and_servers_up_falls_back_to_embedded_and_says_so",
        "hides the engine from a program of Linux",
    ),
    (
        "command::killed::killed_at_any_moment_with_containers_the_next_up_reaches_the_same_state",
        "its containers need a named pipe; windows::engine makes one",
    ),
    (
        "command::lifecycle::down_everything_takes_containers_too_and_names_the_images_that_stay",
        "its containers need a named pipe; windows::engine makes one",
    ),
    (
        "security::answers::a_server_elsewhere_hears_a_files_password_only_after_the_agreement",
        "Wine does not reach IPv4 by an IPv6 address (::ffff:127.0.0.1)",
    ),
    (
        "security::answers::an_edited_address_gets_the_settings_password_only_after_the_agreement",
        "Wine does not reach IPv4 by an IPv6 address (::ffff:127.0.0.1)",
    ),
    (
        "security::certificate::our_certificate_is_made_anew_before_it_ends",
        "there is no openssl for Windows here",
    ),
    (
        "security::certificate::who_trusts_the_development_certificate_reaches_the_hub",
        "there is no openssl for Windows here",
    ),
    (
        "security::holdings::what_clients_make_the_hub_hold_has_one_limit",
        "measures the memory of a process of Linux",
    ),
];

/// Tests that only a Windows process can put the Windows program to.
pub const MIXED: &[(&str, &str)] = &[(
    "settings::change::a_second_run_is_told_who_works",
    "a lock of Linux is none to Wine; as a Windows process the test runs",
)];

#[test]
#[ignore = "needs Wine and a Windows build: run tests/run --windows"]
fn each_of_them_exists_and_is_shown() {
    let mut list = Command::new(std::env::current_exe().expect("this program"));
    let listed = text(&list.arg("--list").output().expect("a list").stdout);
    for (test, reason) in SKIPPED.iter().chain(MIXED) {
        assert!(listed.contains(&format!("{test}: test")), "{test}");
        note_skipped(test, reason);
    }
}
