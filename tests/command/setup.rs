//! The wizard on a real pseudo-terminal: every question, every way out, and what it leaves behind.

mod poor;

use super::bare::{Down, json};
use crate::harness::parts::{Part, has};
use crate::harness::program::{harmony, run, text};
use crate::harness::terminal::{CONTROL_C, DOWN, ENTER, ESCAPE, Ended, Shape, Terminal, UP};
use crate::harness::{Folder, free_port, wine};
use serde_json::Value;

pub const HUB: &str = "Harmony.SignalR/appsettings.json";

/// Where no engine is.
fn nowhere() -> &'static str {
    match wine::is_used() {
        true => "npipe:////./pipe/nonexistent",
        false => "unix:///nonexistent/docker.sock",
    }
}

/// A wizard in a made checkout whose configured servers nobody is, without Docker.
pub fn wizard(folder: &Folder, arguments: &[&str], shape: Shape) -> Terminal {
    let mut wizard = harmony(folder.path());
    wizard
        .arg("setup")
        .args(arguments)
        .current_dir(folder.path())
        .env("LANG", "C.UTF-8")
        .env("DOCKER_HOST", nowhere());
    Terminal::start(&wizard, shape)
}

pub fn made(folder: &Folder) -> String {
    let url = format!("http://localhost:{}", free_port());
    let hub = format!(
        "{{\n  // mine\n  \"RedisConnectionString\": \"127.0.0.1:{}\",\n  \"BrokerConfiguration\": {{ \"Host\": \"127.0.0.1\", \"Port\": {} }}\n}}\n",
        free_port(),
        free_port()
    );
    folder.write(HUB, &hub);
    folder.write(
        "Harmony.Client/wwwroot/appsettings.json",
        &format!("{{ \"signalrHostUrl\": \"{url}\" }}\n"),
    );
    url
}

#[test]
fn enter_all_the_way_gives_a_working_hub_and_its_answers_can_be_replayed() {
    let folder = Folder::new();
    made(&folder);
    let _down = Down(&folder, vec![]);
    let mut terminal = wizard(
        &folder,
        &["--record-answers", "answers.json"],
        Shape::columns(100),
    );
    for found in [
        "checkout",
        "Docker",
        "nothing is at",
        "Redis",
        "no response",
        "RabbitMQ",
        "hub",
        "does not run",
    ] {
        terminal.sees(found);
    }
    for (question, offered) in [
        (
            "StackExchange.Redis connection string",
            "none: one hub alone",
        ),
        (
            "Where notifications come from",
            "none: notifications come by HTTP",
        ),
        ("? Hub address", "http://localhost:"),
        ("It serves clients", "not started"),
        ("Review", "Start now"),
    ] {
        terminal.sees(question);
        terminal.answer(offered, ENTER);
    }
    terminal.sees("launch  hub");
    terminal.answer("Go ahead?", ENTER);
    terminal.sees("running");
    terminal.sees("harmony verify");
    let Ended {
        code,
        bytes: transcript,
        echo,
        ..
    } = terminal.end();
    assert_eq!((code, echo), (0, true), "{transcript}");
    assert!(folder.read(HUB).starts_with("{\n  // mine\n"));
    let answers: Value = serde_json::from_str(&folder.read("answers.json")).expect("JSON");
    assert_eq!(
        [&answers["redis"], &answers["rabbitmq"], &answers["hub"]],
        ["none", "embedded", "process"]
    );
    let verified = run(harmony(folder.path()).args(["verify"]));
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    let replayed =
        json(harmony(folder.path()).args(["setup", "--answers", "answers.json", "--yes"]));
    assert_eq!(replayed["changes"], 0, "{replayed}");
}

