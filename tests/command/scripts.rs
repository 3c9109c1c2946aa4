//! Output for scripts: variables read back by their readers, streams that end quietly.

use super::bare::{Down, bare, json};
use crate::harness::parts::{Part, has};
use crate::harness::program::{Program, harmony, run, text};
use crate::harness::services::{RabbitMq, Redis};
use crate::harness::{Folder, free_port};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const BOARD: &str = "420371f9-ea23-46de-9ce3-00aeeec060a2";
/// What shells, env files and workflow commands could each stumble over.
const PASSWORD: &str = "a b$c'd\"e#f\\g=h%i`j";

/// As `docker run --env-file` reads it: raw lines, no quotes.
fn read_env_file(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').expect("NAME=VALUE"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// As the runner reads the file that `GITHUB_ENV` names.
fn read_github_env(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let here = line
            .find("<<")
            .filter(|at| line.find('=').is_none_or(|equals| *at < equals));
        let (name, value) = match here {
            Some(at) => {
                let end = &line[at + 2..];
                let value: Vec<_> = lines.by_ref().take_while(|line| *line != end).collect();
                (&line[..at], value.join("\n"))
            }
            None => {
                let (name, value) = line.split_once('=').expect("NAME=VALUE");
                (name, value.to_owned())
            }
        };
        found.insert(name.to_owned(), value);
    }
    found
}

/// As a shell reads it.
fn read_by_shell(text: &str, name: &str) -> String {
    let script = format!("{text}\nprintf %s \"${name}\"");
    let output = run(Command::new("sh").args(["-c", &script]));
    self::text(&output.stdout)
}

