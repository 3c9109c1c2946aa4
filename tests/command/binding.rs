//! `--bind` with addresses that people give: found again as they are, reached where they are, and
//! refused where they are another machine's.

use super::bare::json;
use super::docker::{docker, down, with};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{run, text};
use crate::harness::{Folder, free_port, unique};
use std::process::Command;

fn up(folder: &Folder, instance: &str, arguments: &[&str]) -> Command {
    let mut command = with(folder, instance, &["up", "--yes", "--hub", "none"]);
    command.args(["--redis", "container", "--rabbitmq", "embedded"]);
    command.args(["--image-registry", &registry().expect("a registry")]);
    command.args(arguments);
    command
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_container_on_any_address_of_ours_is_found_again() {
    const TEST: &str = "a_container_on_any_address_of_ours_is_found_again";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    for (bind, reached) in [
        ("127.0.0.2", "127.0.0.2:"),
        ("::1", "[::1]:"),
        ("::", "[::1]:"),
        ("0.0.0.0", "127.0.0.1:"),
    ] {
        let (folder, instance) = (Folder::new(), unique("t"));
        let _down = down(&folder, &instance);
        let port = free_port().to_string();
        let first = json(&mut up(
            &folder,
            &instance,
            &["--bind", bind, "--redis-port", &port],
        ));
        let endpoint = first["redis"]["endpoint"].as_str().unwrap_or_default();
        assert_eq!(endpoint, format!("{reached}{port}"), "{bind}");
        let container = format!("harmony-{instance}-redis");
        let template = "{{json (index .HostConfig.PortBindings \"6379/tcp\")}}";
        let published = docker(&["inspect", "--format", template, &container]);
        assert!(
            published.contains(&format!("\"HostIp\":\"{bind}\"")),
            "{published}"
        );
        // Neither with the same words nor with what is remembered does anything change.
        for again in [&["--bind", bind][..], &[]] {
            let report = json(&mut up(&folder, &instance, again));
            assert_eq!(report["changes"], 0, "{bind}: {report}");
        }
    }
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn an_address_of_another_machine_is_not_called_a_port_in_use() {
    const TEST: &str = "an_address_of_another_machine_is_not_called_a_port_in_use";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    // Set aside for documentation: nobody has it.
    let refused = run(&mut up(
        &folder,
        &instance,
        &["--bind", "192.0.2.1", "--json"],
    ));
    let said = text(&refused.stdout);
    assert!(!refused.status.success());
    assert!(
        said.contains("192.0.2.1 is not an address of this machine"),
        "{said}"
    );
    assert!(!said.contains("in use"), "{said}");
}
