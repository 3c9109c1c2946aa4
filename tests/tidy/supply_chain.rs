//! What the program is built from: known licences, one registry, nothing that is banned, all by
//! `.cargo/deny.toml`.

use super::root;
use serde_json::Value;
use std::process::Command;

/// The texts of a list in `.cargo/deny.toml`, which has each on one line.
fn listed(name: &str) -> Vec<String> {
    let file = std::fs::read_to_string(root().join(".cargo/deny.toml")).expect("deny.toml");
    let line = file
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_prefix('='))
        .unwrap_or_else(|| panic!("no {name} in deny.toml"));
    serde_json::from_str(line.trim()).expect("a list of texts")
}

/// Whether a licence expression can be met with the allowed ones.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let one = |licence: &str| {
        let base = licence.split(" WITH ").next().unwrap_or(licence);
        allowed.iter().any(|known| known == base.trim())
    };
    // Alternatives stand in brackets where everything else is joined by AND.
    expression.replace('/', " OR ").split(" AND ").all(|part| {
        let part = part.trim().trim_matches(['(', ')']);
        part.split(" OR ").any(one)
    })
}

#[test]
fn dependencies_are_of_known_licences_and_sources() {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    let output = metadata.current_dir(root()).output().expect("cargo");
    let said: Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let (allowed, banned, registries) =
        (listed("allow "), listed("deny "), listed("allow-registry "));
    let mut wrong = Vec::new();
    let packages = said["packages"].as_array().expect("packages");
    for package in packages {
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        let (name, licence, source) = (text("name"), text("license"), text("source"));
        let is_ours = name == env!("CARGO_PKG_NAME");
        let known = registries
            .iter()
            .any(|registry| source == format!("registry+{registry}"));
        if !is_met(licence, &allowed) {
            wrong.push(format!("{name}: the licence {licence} is not allowed"));
        }
        if !is_ours && !known {
            wrong.push(format!("{name}: it comes from {source}"));
        }
        if banned.iter().any(|banned| banned == name) {
            wrong.push(format!("{name}: it is banned"));
        }
    }
    assert!(packages.len() > 100 && wrong.is_empty(), "{wrong:#?}");
    assert!(is_met("(MIT OR GPL-3.0) AND ISC", &allowed));
    assert!(!is_met("MIT AND GPL-3.0", &allowed));
}