#[test]
#[ignore = "needs Redis and RabbitMQ: run tests/run"]
fn variables_are_read_back_by_their_readers() {
    if !has(
        "variables_are_read_back_by_their_readers",
        &[Part::Redis, Part::RabbitMq],
    ) {
        return;
    }
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let port = free_port();
    let _redis = Redis::with(port, &["--requirepass", PASSWORD]);
    let rabbitmq = RabbitMq::start();
    let url = format!("http://localhost:{}", free_port());
    json(
        harmony(folder.path())
            .env("REDIS_SECRET", PASSWORD)
            .args(["up", "--yes", "--hub-url", &url])
            .args(["--redis", &format!("127.0.0.1:{port}")])
            .args(["--redis-password-env", "REDIS_SECRET"])
            .args(["--rabbitmq", &format!("127.0.0.1:{}", rabbitmq.port)])
            .args(["--rabbitmq-vhost", &rabbitmq.virtual_host]),
    );
    let connection = json(harmony(folder.path()).args([
        "settings",
        "get",
        "RedisConnectionString",
        "--show-secrets",
    ]));
    let connection = connection["value"].as_str().expect("a value").to_owned();
    assert!(connection.contains(PASSWORD), "{connection}");
    let format = |name: &str| {
        let output = run(harmony(folder.path()).args(["status", "--format", name]));
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };

    let docker = read_env_file(&format("docker-env"));
    assert_eq!(docker["RedisConnectionString"], connection);
    assert_eq!(docker["BrokerConfiguration__Host"], "127.0.0.1");
    assert_eq!(docker["signalrHostUrl"], url);
    let (env, dotnet) = (format("env"), format("dotnet-env"));
    assert_eq!(read_by_shell(&env, "HARMONY_REDIS"), connection);
    assert_eq!(read_by_shell(&dotnet, "RedisConnectionString"), connection);

    let file = folder.write("github.env", "BEFORE=1\n");
    let output = run(harmony(folder.path())
        .env("GITHUB_ENV", &file)
        .args(["status", "--format", "github"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let variables = read_github_env(&folder.read("github.env"));
    assert_eq!(variables["BEFORE"], "1", "what was there stays");
    assert_eq!(variables["HARMONY_REDIS"], connection);
    assert_eq!(variables["HARMONY_HUB_URL"], url);
    let masks = text(&output.stdout);
    let masked = format!("::add-mask::{}", connection.replace('%', "%25"));
    assert!(masks.lines().any(|line| line == masked), "{masks}");
    assert!(masks.lines().all(|line| line.starts_with("::add-mask::")));

    if has("variables_are_read_back_by_docker", &[Part::Docker]) {
        // The client itself parses the file before it asks the engine for anything.
        let file = folder.write("hub.env", &format("docker-env"));
        let image = crate::harness::parts::registry().expect("a registry") + "/redis:7-alpine";
        let output = run(Command::new("docker")
            .args(["run", "--rm", "--entrypoint", "printenv", "--env-file"])
            .arg(file)
            .args([&image, "RedisConnectionString"]));
        assert_eq!(
            text(&output.stdout).trim_end(),
            connection,
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn without_a_github_job_the_format_says_so() {
    let folder = Folder::new();
    let output = run(harmony(folder.path()).args(["status", "--format", "github"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("GITHUB_ENV"));
}

#[test]
fn listen_prints_what_clients_receive_and_ends_without_an_error() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let listen = |more: &[&str]| {
        let mut program = Program::start(
            harmony(folder.path())
                .args(["listen", "--board", BOARD])
                .args(more),
        );
        program.wait_for_line("Listening at");
        program
    };
    let mut one = listen(&["--count", "1", "--json", "--card", "ABC-1"]);
    let mut all = listen(&[]);
    let publish = [
        "publish",
        "CardTitleChanged",
        "--board",
        BOARD,
        "--field",
        "Title=Hello",
    ];
    let published = json(&mut bare(&folder, &publish));
    assert_eq!(published["outcome"], "taken");
    assert_eq!(one.wait(), Some(0));
    let lines = one.lines();
    let received: Value = lines
        .iter()
        .find_map(|line| {
            serde_json::from_str(line)
                .ok()
                .filter(|line: &Value| line["event"].is_string())
        })
        .unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(received["event"], "OnCardTitleChanged");
    assert_eq!(received["arguments"][0]["title"], "Hello");
    is_rfc_3339(&received["time"]);
    all.wait_for_line("OnCardTitleChanged");
    all.signal(Signal::INT);
    assert_eq!(all.wait(), Some(130));
    assert!(
        all.lines().iter().all(|line| !line.contains("error")),
        "{:?}",
        all.lines()
    );

    let mut logs = Program::start(harmony(folder.path()).args(["logs", "hub", "--follow"]));
    logs.wait_for_line("Application started");
    logs.signal(Signal::INT);
    assert_eq!(logs.wait(), Some(130));
    assert!(
        logs.lines().iter().all(|line| !line.contains("error")),
        "{:?}",
        logs.lines()
    );
}

#[test]
fn ls_lists_the_instances_of_this_machine() {
    let folder = Folder::new();
    assert_eq!(
        json(&mut bare(&folder, &["ls"]))["instances"],
        serde_json::json!([])
    );
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    let listed = json(&mut bare(&folder, &["ls"]));
    let one = &listed["instances"][0];
    assert_eq!(one["instance"], "harmony", "{listed}");
    assert_eq!(
        (&one["state"], &one["hubUrl"]),
        (&"running".into(), &url.as_str().into())
    );
    is_rfc_3339(&one["startedAt"]);
    assert!(
        one["checkout"]
            .as_str()
            .is_some_and(|path| path.ends_with("harmony"))
    );
    let said = text(&run(harmony(folder.path()).arg("ls")).stdout);
    assert!(
        said.contains("harmony  running") && said.contains(&url),
        "{said}"
    );
}

#[test]
fn wait_returns_once_clients_can_connect_and_gives_up_in_time() {
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let output = run(&mut bare(
        &folder,
        &["wait", "--timeout", "300ms", "--json"],
    ));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(5), "{answer}");
    assert_eq!(answer["error"]["code"], "notReady");
    let mut waiting = Program::start(harmony(folder.path()).args(["wait", "--json"]));
    let url = format!("http://localhost:{}", free_port());
    json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    assert_eq!(waiting.wait(), Some(0));
    let status = json(&mut bare(&folder, &["status"]));
    is_rfc_3339(&status["hub"]["startedAt"]);
}

#[test]
fn an_environment_without_a_file_is_pointed_out() {
    let folder = Folder::new();
    folder.write("harmony/Harmony.SignalR/appsettings.json", "{}");
    folder.write("harmony/Harmony.SignalR/appsettings.Test.json", "{}");
    let said = |name: &str| {
        let list = ["settings", "list", "--environment", name];
        text(&run(harmony(folder.path()).args(list)).stderr)
    };
    assert!(said("Developement").contains("did you mean Development?"));
    assert!(said("Tset").contains("did you mean Test?"));
    for known in ["Test", "Development", "Production"] {
        assert_eq!(said(known), "");
    }
}

fn is_rfc_3339(time: &Value) {
    let time = time.as_str().unwrap_or_else(|| panic!("{time} is no text"));
    let shape: String = time
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    assert!(
        shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z'),
        "{time}"
    );
}
