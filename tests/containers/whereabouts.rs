//! Where Docker is, as Docker's own command line decides it.

use crate::harness::parts::{Part, has};
use crate::harness::program::{run, text};
use harmony::containers::whereabouts::Surroundings;
use std::process::Command;

fn host(docker_host: &str) -> Result<String, String> {
    let surroundings = Surroundings {
        host: Some(docker_host.to_owned()),
        ..Surroundings::default()
    };
    let found = surroundings.docker_host();
    found
        .map(|whereabouts| whereabouts.host)
        .map_err(|error| error.to_string())
}

/// Short forms and what they mean, as Docker 28 prints it.
const HOSTS: [(&str, &str); 17] = [
    (":2375", "tcp://localhost:2375"),
    (":6666/path", "tcp://localhost:6666/path"),
    ("127.0.0.1:2375", "tcp://127.0.0.1:2375"),
    (" tcp://x ", "tcp://x:2375"),
    ("tcp://", "tcp://localhost:2375"),
    ("tcp://:7777", "tcp://localhost:7777"),
    ("0.0.0.1:", "tcp://0.0.0.1:2375"),
    ("0.0.0.1:5555/path", "tcp://0.0.0.1:5555/path"),
    ("[::1]:", "tcp://[::1]:2375"),
    ("[::1]:5555", "tcp://[::1]:5555"),
    ("::1", "tcp://[::1]:2375"),
    ("localhost", "tcp://localhost:2375"),
    ("tcp://h:80", "tcp://h:80"),
    ("unix://", "unix:///var/run/docker.sock"),
    ("\tunix:///run/docker.sock\n", "unix:///run/docker.sock"),
    ("npipe://", "npipe:////./pipe/docker_engine"),
    (
        "ssh://me@h:2222/run/docker.sock",
        "ssh://me@h:2222/run/docker.sock",
    ),
];

const REFUSED: [&str; 6] = [
    "udp://127.0.0.1",
    "tcp://unix:///run/docker.sock",
    "tcp:a.b.c.d",
    "ssh://",
    "ssh://me:secret@h",
    "ssh://h?x=1",
];

#[test]
fn docker_host_is_read_in_every_form_that_docker_takes() {
    for (given, meant) in HOSTS {
        assert_eq!(host(given).as_deref(), Ok(meant), "{given:?}");
    }
    for given in REFUSED {
        let refusal = host(given).expect_err(given);
        assert!(refusal.contains("is not an engine's address"), "{refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn docker_itself_reads_docker_host_so() {
    if !has("docker_itself_reads_docker_host_so", &[Part::Docker]) {
        return;
    }
    let said = |host: &str| {
        let arguments = [
            "context",
            "inspect",
            "default",
            "--format",
            "{{.Endpoints.docker.Host}}",
        ];
        let output = run(Command::new("docker")
            .args(arguments)
            .env("DOCKER_HOST", host));
        text(&output.stdout).trim().to_owned()
    };
    for (given, meant) in HOSTS {
        assert_eq!(said(given), meant, "{given:?}");
    }
    for given in &REFUSED[..3] {
        assert_eq!(said(given), "", "{given:?}");
    }
}

#[test]
fn an_engine_behind_ssh_or_tcp_is_another_machine_unless_its_host_is_this_one() {
    let other = |docker_host: &str| {
        let surroundings = Surroundings {
            host: Some(docker_host.to_owned()),
            ..Surroundings::default()
        };
        surroundings.docker_host().expect("a host").other_machine()
    };
    assert_eq!(
        other("ssh://me@build.example.com").as_deref(),
        Some("build.example.com")
    );
    assert_eq!(other("10.0.0.7").as_deref(), Some("10.0.0.7"));
    for here in ["ssh://127.0.0.1:2222", ":2375", "unix://", "[::1]:2375"] {
        assert_eq!(other(here), None, "{here}");
    }
}
