//! The rules of the house: who may import whom, a sentence at the head of each file, files that end in time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module of `src` may import; the same table stands in `lib.rs`. Unlisted is forbidden.
const IMPORTS: [(&str, &[&str]); 25] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "terminal",
            "plan",
            "checkout",
            "schema",
            "appsettings",
            "connection_string",
            "containers",
            "templates",
            "hub_process",
            "hub_client",
            "instance",
            "hub",
            "signalr",
            "broker",
            "listen",
            "tls",
            "telemetry",
            "secret",
            "hex",
        ],
    ),
    ("terminal", &[]),
    ("plan", &[]),
    ("checkout", &[]),
    ("schema", &["appsettings"]),
    ("appsettings", &["json", "hex"]),
    ("connection_string", &["secret"]),
    (
        "containers",
        &["connection_string", "broker", "signalr", "secret", "hex"],
    ),
    ("templates", &[]),
    ("hub_process", &["hub_client", "instance"]),
    ("hub_client", &["connection_string"]),
    ("instance", &[]),
    (
        "hub",
        &[
            "signalr",
            "broker",
            "appsettings",
            "connection_string",
            "listen",
            "tls",
            "telemetry",
            "json",
            "json_web_token",
            "secret",
        ],
    ),
    (
        "signalr",
        &["connection_string", "json", "message_pack", "secret", "hex"],
    ),
    ("broker", &["connection_string"]),
    ("listen", &[]),
    ("tls", &["secret"]),
    ("telemetry", &[]),
    ("json", &[]),
    ("message_pack", &[]),
    ("json_web_token", &[]),
    ("hex", &[]),
    ("secret", &[]),
    ("lib", &[]),
];

/// Inside `signalr`, a file may import only those before it.
const ENGINE: [&str; 13] = [
    "metrics",
    "gate",
    "value",
    "transport/websocket",
    "protocol",
    "broadcast",
    "outbox",
    "registry",
    "delivery",
    "results",
    "backplane",
    "clients",
    "connection",
];

/// A crate that is a door to something outside is opened in one place only.
const DOORS: [(&str, &str); 12] = [
    ("bollard", "src/containers/docker.rs"),
    ("lapin", "src/broker.rs"),
    ("redis", "src/signalr/backplane/redis.rs"),
    ("dialoguer", "src/terminal/prompt.rs"),
    ("indicatif", "src/terminal.rs"),
    ("jsonc_parser", "src/appsettings/document.rs"),
    ("jsonschema", "src/schema.rs"),
    ("tempfile", "src/appsettings.rs"),
    ("prometheus_client", "src/telemetry.rs"),
    ("tokio_tungstenite", "src/hub_client.rs"),
    ("rcgen", "src/tls.rs"),
    ("p12_keystore", "src/tls.rs"),
];

const AIM: usize = 300;
const END: usize = 800;
/// Files over the aim, each for a reason: they are one table, one state machine or one flow.
const LONG: [&str; 33] = [
    "src/appsettings/change.rs",
    "src/appsettings/document.rs",
    "src/appsettings/document/tree.rs",
    "src/broker.rs",
    "src/cli/answers.rs",
    "src/cli/doctor/checks.rs",
    "src/cli/execute.rs",
    "src/cli/failure.rs",
    "src/cli/report.rs",
    "src/cli/services.rs",
    "src/cli/settings.rs",
    "src/cli/setup/questions.rs",
    "src/cli/up.rs",
    "src/connection_string/redis.rs",
    "src/containers/docker.rs",
    "src/containers/docker/engine.rs",
    "src/hub/notification.rs",
    "src/hub/settings.rs",
    "src/hub/shape.rs",
    "src/json.rs",
    "src/message_pack.rs",
    "src/schema.rs",
    "src/signalr.rs",
    "src/signalr/backplane/redis.rs",
    "src/signalr/backplane/redis/log.rs",
    "src/signalr/connection.rs",
    "src/signalr/connection/invocations.rs",
    "src/signalr/endpoint.rs",
    "src/signalr/outbox.rs",
    "src/signalr/transport.rs",
    "src/signalr/transport/websocket.rs",
    "src/signalr/value.rs",
    "src/tls.rs",
];

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

/// The names that follow `crate::` in a file.
fn imports(text: &str) -> Vec<String> {
    let name = |rest: &str| {
        rest.chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect::<String>()
    };
    let text = code(text);
    let mut found: Vec<String> = text
        .split("crate::")
        .skip(1)
        .map(name)
        .filter(|name| !name.is_empty())
        .collect();
    for group in text.split("crate::{").skip(1) {
        let group = group.split(';').next().unwrap_or_default();
        found.extend(
            group
                .split([',', '{', '}'])
                .map(|part| name(part.trim()))
                .filter(|name| !name.is_empty() && !name.starts_with(char::is_uppercase)),
        );
    }
    found
}

#[test]
fn imports_point_down_only() {
    let table: BTreeMap<_, _> = IMPORTS.into();
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let own = module(&path);
        let allowed = table
            .get(own)
            .unwrap_or_else(|| panic!("{path} is in no table"));
        for import in imports(&text) {
            if import != own
                && table.contains_key(import.as_str())
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{path} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_stands_in_the_crates_documentation() {
    let documentation = std::fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    for (name, allowed) in IMPORTS {
        if name == "main" || name == "lib" {
            continue;
        }
        let row = documentation
            .lines()
            .find(|line| line.contains(&format!("| [`{name}`]")))
            .unwrap_or_else(|| panic!("{name} is not in lib.rs"));
        for import in allowed {
            assert!(
                row.contains(import),
                "lib.rs does not say that {name} may import {import}"
            );
        }
    }
}

#[test]
fn inside_the_engine_imports_point_down_too() {
    for (place, name) in ENGINE.iter().enumerate() {
        let text = code(
            &std::fs::read_to_string(root().join(format!("src/signalr/{name}.rs")))
                .expect("a file"),
        );
        for later in &ENGINE[place + 1..] {
            let import = format!("crate::signalr::{}::", later.replace('/', "::"));
            assert!(!text.contains(&import), "signalr/{name}.rs imports {later}");
        }
    }
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
            let ours =
                path == home || inside || (library == "redis" && !text.contains("::redis::aio"));
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
