//! Which failures make a run look and plan again, and how often.

use crate::harness::installation::{Installation, docker, json};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::Program;
use crate::harness::{free_port, wait_for};
use harmony::containers::Service;
use harmony::containers::docker::DockerError;
use harmony::provision::error::Error;
use harmony::provision::retries::Retries;

fn died(code: i64, was_running: bool) -> Error {
    Error::ContainerDied {
        service: Service::Redis,
        code,
        log: String::new(),
        was_running,
    }
}

#[test]
fn a_running_container_that_is_killed_is_planned_again_once() {
    let mut retries = Retries::default();
    assert!(retries.may_help(&died(137, true)));
    assert!(!retries.may_help(&died(137, true)));
}

#[test]
fn a_container_that_dies_by_itself_is_not_planned_again() {
    let mut retries = Retries::default();
    assert!(!retries.may_help(&died(1, true)), "it ended by itself");
    assert!(!retries.may_help(&died(137, false)), "this run started it");
}

#[test]
fn a_port_that_others_take_is_planned_again_a_few_times() {
    let mut retries = Retries::default();
    let taken = Error::Docker(DockerError::PortTaken { port: 6379 });
    let helped = (0..10).take_while(|_| retries.may_help(&taken)).count();
    assert_eq!(helped, 3);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn a_container_that_is_killed_while_up_waits_for_it_is_started_again() {
    const TEST: &str = "a_container_that_is_killed_while_up_waits_for_it_is_started_again";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let here = Installation::new();
    let image = format!("{}/redis:7-alpine", registry().expect("a registry"));
    let port = free_port().to_string();
    let up = || here.up_with_redis(&image, &["--redis-port", &port]);
    json(&mut up());
    let redis = here.container("redis");
    // It runs and says nothing, so that `up` waits for it.
    docker(&["kill", "--signal", "STOP", &redis]);
    let mut waiting = Program::start(up().arg("--json"));
    wait_for("up to wait for Redis", || {
        let lines = waiting.lines();
        lines
            .iter()
            .any(|line| line.contains("waiting for redis"))
            .then_some(())
    });
    docker(&["kill", &redis]);
    assert_eq!(waiting.wait(), Some(0), "{}", waiting.lines().join("\n"));
    let state = docker(&["inspect", "-f", "{{.State.Running}}", &redis]);
    assert_eq!(state.trim(), "true");
}
