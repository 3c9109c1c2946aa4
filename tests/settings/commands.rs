//! `harmony settings`, as users and scripts see it.

mod reading;
mod writing;

use crate::command::checkouts::new_layout;
use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use serde_json::Value;

const BASE: &str = "src/Services/Harmony.SignalR/appsettings.json";
const PRODUCTION: &str = "src/Services/Harmony.SignalR/appsettings.Production.json";

fn checkout() -> Folder {
    let folder = Folder::new();
    new_layout(&folder);
    folder
}

fn settings(folder: &Folder, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(harmony(folder.path())
        .args(["settings", "--json"])
        .args(arguments));
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr))
    });
    (output.status.code(), answer)
}

fn said(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(harmony(folder.path()).arg("settings").args(arguments));
    let code = output.status.code();
    (code, text(&output.stdout), text(&output.stderr))
}