#[test]
fn escape_goes_back_a_question() {
    let folder = Folder::new();
    made(&folder);
    let before = folder.read(HUB);
    let mut terminal = wizard(&folder, &["--dry-run"], Shape::columns(100));
    terminal.answer("none: one hub alone", "\r");
    terminal.answer("none: notifications come by HTTP", ESCAPE);
    terminal.sees("StackExchange.Redis connection string");
    terminal.answer("none: one hub alone", "\r");
    terminal.sees("Where notifications come from");
    terminal.answer("none: notifications come by HTTP", "\r");
    terminal.answer("? Hub address", ESCAPE);
    terminal.sees("Where notifications come from");
    terminal.answer("none: notifications come by HTTP", "\r");
    terminal.answer("? Hub address", "ftp://x\r");
    terminal.sees("only http and https are possible");
    terminal.answer("? Hub address", "http://localhost:7999\r");
    terminal.answer("not started", ESCAPE);
    terminal.answer("? Hub address [http://localhost:7999]", ENTER);
    terminal.answer("not started", ENTER);
    terminal.answer("Start now", ESCAPE);
    terminal.answer("not started", ENTER);
    terminal.answer("Start now", &format!("{DOWN}{DOWN}{DOWN}{ENTER}"));
    terminal.sees("http://localhost:7999");
    terminal.answer("? Review", ENTER);
    terminal.sees("appsettings.json: signalrHostUrl");
    let Ended {
        code,
        bytes: transcript,
        ..
    } = terminal.end();
    assert_eq!(code, 0, "{transcript}");
    assert!(
        wine::is_used() || transcript.contains("\x1b[32m+ "),
        "the difference is coloured: {transcript:?}"
    );
    assert_eq!(folder.read(HUB), before, "a dry run writes nothing");
}

#[test]
fn a_pasted_newline_answers_no_question() {
    let folder = Folder::new();
    made(&folder);
    let mut terminal = wizard(&folder, &["--dry-run"], Shape::columns(100));
    terminal.answer("none: one hub alone", ENTER);
    terminal.answer("none: notifications come by HTTP", ENTER);
    terminal.answer("? Hub address", "http://local\rhost:7999");
    terminal.answer("http://localhost:7999", ENTER);
    terminal.answer("not started", ESCAPE);
    terminal.sees("? Hub address [http://localhost:7999]");
    terminal.press(CONTROL_C);
    assert_eq!(terminal.end().code, 130);
}

#[test]
#[ignore = "needs Redis: run tests/run"]
fn a_server_elsewhere_is_asked_at_once_and_its_password_never_shown() {
    if !has(
        "a_server_elsewhere_is_asked_at_once_and_its_password_never_shown",
        &[Part::Redis],
    ) {
        return;
    }
    let folder = Folder::new();
    made(&folder);
    let server = crate::harness::services::Redis::start();
    let mut terminal = wizard(
        &folder,
        &["--dry-run", "--record-answers", "answers.json"],
        Shape::columns(100),
    );
    terminal.sees("none: one hub alone");
    terminal.press(UP);
    terminal.press(ENTER);
    let nobody = free_port();
    terminal.answer("? Redis address", &format!("127.0.0.1:{nobody}\r"));
    terminal.answer("? Redis password:", "hunter2\r");
    terminal.sees("cannot be used");
    terminal.answer("another address", DOWN);
    terminal.press(ENTER);
    terminal.answer("? Redis address", &format!("127.0.0.1:{}\r", server.port));
    terminal.answer("? Redis password:", ENTER);
    terminal.answer("none: notifications come by HTTP", ENTER);
    terminal.answer("? Hub address", ENTER);
    terminal.answer("not started", ENTER);
    terminal.answer("Start now", &format!("{DOWN}{DOWN}{DOWN}{ENTER}"));
    terminal.sees(&format!(
        "+   \"RedisConnectionString\": \"127.0.0.1:{}\"",
        server.port
    ));
    terminal.answer("? Review", ENTER);
    terminal.sees("RedisConnectionString");
    let Ended {
        code,
        bytes: transcript,
        echo,
        ..
    } = terminal.end();
    assert_eq!((code, echo), (0, true), "{transcript}");
    assert!(!transcript.contains("hunter2"), "{transcript}");
}

#[test]
fn control_c_at_any_question_leaves_the_terminal_and_the_files_as_they_were() {
    let way = [
        "none: one hub alone",
        "none: notifications come by HTTP",
        "? Hub address",
        "not started",
        "Start now",
        "Go ahead?",
    ];
    let mut ways: Vec<Vec<(&str, &str)>> = (0..way.len())
        .map(|last| {
            way[..=last]
                .iter()
                .map(|question| (*question, "\r"))
                .collect()
        })
        .collect();
    // Where the password is typed, too: there nothing is echoed.
    ways.push(vec![
        ("a server elsewhere", "\x1b[A\r"),
        ("? Redis address", "\r"),
        ("? Redis password", "\r"),
    ]);
    for way in ways {
        let folder = Folder::new();
        made(&folder);
        let before = folder.read(HUB);
        let mut terminal = wizard(&folder, &[], Shape::columns(100));
        let (last, earlier) = way.split_last().expect("questions");
        for (question, keys) in earlier {
            terminal.answer(question, keys);
        }
        terminal.answer(last.0, CONTROL_C);
        let Ended {
            code,
            bytes: transcript,
            echo,
            ..
        } = terminal.end();
        assert_eq!((code, echo), (130, true), "at {}: {transcript}", last.0);
        let (hidden, shown) = (transcript.rfind("\x1b[?25l"), transcript.rfind("\x1b[?25h"));
        assert!(
            shown >= hidden,
            "the cursor stays hidden at {}: {transcript:?}",
            last.0
        );
        assert_eq!(folder.read(HUB), before);
    }
}

