//! The wizard where little can be shown, or nobody asked.

use super::{made, wizard};
use crate::command::bare::json;
use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use crate::harness::terminal::{Ended, Shape};
use serde_json::Value;

#[test]
fn poor_terminals_will_do() {
    let narrow = Shape::columns(40);
    let dumb = Shape {
        term: "dumb",
        ..Shape::columns(100)
    };
    for shape in [dumb, narrow, Shape::columns(100)] {
        let term = shape.term;
        let folder = Folder::new();
        made(&folder);
        let mut terminal = wizard(&folder, &["--dry-run", "--color", "never"], shape);
        for question in [
            "none: one",
            "none: not",
            "Hub address",
            "not started",
            "Start now",
        ] {
            terminal.answer(question, "\r");
        }
        terminal.sees("launch");
        let Ended {
            code,
            bytes: transcript,
            ..
        } = terminal.end();
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
