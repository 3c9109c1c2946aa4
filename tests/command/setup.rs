//! The wizard on a real pseudo-terminal: every question, every way out, and what it leaves behind.

use super::bare::{Down, json};
use crate::harness::program::{HARMONY, harmony, run, text};
use crate::harness::services::{Part, has};
use crate::harness::{Folder, free_port};
use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Expect, Session};
use serde_json::Value;
use std::io::Read;
use std::process::Command;
use std::time::Duration;

const UP: &str = "\x1b[A";
const ESCAPE: &str = "\x1b";
const CONTROL_C: &str = "\x03";
const HUB: &str = "Harmony.SignalR/appsettings.json";

/// A wizard in a made checkout whose configured servers nobody is, without Docker.
struct Wizard {
    session: OsSession,
    transcript: String,
}

impl Wizard {
    fn start(folder: &Folder, arguments: &[&str], term: &str) -> Self {
        let wizard = harmony(folder.path());
        let columns = if term == "narrow" { 40 } else { 100 };
        // The terminal is as people have it before the wizard looks, which a program beside it could not make sure of.
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                &format!("stty echo columns {columns} rows 30; exec \"$0\" setup \"$@\""),
                HARMONY,
            ])
            .args(arguments);
        command
            .env_clear()
            .envs(
                wizard
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(folder.path());
        command
            .env("TERM", term)
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        let mut session = Session::spawn(command).expect("a terminal");
        session.set_expect_timeout(Some(Duration::from_secs(30)));
        Wizard {
            session,
            transcript: String::new(),
        }
    }

    fn hear(&mut self, text: &str) {
        match self.session.expect(text) {
            Ok(found) => {
                self.transcript += &String::from_utf8_lossy(found.before());
                self.transcript += text;
            }
            Err(error) => panic!(
                "{error} while waiting for '{text}' after\n{}",
                self.transcript
            ),
        }
    }

    /// Hears a question and answers it.
    fn answer(&mut self, question: &str, keys: &str) {
        self.hear(question);
        // The question's own line ends with what is offered: only then are keys read.
        self.session.send(keys).expect("keys");
    }

    /// Hears a question whose answer is not shown: keys typed before the terminal is quiet are thrown away.
    fn answer_unseen(&mut self, question: &str, keys: &str) {
        self.hear(question);
        crate::harness::wait_for("no echo", || {
            (!self.session.get_process().get_echo().unwrap_or(true)).then_some(())
        });
        self.session.send(keys).expect("keys");
    }

    fn end(mut self) -> (i32, String, bool) {
        let mut buffer = [0; 4096];
        // A pseudo-terminal whose program is gone answers with an error in place of an end.
        while let Ok(length @ 1..) = self.session.read(&mut buffer) {
            self.transcript += &String::from_utf8_lossy(&buffer[..length]);
        }
        let echo = self.session.get_process().get_echo().unwrap_or(true);
        match self.session.get_process().wait().expect("an end") {
            WaitStatus::Exited(_, code) => (code, self.transcript, echo),
            other => panic!("{other:?} after\n{}", self.transcript),
        }
    }
}

fn made(folder: &Folder) -> String {
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
    let mut wizard = Wizard::start(&folder, &["--record-answers", "answers.json"], "xterm");
    for found in [
        "checkout",
        "Docker",
        "nothing is at",
        "Redis",
        "nothing answers",
        "RabbitMQ",
        "hub",
        "does not run",
    ] {
        wizard.hear(found);
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
        ("Hub address", "http://localhost:"),
        ("The least level that is logged", "Fatal"),
        ("It serves clients", "not started"),
    ] {
        wizard.hear(question);
        wizard.answer(offered, "\r");
    }
    wizard.hear("launch");
    wizard.answer("Go ahead?", "\r");
    wizard.hear("harmony verify");
    let (code, transcript, echo) = wizard.end();
    assert_eq!((code, echo), (0, true), "{transcript}");
    assert!(folder.read(HUB).starts_with("{\n  // mine\n"));
    let answers: Value = serde_json::from_str(&folder.read("answers.json")).expect("JSON");
    assert_eq!(
        [
            &answers["redis"],
            &answers["rabbitmq"],
            &answers["hub"],
            &answers["logLevel"]
        ],
        ["none", "embedded", "process", "Information"]
    );
    let verified = run(harmony(folder.path()).args(["verify"]));
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    let replayed =
        json(harmony(folder.path()).args(["setup", "--answers", "answers.json", "--yes"]));
    assert_eq!(replayed["changes"], 0, "{replayed}");
}

#[test]
fn escape_and_a_less_than_sign_go_back_a_question() {
    let folder = Folder::new();
    made(&folder);
    let before = folder.read(HUB);
    let mut wizard = Wizard::start(&folder, &["--dry-run"], "xterm");
    wizard.answer("none: one hub alone", "\r");
    wizard.answer("none: notifications come by HTTP", ESCAPE);
    wizard.hear("StackExchange.Redis connection string");
    wizard.answer("none: one hub alone", "\r");
    wizard.hear("Where notifications come from");
    wizard.answer("none: notifications come by HTTP", "\r");
    wizard.answer("Hub address", "<\r");
    wizard.hear("Where notifications come from");
    wizard.answer("none: notifications come by HTTP", "\r");
    wizard.answer("Hub address", "ftp://x\r");
    wizard.hear("only http and https are possible");
    wizard.answer("Hub address", "http://localhost:7999\r");
    wizard.answer("Fatal", "\r");
    wizard.answer("not started", "\r");
    wizard.hear("http://localhost:7999");
    let (code, transcript, _) = wizard.end();
    assert_eq!(code, 0, "{transcript}");
    assert!(
        transcript.contains("\x1b[32m+ "),
        "the difference is coloured: {transcript:?}"
    );
    assert_eq!(folder.read(HUB), before, "a dry run writes nothing");
}