/// Answers the four questions of the short way with their defaults.
fn short_way(terminal: &mut Terminal) {
    terminal.answer("none: one hub alone", ENTER);
    terminal.answer("none: notifications come by HTTP", ENTER);
    terminal.answer("? Hub address", ENTER);
    terminal.answer("not started", ENTER);
    terminal.sees("Start now");
}

#[test]
fn no_at_the_end_returns_to_the_review_and_answers_are_recorded_even_then() {
    let folder = Folder::new();
    made(&folder);
    let before = folder.read(HUB);
    let mut terminal = wizard(
        &folder,
        &["--record-answers", "answers.json"],
        Shape::columns(80),
    );
    short_way(&mut terminal);
    terminal.press(ENTER);
    terminal.answer("Go ahead?", "n");
    terminal.answer("Leave everything as it is", UP);
    terminal.press(ENTER);
    terminal.sees("Nothing was changed.");
    let ended = terminal.end();
    assert_eq!((ended.code, ended.echo), (0, true), "{}", ended.screen);
    assert_eq!(folder.read(HUB), before);
    let answers: Value = serde_json::from_str(&folder.read("answers.json")).expect("JSON");
    assert_eq!(answers["rabbitmq"], "embedded");
}

#[test]
fn a_server_that_does_not_run_yet_can_be_used_anyway() {
    let folder = Folder::new();
    made(&folder);
    let nobody = free_port();
    let mut terminal = wizard(&folder, &["--dry-run"], Shape::columns(80));
    terminal.answer("none: one hub alone", UP);
    terminal.press(ENTER);
    terminal.answer("? Redis address", &format!("127.0.0.1:{nobody}\r"));
    terminal.answer("? Redis password:", "<pass\r");
    terminal.answer("use it anyway", UP);
    terminal.press(ENTER);
    terminal.answer("none: notifications come by HTTP", ENTER);
    terminal.answer("? Hub address", ENTER);
    terminal.answer("not started", DOWN);
    terminal.press(ENTER);
    terminal.answer("Start now", ENTER);
    terminal.sees("RedisConnectionString");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(!ended.bytes.contains("<pass"), "{}", ended.bytes);
}

#[test]
fn more_settings_are_asked_by_schema_and_written_with_the_rest() {
    let folder = Folder::new();
    made(&folder);
    let mut terminal = wizard(
        &folder,
        &["--dry-run", "--record-answers", "answers.json"],
        Shape::columns(80),
    );
    short_way(&mut terminal);
    terminal.press(&format!("{DOWN}{ENTER}"));
    terminal.answer("Settings of Harmony.SignalR", ENTER);
    terminal.answer("Redis port", "redis port");
    terminal.press(ENTER);
    terminal.answer("? Redis port [6379]:", "6390\r");
    terminal.answer("Done: review 1", ENTER);
    terminal.answer("Settings of Harmony.SignalR", &format!("{DOWN}{ENTER}"));
    terminal.answer("RabbitMQ host", "detailed");
    terminal.answer("Detailed errors", ENTER);
    terminal.answer("Detailed errors", "y");
    terminal.answer("Done: review 1", ENTER);
    terminal.answer("? More settings", ESCAPE);
    terminal.answer("  SignalR      1 edited", ENTER);
    terminal.sees("appsettings.json: DetailedErrors");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    let answers: Value = serde_json::from_str(&folder.read("answers.json")).expect("JSON");
    assert_eq!(answers["redisPort"], 6390);
    assert_eq!(
        answers["settings"]["Harmony.SignalR"]["DetailedErrors"],
        true
    );
    let replayed = json(harmony(folder.path()).args([
        "up",
        "--dry-run",
        "--answers",
        "answers.json",
        "--yes",
    ]));
    let steps = replayed["steps"].to_string();
    assert!(steps.contains("DetailedErrors"), "{steps}");
}
