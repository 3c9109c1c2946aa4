//! Every command that the README shows, run in its order in a checkout.

use super::bare::Down;
use super::checkouts::new_layout;
use crate::harness::program::{HARMONY, Program, harmony, run, text};
use crate::harness::terminal::{ENTER, Shape, Terminal};
use crate::harness::{Folder, free_port};
use std::path::Path;
use std::process::Command;

/// What has tests of its own, or is the tests: the suite, benchmarks, the example.
const ELSEWHERE: [&str; 4] = [
    "tests/run",
    "HARMONY_",
    "cargo run --release --example",
    "cargo install",
];

/// The README's lines of commands, without their comments.
fn commands() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let lines = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = lines.filter(|line| {
        let first = line.split(' ').next().unwrap_or_default();
        ["harmony", "cd", "cargo"].contains(&first)
            || ELSEWHERE.iter().any(|own| line.starts_with(own))
    });
    commands
        .map(|line| {
            line.split("  #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .filter(|line| !ELSEWHERE.iter().any(|own| line.starts_with(own)))
        .collect()
}

/// A shell in a folder, `harmony` on its path, no Docker.
fn shell(folder: &Folder, script: &str) -> Command {
    let mut command = Command::new("bash");
    command
        .current_dir(folder.path())
        .args(["-e", "-c", script]);
    for (name, value) in harmony(folder.path()).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let own = Path::new(HARMONY).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
    command
        .env("PATH", path.expect("a path"))
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .env("GITHUB_ENV", folder.path().join("github.env"));
    command
}

/// Answers what is asked with the defaults.
fn accept(mut terminal: Terminal, questions: &[&str]) {
    for question in questions {
        terminal.answer(question, ENTER);
    }
    terminal.sees("Next: harmony verify");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
}

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    let folder = Folder::new();
    new_layout(&folder);
    folder.write("path/to/.keep", "");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("path/to/Harmony"))
        .expect("a link");
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    for command in &commands {
        eprintln!("$ {command}");
        let script = command
            .replace("cargo run --release -- ", "harmony ")
            .replace("https://hub.example.com", &url)
            .replace("https://gateway.example.com", &url)
            .replace("DIR", "src/Services/Harmony.SignalR");
        let on_terminal =
            |script: &str| Terminal::start(&shell(&folder, script), Shape::columns(100));
        match command.as_str() {
            "cd path/to/Harmony && harmony up" => {
                let chosen = format!("{script} --redis none --rabbitmq embedded --hub-url {url}");
                accept(on_terminal(&chosen), &["? Go ahead?"]);
            }
            "harmony setup" => accept(
                on_terminal(&script),
                &[
                    "? Redis:",
                    "? RabbitMQ:",
                    "? Hub address",
                    "? Hub:",
                    "? Review:",
                ],
            ),
            hub if hub.starts_with("harmony hub") => {
                let script = format!(
                    "exec {script} --urls http://127.0.0.1:0 --redis=none --rabbitmq=embedded"
                );
                Program::start(&mut shell(&folder, &script)).wait_for_line("Now listening on");
            }
            _ => {
                let output = run(&mut shell(&folder, &script));
                let (out, error) = (text(&output.stdout), text(&output.stderr));
                let pending =
                    script.contains("--detailed-exitcode") && output.status.code() == Some(4);
                assert!(output.status.success() || pending, "{script}: {out}{error}");
            }
        }
    }
    let handed_on = folder.read("github.env");
    assert!(
        handed_on.contains(&format!("HARMONY_HUB_URL={url}")),
        "{handed_on}"
    );
}
