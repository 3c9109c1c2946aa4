//! The rules of the house: who may import whom, a sentence at the head of each file, short files.

mod imports;
mod type_names;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A crate that is a door to something outside is opened in one place only.
const DOORS: [(&str, &str); 14] = [
    ("bollard", "src/containers/docker.rs"),
    ("lapin", "src/broker.rs"),
    ("redis", "src/redis.rs"),
    ("dialoguer", "src/terminal/prompt.rs"),
    ("indicatif", "src/terminal.rs"),
    ("jsonschema", "src/schema.rs"),
    ("tempfile", "src/appsettings.rs"),
    ("prometheus_client", "src/telemetry.rs"),
    ("tokio_tungstenite", "src/hub_client.rs"),
    ("rcgen", "src/tls.rs"),
    ("p12_keystore", "src/tls.rs"),
    ("rustix", "src/platform.rs"),
    ("sysinfo", "src/platform.rs"),
    ("listeners", "src/platform.rs"),
];

const AIM: usize = 300;
const END: usize = 600;
/// Files over the aim: each is one table.
const LONG: &[&str] = &["src/hub/notification/table.rs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, by its path from the root.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                let name = entry
                    .strip_prefix(root())
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, std::fs::read_to_string(&entry).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    const AGREED: [&str; 9] = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "schemas",
        "src",
        "target",
        "templates",
        "tests",
    ];
    let entries = std::fs::read_dir(root()).expect("the root");
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || AGREED.contains(&&*name),
            "{name} does not belong to the top level"
        );
    }
}

/// The module of `src` that a file belongs to.
fn module(path: &str) -> &str {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/').next().unwrap_or(path)
}

/// Code without its comments.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What each module may import, as the table in the documentation of `lib.rs` says.
fn import_table() -> BTreeMap<String, BTreeSet<String>> {
    let documentation = std::fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let rows = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`"));
    let mut table: BTreeMap<_, BTreeSet<_>> = rows
        .map(|row| {
            let (name, rest) = row.split_once('`').expect("a name between backticks");
            let (_, allowed) = rest
                .trim_end_matches([' ', '|'])
                .rsplit_once('|')
                .unwrap_or_default();
            let allowed = allowed.split(',').map(|name| name.trim().to_owned());
            (name.to_owned(), allowed.collect())
        })
        .collect();
    table.insert("main".into(), BTreeSet::from(["cli".into()]));
    table.insert("lib".into(), BTreeSet::new());
    table
}

#[test]
fn imports_follow_the_table_in_the_crates_documentation() {
    let table = import_table();
    let mut wrong = Vec::new();
    for (path, imports) in imports::of_the_crate() {
        let own = module(&path);
        let allowed = table
            .get(own)
            .unwrap_or_else(|| panic!("lib.rs does not list {own}"));
        let others = imports.iter().filter(|import| module(import) != own);
        let forbidden = others.filter(|import| !allowed.contains(module(import)));
        wrong.extend(forbidden.map(|import| format!("{path} imports {import}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = imports::cycles(&imports::of_the_crate());
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn each_door_is_one_file() {
    for (path, text) in sources("src") {
        let text = code(&text);
        for (library, home) in DOORS {
            let used = text.contains(&format!("use {library}::"))
                || text.contains(&format!(" {library}::"))
                || text.contains(&format!("::{library}::aio"));
            let inside = path.starts_with(&format!("{}/", home.trim_end_matches(".rs")));
            // Modules of ours have its name too.
            let ours =
                path == home || inside || (library == "redis" && !text.contains(" ::redis::"));
            assert!(!used || ours, "{path} uses {library}, whose home is {home}");
        }
    }
}

#[test]
fn every_file_opens_with_a_sentence_and_ends_in_time() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 20,
            "{path} does not open with what it is for"
        );
        let lines = text.lines().count();
        assert!(lines <= END, "{path} has {lines} lines");
        assert!(
            lines <= AIM || LONG.contains(&path.as_str()) || path.starts_with("tests/"),
            "{path} has {lines} lines, over the aim of {AIM}"
        );
    }
}

#[test]
fn only_the_terminal_prints_and_nobody_exits() {
    for (path, text) in sources("src") {
        let text = code(&text);
        for forbidden in [
            "println!",
            "eprintln!",
            "process::exit",
            "todo!",
            "unimplemented!",
            ".unwrap()",
            "unsafe ",
        ] {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
        assert!(!path.ends_with("/mod.rs"), "{path}");
    }
}

#[test]
fn names_say_something() {
    for path in sources("src").keys().chain(sources("tests").keys()) {
        let stem = Path::new(path)
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(
            ![
                "util", "utils", "helper", "helpers", "common", "misc", "manager"
            ]
            .contains(&stem.as_str()),
            "{path}"
        );
    }
}

#[test]
fn no_second_provider_of_cryptography() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    assert!(!lock.contains("name = \"aws-lc-rs\"") && !lock.contains("name = \"openssl\""));
}

#[test]
fn only_the_platform_knows_the_operating_system() {
    for (path, text) in sources("src") {
        let text = code(&text);
        for forbidden in [
            "cfg(unix",
            "cfg(windows",
            "cfg(not(",
            "target_os",
            "target_family",
            "std::os::",
            "tokio::signal",
            "UnixStream",
        ] {
            let inside = path.starts_with("src/platform");
            assert!(
                inside || !text.contains(forbidden),
                "{path} has {forbidden}"
            );
        }
    }
}
