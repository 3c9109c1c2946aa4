//! Help, usage errors and examples: what is shown is complete, and every example runs.

use super::bare::{Down, bare, json};
use crate::harness::program::{HARMONY, Program, harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";

/// Every command of the tree by its words, `help` left out.
fn all() -> Vec<(String, clap::Command)> {
    fn below(prefix: &str, command: &clap::Command, found: &mut Vec<(String, clap::Command)>) {
        for child in command.get_subcommands() {
            if child.get_name() == "help" || child.is_hide_set() {
                continue;
            }
            let path = format!("{prefix} {}", child.get_name()).trim().to_owned();
            below(&path, child, found);
            found.push((path, child.clone()));
        }
    }
    let mut found = Vec::new();
    below("", &harmony::cli::command(), &mut found);
    found
}

/// What `harmony WORDS --help` prints.
fn help_of(path: &str) -> String {
    let folder = Folder::new();
    let output = run(harmony(folder.path()).args(path.split(' ')).arg("--help"));
    assert!(output.status.success(), "{path}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The lines of a help's examples.
fn examples_of(path: &str) -> Vec<String> {
    let help = help_of(path);
    let (_, examples) = help
        .split_once("Examples:\n")
        .unwrap_or_else(|| panic!("{path} has no examples:\n{help}"));
    examples
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn harmony_alone_is_a_page_that_fits_on_a_screen() {
    let folder = Folder::new();
    let output = run(&mut harmony(folder.path()));
    let page = text(&output.stdout);
    assert!(output.status.success());
    assert!(page.lines().count() <= 24, "{page}");
    assert!(
        page.lines().all(|line| line.chars().count() <= 80),
        "{page}"
    );
    for command in ["up", "setup", "verify", "status", "down"] {
        assert!(page.contains(&format!("harmony {command}")), "{page}");
    }
}

#[test]
fn help_lists_every_command_in_groups() {
    let folder = Folder::new();
    let help = text(&run(harmony(folder.path()).arg("--help")).stdout);
    for group in [
        "Set up:",
        "Look:",
        "Settings:",
        "Serve:",
        "More:",
        "Global options:",
    ] {
        assert!(help.contains(group), "{group} is missing:\n{help}");
    }
    for (path, _) in all() {
        if !path.contains(' ') {
            assert!(
                help.contains(&format!("\n  {path} ")),
                "{path} is missing:\n{help}"
            );
        }
    }
}

#[test]
fn global_options_are_shown_only_where_they_mean_something() {
    assert!(help_of("up").contains("--record-answers"));
    for path in ["status", "logs", "verify", "settings get"] {
        assert!(!help_of(path).contains("--record-answers"), "{path}");
    }
    assert!(!help_of("status").contains("--dry-run"));
    assert!(help_of("settings set").contains("--dry-run"));
    assert!(!help_of("completions").contains("--checkout"));
    // They are taken everywhere all the same: a script may pass the same ones to every command.
    let folder = Folder::new();
    let mut status = bare(
        &folder,
        &["status", "--dry-run", "--timeout", "5s", "--yes"],
    );
    json(&mut status);
}

#[test]
fn every_command_has_an_alias_that_people_try() {
    let folder = Folder::new();
    for [alias, command] in [
        ["start", "up"],
        ["stop", "down"],
        ["ps", "status"],
        ["init", "setup"],
    ] {
        assert_eq!(help_of(alias), help_of(command));
    }
    let version = |words: &str| text(&run(harmony(folder.path()).arg(words)).stdout);
    assert_eq!(version("version"), version("--version"));
}

#[test]
fn usage_errors_are_json_where_json_was_asked_for() {
    let folder = Folder::new();
    for (arguments, message, fix) in [
        (
            &["statsu", "--json"][..],
            "unrecognized subcommand 'statsu'",
            "status",
        ),
        (
            &["--json", "up", "--redsi", "x"],
            "unexpected argument '--redsi'",
            "--redis",
        ),
        (
            &["settings", "get", "--json"],
            "required arguments were not provided: <KEY>",
            "--help",
        ),
        (&["up", "--hub", "proces", "--json"], "proces", "process"),
        (&["up", "--timeout", "soon", "--json"], "soon", "--help"),
        (&["--json"], "no command given", "--help"),
    ] {
        let output = run(harmony(folder.path()).args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?} {error}: {}", text(&output.stdout)));
        let error = &answer["error"];
        assert_eq!(error["code"], "usage", "{answer}");
        let said = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert!(said("message").contains(message), "{answer}");
        assert!(said("fix").contains(fix), "{answer}");
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    }
    let output = run(harmony(folder.path()).args(["statsu"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("status"));
}

#[test]
fn a_misspelt_value_is_no_host_name() {
    let folder = Folder::new();
    for (flag, value, meant) in [
        ("--redis", "contaner", "container"),
        ("--redis", "non", "none"),
        ("--rabbitmq", "embeded", "embedded"),
        ("--rabbitmq", "Container", "container"),
    ] {
        let output = run(harmony(folder.path()).args(["up", "--dry-run", flag, value]));
        assert_eq!(output.status.code(), Some(2), "{value}");
        let said = text(&output.stderr);
        assert!(said.contains(&format!("did you mean '{meant}'")), "{said}");
    }
    // A host that is only called alike is still a host.
    let output = run(harmony(folder.path()).args([
        "up",
        "--dry-run",
        "--yes",
        "--rabbitmq=embedded",
        "--redis=contaner:6379",
    ]));
    assert_ne!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn every_command_has_two_or_three_examples() {
    for (path, _) in all() {
        let count = examples_of(&path).len();
        assert!((2..=3).contains(&count), "{path} has {count} examples");
    }
}

/// A line as a shell runs it, with `harmony` on its path.
fn shell(folder: &Folder, line: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.env_clear().current_dir(folder.path());
    for (name, value) in harmony(folder.path()).get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let program = Path::new(HARMONY).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(program.to_owned()).chain(std::env::split_paths(&path)),
    );
    shell
        .env("PATH", path.expect("a path"))
        .env("TERM", "dumb")
        .args(["-c", line]);
    shell
}

#[test]
fn every_example_runs() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    folder.write(
        "body.json",
        &format!("{{\"BoardId\":\"{BOARD}\",\"BoardListId\":\"{BOARD}\",\"Title\":\"Done\"}}"),
    );
    std::fs::create_dir_all(folder.path().join("home/.config/fish/completions")).expect("folders");
    let mut ran = 0;
    let (last, first): (Vec<_>, Vec<_>) = all()
        .into_iter()
        .map(|(path, _)| path)
        .partition(|path| path == "down");
    for path in first.iter().chain(&last) {
        for line in examples_of(path) {
            match expected(&line) {
                Expected::Elsewhere => continue,
                Expected::Serves => {
                    let mut program = Program::start(&mut shell(&folder, &format!("exec {line}")));
                    program.wait_for_line("Application started.");
                }
                Expected::Ends(codes) => {
                    let output = run(&mut shell(&folder, &line));
                    let code = output.status.code().expect("an exit code");
                    assert!(
                        codes.contains(&code),
                        "{line}: {code}\n{}\n{}",
                        text(&output.stdout),
                        text(&output.stderr)
                    );
                }
            }
            ran += 1;
        }
    }
    assert!(ran > 40, "{ran} examples ran");
}

/// How an example ends here.
enum Expected {
    Ends(&'static [i32]),
    /// It goes on until it is stopped.
    Serves,
    /// Another test runs it.
    Elsewhere,
}

fn expected(line: &str) -> Expected {
    match line {
        // The wizard's own tests drive these on a terminal.
        "harmony setup" | "harmony setup --record-answers answers.json" => Expected::Elsewhere,
        line if line.starts_with("harmony settings edit") => Expected::Elsewhere,
        // The tests of doctor do, on a hub that is well.
        line if line.contains("--fix") => Expected::Elsewhere,
        // Would start containers: the tests with Docker do.
        "harmony up --yes" => Expected::Elsewhere,
        line if line.starts_with("harmony hub") || line.contains("--follow") => Expected::Serves,
        // Tests of its own listen and publish at the same time.
        line if line.starts_with("harmony listen") => Expected::Elsewhere,
        line if line.contains("--detailed-exitcode") => Expected::Ends(&[0, 4]),
        // The hub of this test has no broker, which is said.
        line if line.starts_with("harmony rejected") => Expected::Ends(&[1]),
        // It warns about what this machine lacks.
        line if line.starts_with("harmony doctor") => Expected::Ends(&[0, 1]),
        // Nothing listens there.
        line if line.contains("--url") => Expected::Ends(&[0, 1]),
        _ => Expected::Ends(&[0]),
    }
}
