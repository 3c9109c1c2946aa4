//! What others wrote never reaches the terminal as commands.

use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use harmony::terminal::safe;
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::Value;

/// Writes the clipboard, clears the screen by a C1 control, turns text around, moves the cursor.
const ATTACK: &str = "a\u{1b}]52;c;aGFybQ==\u{7}b\u{9b}2Jc\u{202e}d\re\u{1b}[8mf";

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|letter| {
        (letter.is_control() && letter != '\n' && letter != '\t')
            || ('\u{202a}'..='\u{202e}').contains(&letter)
            || ('\u{2066}'..='\u{2069}').contains(&letter)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn foreign_text_has_no_controls(text in any::<String>(), place in any::<proptest::sample::Index>()) {
        let at = place.index(text.chars().count() + 1);
        let (head, tail): (String, String) =
            (text.chars().take(at).collect(), text.chars().skip(at).collect());
        let text = format!("{head}{ATTACK}{tail}");
        let safe = safe::neutral(&text);
        assert!(is_harmless(&safe) && !safe.contains('\n'));
        assert_eq!(safe::neutral(&safe), safe, "what is safe stays as it is");
        assert!(is_harmless(&safe::neutral_lines(&text)));
        // Of our own colours nothing but the colour is left.
        let coloured = safe::coloured(&text).replace("\u{1b}[8m", "");
        let colours = coloured.split("\u{1b}[").skip(1).all(|rest| {
            rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ';')
                .starts_with('m')
        });
        assert!(colours && is_harmless(&coloured.replace('\u{1b}', "")));
        let document = serde_json::to_string(&text).expect("JSON");
        let escaped = safe::json(&document);
        assert!(is_harmless(&escaped));
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), text);
    }
}

#[test]
fn text_without_controls_is_not_touched() {
    for text in ["", "Hello", "Grüße 世界 🎉", "tab\tstays"] {
        assert_eq!(safe::neutral(text), text);
        assert_eq!(safe::coloured(text), text);
    }
    let coloured = "\u{1b}[1m\u{1b}[31mred\u{1b}[0m";
    assert_eq!(safe::coloured(coloured), coloured);
    assert_eq!(safe::neutral("\u{1b}[1m"), "\\u{1b}[1m");
}

#[test]
fn logs_settings_and_errors_send_no_escape_sequences() {
    let folder = Folder::new();
    folder.write(
        "home/.local/state/harmony/harmony/hub.log",
        &format!("2026-01-01T00:00:00Z INFO {ATTACK}\n{ATTACK}\n"),
    );
    let settings = "harmony/Harmony.SignalR/appsettings.json";
    let quoted = serde_json::to_string(ATTACK).expect("JSON");
    folder.write(
        settings,
        &format!("{{ {quoted}: {quoted}, \"Own\": {quoted} }}"),
    );
    let look = |arguments: &[&str]| {
        let output = run(harmony(folder.path()).args(arguments));
        text(&output.stdout) + &text(&output.stderr)
    };
    for arguments in [
        &["logs"][..],
        &["logs", "--json"],
        &["settings", "list"],
        &["settings", "get", "Own"],
        &["settings", "why", "Own"],
        &["settings", "get", ATTACK],
        &["settings", "get", "absent\u{1b}]0;title\u{7}"],
        &["settings", "list", "--json"],
        &["settings", "validate"],
        &["publish", ATTACK],
        &["verify", ATTACK],
        &["up", "--redis", ATTACK],
        &[ATTACK],
        &["doctor"],
    ] {
        let said = look(arguments);
        assert!(is_harmless(&said), "{arguments:?}: {said:?}");
        assert!(!said.is_empty(), "{arguments:?}");
    }
    let listed: Value = serde_json::from_str(&look(&["settings", "get", "Own", "--json"]))
        .expect("one JSON document");
    assert_eq!(
        listed["value"], ATTACK,
        "a program reads the value as it is"
    );

    folder.write(settings, &format!("{{ \"Own\": {ATTACK} }}"));
    let said = look(&["settings", "list"]);
    assert!(
        is_harmless(&said) && said.contains("appsettings.json:1"),
        "{said:?}"
    );
}