#[test]
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
    let mut wizard = Wizard::start(
        &folder,
        &["--dry-run", "--record-answers", "answers.json"],
        "xterm",
    );
    wizard.hear("none: one hub alone");
    wizard.session.send(UP).expect("a key");
    wizard.session.send("\r").expect("a key");
    wizard.answer("Redis address", &format!("127.0.0.1:{}\r", free_port()));
    wizard.answer_unseen("Empty: none", "hunter2\r");
    wizard.hear("can't be used");
    wizard.answer("Redis address", &format!("127.0.0.1:{}\r", server.port));
    wizard.answer_unseen("Empty: none", "\r");
    wizard.answer("none: notifications come by HTTP", "\r");
    wizard.answer("Hub address", "\r");
    wizard.answer("Fatal", "\r");
    wizard.answer("not started", "\r");
    wizard.hear(&format!(
        "+   \"RedisConnectionString\": \"127.0.0.1:{}\"",
        server.port
    ));
    let (code, transcript, echo) = wizard.end();
    assert_eq!((code, echo), (0, true), "{transcript}");
    assert!(!transcript.contains("hunter2"), "{transcript}");
}

#[test]
fn control_c_at_any_question_leaves_the_terminal_and_the_files_as_they_were() {
    let way = [
        "none: one hub alone",
        "none: notifications come by HTTP",
        "Hub address",
        "Fatal",
        "not started",
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
        ("Redis address", "\r"),
        ("Redis password", "\r"),
    ]);
    for way in ways {
        let folder = Folder::new();
        made(&folder);
        let before = folder.read(HUB);
        let mut wizard = Wizard::start(&folder, &[], "xterm");
        let (last, earlier) = way.split_last().expect("questions");
        for (question, keys) in earlier {
            wizard.answer(question, keys);
        }
        wizard.answer(last.0, CONTROL_C);
        let (code, transcript, echo) = wizard.end();
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

#[test]
fn poor_terminals_will_do() {
    for term in ["dumb", "narrow", "xterm"] {
        let folder = Folder::new();
        made(&folder);
        let mut wizard = Wizard::start(&folder, &["--dry-run", "--color", "never"], term);
        for question in [
            "none: one",
            "none: not",
            "Hub address",
            "Fatal",
            "not started",
        ] {
            wizard.answer(question, "\r");
        }
        wizard.hear("launch");
        let (code, transcript, _) = wizard.end();
        assert_eq!(code, 0, "{term}: {transcript}");
        assert!(
            ["\x1b[31m", "\x1b[32m", "\x1b[36m"]
                .iter()
                .all(|colour| !transcript.contains(colour)),
            "{term} was sent colour: {transcript:?}"
        );
        assert!(
            term != "dumb" || !transcript.contains('\x1b'),
            "{transcript:?}"
        );
    }
}

#[test]
fn where_nobody_can_be_asked_the_missing_answers_flag_is_named() {
    let folder = Folder::new();
    made(&folder);
    let refused = run(harmony(folder.path()).args(["setup", "--redis", "none", "--json"]));
    let answer: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(
        (refused.status.code(), &answer["error"]["code"]),
        (Some(2), &"answerMissing".into())
    );
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|message| message.contains("--rabbitmq")),
        "{answer}"
    );
}

#[test]
fn answers_files_are_checked_and_flags_win_over_them() {
    let folder = Folder::new();
    let url = made(&folder);
    folder.write(
        "wrong.json",
        "{\n  \"redis\": \"none\",\n  \"rabitmq\": \"embedded\",\n  \"hubUrl\": \"ftp://x\"\n}",
    );
    let refused =
        run(harmony(folder.path()).args(["setup", "--yes", "--json", "--answers", "wrong.json"]));
    let answer: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(
        (refused.status.code(), &answer["error"]["code"]),
        (Some(3), &"settingsInvalid".into())
    );
    let why = answer["error"]["why"].as_str().expect("reasons");
    assert!(
        why.contains("wrong.json:3:14: rabitmq: no such answer is known; did you mean rabbitmq?"),
        "{why}"
    );
    assert!(why.contains("wrong.json:4:13: hubUrl"), "{why}");

    folder.write("answers.json", "{ \"redis\": \"none\", \"rabbitmq\": \"embedded\", \"logLevel\": \"Debug\", /* as before */ \"hub\": \"process\" }");
    let planned = |arguments: &[&str]| {
        json(
            harmony(folder.path())
                .args([
                    "up",
                    "--dry-run",
                    "--answers",
                    "answers.json",
                    "--hub-url",
                    &url,
                ])
                .args(arguments),
        )
    };
    assert_eq!(planned(&[])["changes"], 2);
    let steps = planned(&["--hub", "none"]);
    assert!(
        steps["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .all(|step| step["action"] != "launch"),
        "{steps}"
    );

    let missing = run(harmony(folder.path()).args([
        "up",
        "--yes",
        "--redis",
        "127.0.0.1:1",
        "--redis-password-env",
        "NO_SUCH_VARIABLE",
    ]));
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("NO_SUCH_VARIABLE"));
}
