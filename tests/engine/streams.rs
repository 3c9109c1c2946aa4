//! Streams both ways, client results, and what a hub is told of its callers, by the official
//! JavaScript client in both protocols.

use crate::harness::parts::{Part, has, node_modules};
use crate::harness::program::{Conformance, Program};
use serde_json::Value;
use std::process::Command;

/// Runs `tests/clients/NAME` with the client's modules; every line is a check that went well, the
/// last one `done`.
fn suite(name: &str, arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new("node");
    command.arg(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/clients")
            .join(name),
    );
    command
        .arg(node_modules().expect("the client's modules"))
        .args(arguments);
    let mut program = Program::start(&mut command);
    program.wait_for_line("\"done\"");
    program
        .lines()
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
#[ignore = "needs the JavaScript client: run tests/run"]
fn the_official_client_finds_everything_that_a_hub_can_do() {
    if !has(
        "the_official_client_finds_everything_that_a_hub_can_do",
        &[Part::Node],
    ) {
        return;
    }
    by_both_versions("functional_node.mjs", "in Node");
}

/// Every check, over every transport and protocol, by two versions of the official client.
fn by_both_versions(program: &str, place: &str) {
    let served = node_modules().expect("the client's modules");
    let served = served.to_str().expect("text");
    let server = Conformance::with("", &[("NODE_MODULES", served)]);
    for (version, modules) in [
        ("8", &[][..]),
        ("10", &["signalr-10", "signalr-protocol-msgpack-10"]),
    ] {
        let checks = suite(program, &[&[server.url.as_str()], modules].concat());
        let done = checks.last().expect("an end");
        assert_eq!(done["failed"], 0, "{checks:#?}");
        let done = &done["done"];
        eprintln!("{done} checks by the official client {version} {place}");
    }
}

#[test]
#[ignore = "needs the JavaScript client and Chromium: run tests/run"]
fn a_real_browser_finds_it_too() {
    if !has("a_real_browser_finds_it_too", &[Part::Node, Part::Chromium]) {
        return;
    }
    by_both_versions("functional_browser.mjs", "in Chromium");
}

#[test]
#[ignore = "needs the Python clients: run tests/run"]
fn three_python_clients_find_it_too() {
    if !has("three_python_clients_find_it_too", &[Part::Python]) {
        return;
    }
    let server = Conformance::start("");
    let mut command = Command::new("python3");
    command
        .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/functional.py"))
        .arg(&server.url);
    command.env(
        "PYTHONPATH",
        std::env::var_os("HARMONY_TEST_PYTHON").expect("the clients"),
    );
    let mut program = Program::start(&mut command);
    let end = program.wait_for_line("{\"done\": ");
    assert!(end.ends_with("\"failed\": []}"), "{end}");
    eprintln!(
        "{} checks by aiosignalr, pysignalr and signalrcore",
        end.split(',').next().unwrap_or_default()
    );
}
