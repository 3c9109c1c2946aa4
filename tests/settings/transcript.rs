//! What becomes of generated settings, as text: on every system the same, byte for byte.

use super::edits::{Case, case};
use crate::harness::{Folder, system};
use harmony::appsettings::document::NewValue;
use harmony::appsettings::key_path::KeyPath;
use harmony::appsettings::layers::{Layers, ProcessInputs};
use harmony::appsettings::{Links, SettingsFile, change, write};
use std::fmt::Write as _;
use std::path::Path;

/// How many cases two systems compare.
pub const CASES: u32 = 1200;
/// Values as people write them on Windows.
const PATHS: [&str; 4] = [
    r"C:\Harmony\keys\hub.pfx",
    r"\\server\share\hub",
    "D:/Harmony SignalR/é",
    "a\r\nb",
];

/// Writes the transcript for `tests/windows`, which reads the one of another system.
#[test]
#[ignore = "writes a file for another test"]
fn is_written() {
    if let Some(path) = std::env::var_os("HARMONY_TEST_TRANSCRIPT") {
        std::fs::write(path, transcript(CASES)).expect("a transcript");
    }
}

/// A paragraph for each case: the answers, and the bytes on disk after each step.
pub fn transcript(count: u32) -> String {
    (0..u64::from(count)).map(paragraph).collect()
}

fn paragraph(number: u64) -> String {
    let folder = Folder::new();
    let Case { before, key, value } = case(number);
    let value = match number % 5 {
        0 => Some(NewValue::Text(
            PATHS[number as usize / 5 % PATHS.len()].into(),
        )),
        _ => value,
    };
    let path = folder.path().join("appsettings.json");
    std::fs::write(&path, &before).expect("a file");
    let override_path = folder.path().join("appsettings.Development.json");
    std::fs::write(&override_path, case(number + 1).before).expect("a file");
    let mut text = format!("case {number}\n");
    let mut file = match SettingsFile::read(&path, Links::Followed) {
        Ok(file) => file.expect("a file"),
        Err(error) => return text + &answer(&folder, &error.to_string()),
    };
    let key = KeyPath::new(&key);
    let edited = match &value {
        Some(value) => file.document.set(&key, value),
        None => file.document.remove(&key),
    };
    let _ = writeln!(text, "{edited:?}");
    set_read_only(&path, number.is_multiple_of(7));
    let _held = (number % 7 == 1).then(|| system::hold_for_a_moment(&path));
    let backups = folder.path().join("backups");
    let written = match write(&[file], &backups) {
        Ok(paths) => format!("{} written", paths.len()),
        Err(error) => error.to_string(),
    };
    text += &answer(&folder, &written);
    set_read_only(&path, false);
    text += &bytes(&path);
    text += &settings(&folder);
    let undone = match change::undo(&backups, 1) {
        Ok(files) => format!("{} undone", files.len()),
        Err(error) => error.to_string(),
    };
    text += &answer(&folder, &undone);
    text + &bytes(&path)
}

fn set_read_only(path: &Path, read_only: bool) {
    let mut permissions = std::fs::metadata(path).expect("a file").permissions();
    if permissions.readonly() != read_only {
        #[allow(clippy::permissions_set_readonly_false)] // the test's own file
        permissions.set_readonly(read_only);
        std::fs::set_permissions(path, permissions).expect("permissions");
    }
}

fn settings(folder: &Folder) -> String {
    let inputs = ProcessInputs::default();
    match Layers::load(folder.path(), Links::Followed, "Development", &inputs) {
        Ok(layers) => layers
            .effective()
            .iter()
            .map(|setting| format!("{} = {:?}\n", setting.key, setting.value))
            .collect(),
        Err(error) => answer(folder, &error.to_string()),
    }
}

/// An answer without the folder, in one spelling of paths.
fn answer(folder: &Folder, text: &str) -> String {
    let folder = folder.path().display().to_string();
    text.replace(&folder, "").replace('\\', "/") + "\n"
}

fn bytes(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("a file");
    format!("{}\n", bytes.escape_ascii())
}
