//! .NET asked what it reads: its settings by `refconfig`, its environment by `refhub`.

use crate::harness::Folder;
use crate::harness::parts::{Part, has};
use crate::harness::program::{dotnet, peer, run, text};
use harmony::appsettings::Links;
use harmony::appsettings::key_path::fold;
use harmony::appsettings::layers::{Layers, ProcessInputs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each case starts a .NET process, so a plain run takes few; HARMONY_CASES asks for more.
pub fn cases(default: u32) -> u32 {
    number("HARMONY_CASES").map_or(default, |cases| cases as u32)
}

/// What generated cases begin with; HARMONY_SEED asks for others.
pub fn seed() -> u64 {
    number("HARMONY_SEED").unwrap_or(17)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The .NET peer, where the test can have it.
pub fn oracle(test: &str) -> Option<PathBuf> {
    has(test, &[Part::Peer]).then(|| peer().expect("the peer"))
}

/// What .NET reads in a folder, by folded key; `None` where it refuses to start.
pub fn dotnet_settings(
    peer: &Path,
    folder: &Path,
    environment: &str,
    started: &ProcessInputs,
) -> Option<BTreeMap<String, String>> {
    let mut command = dotnet(peer, "refconfig");
    command
        .env_clear()
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .env("IGNORE", "plain")
        .envs(started.variables.iter().cloned())
        .args(["settings", folder.to_str().expect("text"), environment])
        .args(&started.arguments);
    let output = run(&mut command);
    let theirs: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)));
    if theirs.get("error").is_some_and(Value::is_string) {
        return None;
    }
    let settings = theirs.as_object().expect("settings").iter();
    let settings: Vec<_> = settings
        .filter(|(key, _)| is_of_the_case(key))
        .filter_map(|(key, setting)| Some((fold(key), setting["value"].as_str()?.to_owned())))
        .collect();
    let count = settings.len();
    let settings: BTreeMap<_, _> = settings.into_iter().collect();
    assert_eq!(settings.len(), count, "we take two of .NET's keys for one");
    Some(settings)
}

/// The oracle's own variables are no part of a case.
fn is_of_the_case(key: &str) -> bool {
    key != "IGNORE" && !key.contains("SYSTEM_GLOBALIZATION")
}

/// What we read there, likewise.
pub fn our_settings(
    folder: &Path,
    environment: &str,
    started: &ProcessInputs,
) -> Result<BTreeMap<String, String>, String> {
    let layers = Layers::load(folder, Links::Followed, environment, started)
        .map_err(|error| error.to_string())?;
    let settings = layers.effective().into_iter();
    Ok(settings
        .filter(|setting| is_of_the_case(&setting.key))
        .filter_map(|setting| Some((fold(&setting.key), setting.value.clone()?)))
        .collect())
}

/// Reads one file both ways and tells the difference, if there is one; true where both refuse.
pub fn compare(peer: &Path, bytes: &[u8]) -> Result<bool, String> {
    let folder = Folder::new();
    std::fs::write(folder.path().join("appsettings.json"), bytes).expect("a file");
    compare_folder(peer, &folder, &ProcessInputs::default())
        .map_err(|difference| format!("{:?}\n{difference}", String::from_utf8_lossy(bytes)))
}

/// Reads the files of a folder both ways.
pub fn compare_folder(
    peer: &Path,
    folder: &Folder,
    started: &ProcessInputs,
) -> Result<bool, String> {
    let theirs = dotnet_settings(peer, folder.path(), "Development", started);
    let ours = our_settings(folder.path(), "Development", started);
    match (&theirs, &ours) {
        (None, Err(_)) => Ok(true),
        (Some(theirs), Ok(ours)) if theirs == ours => Ok(false),
        _ => Err(format!("ours {ours:?}\n.NET {theirs:?}")),
    }
}

/// Runs many cases on all cores; returns how many both refused.
pub fn all<T: Sync>(cases: &[T], compare: impl Fn(&T) -> Result<bool, String> + Sync) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let size = cases.len().div_ceil(threads).max(1);
    let failures: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .chunks(size)
            .map(|chunk| scope.spawn(|| chunk.iter().map(&compare).collect::<Vec<_>>()))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("a thread"))
            .collect()
    });
    let refused = failures.iter().filter(|case| **case == Ok(true)).count();
    let failures: Vec<_> = failures.into_iter().filter_map(Result::err).collect();
    let shown: Vec<_> = failures.iter().take(8).cloned().collect();
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        cases.len(),
        shown.join("\n\n")
    );
    refused
}
