//! The Windows program under Wine: tests of this binary run again with `harmony.exe`, and tests of
//! what only Windows has.
//!
//! Wine cannot show, and no test here claims:
//! - access lists themselves: Wine makes a mode of each, adds the rights of the folder even where a
//!   list is protected from them, and `files` looks at no more than that;
//! - the certificate store of a user, where `dotnet dev-certs` and `Import-Certificate` put theirs;
//! - ports that WinNAT reserves, and Docker Desktop itself: its pipe leads to this machine's engine;
//! - the console of Windows: Wine draws its own on this machine's terminal, without colours, and
//!   loses a key that comes while it draws. Whether a window opens, nobody sees;
//! - Ctrl-C from outside, a console that is closed, and the end of a Windows session;
//! - virus scanners and editors that hold a file: a test holds one as they do;
//! - a job that a terminal or a build server puts this program into.
//!
//! A process that is killed while it creates another leaves that one suspended, under Wine as on
//! Windows. No test counts a process that never ran (`wine::has_begun`).
//!
//! Tests that a suite leaves out are listed with their reasons in `skipped`.

mod counts;
mod engine;
mod files;
mod skipped;
mod suites;

use crate::harness::{Folder, wine};
use std::process::Command;

/// The Windows program in a test's folder.
fn windows(folder: &Folder, arguments: &[&str]) -> Command {
    let home = folder.path().join("home");
    std::fs::create_dir_all(&home).expect("a home");
    let mut command = wine::command(&home, &wine::harmony());
    command.current_dir(folder.path()).args(arguments);
    command
}
