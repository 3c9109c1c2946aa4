//! A checkout's folder as a stranger fills it: links, twins and encodings; nothing outside is read
//! or changed.
#![no_main]

use harmony::appsettings::document::{Document, NewValue};
use harmony::appsettings::key_path::KeyPath;
use harmony::appsettings::layers::{Layers, ProcessInputs};
use harmony::appsettings::{Links, SettingsFile, twins, write};
use libfuzzer_sys::fuzz_target;
use std::os::unix::fs::symlink;
use std::path::Path;

const OUTSIDE: &[u8] = b"{ \"Outside\": \"a secret that nobody may show\" }";
const SECRET: &str = "a secret that nobody may show";
const FILES: [&str; 4] = [
    "appsettings.json",
    "appsettings.Production.json",
    "appsettings.json.gz",
    "appsettings.json.br",
];
/// What a link may lead to, from the checkout's folder.
const TARGETS: [&str; 8] = [
    "../outside.json",
    "appsettings.Production.json",
    "below/../appsettings.json",
    "/dev/zero",
    "/proc/self/environ",
    ".",
    "..",
    "nowhere",
];

/// Fills the folder: two bits of a choice say what a file is, the next three where a link leads.
fn fill(folder: &Path, choices: &[u8; 4], bytes: &[u8]) {
    for (name, choice) in FILES.iter().zip(choices) {
        let path = folder.join(name);
        let made = match choice & 3 {
            0 => Ok(()),
            1 => symlink(TARGETS[usize::from(choice >> 2 & 7)], &path),
            _ => std::fs::write(&path, bytes),
        };
        made.expect("a file");
    }
}

fuzz_target!(|data: ([u8; 4], &[u8], &str)| {
    let (choices, bytes, key) = data;
    let place = tempfile::tempdir().expect("a folder");
    let outside = place.path().join("outside.json");
    std::fs::write(&outside, OUTSIDE).expect("a file");
    let root = place.path().join("checkout");
    std::fs::create_dir_all(root.join("below")).expect("a folder");
    fill(&root, &choices, bytes);
    let links = Links::Within(&root);
    match Layers::load(&root, links, "Production", &ProcessInputs::default()) {
        Ok(layers) => assert_ne!(layers.get("Outside"), SECRET),
        Err(error) => assert!(!error.to_string().contains(SECRET)),
    }
    if let Ok(Some(mut file)) = SettingsFile::read(&root.join(FILES[0]), links) {
        let value = NewValue::Text("fuzzed".into());
        let changed = file.document.set(&KeyPath::new(key), &value).is_ok();
        let twins = twins::stale(&file.path, &file.document.to_bytes(), links);
        let written = write(std::slice::from_ref(&file), &place.path().join("backups"));
        if changed && written.is_ok() {
            let read = std::fs::read(&file.path).expect("what was written");
            let document = Document::parse(&read).expect("settings");
            assert_eq!(document.get(&KeyPath::new(key)), Some("fuzzed"));
        }
        drop(twins);
    }
    assert_eq!(std::fs::read(&outside).expect("it is still there"), OUTSIDE);
});
