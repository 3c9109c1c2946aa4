//! `set`, `unset` and `undo`.

use super::{BASE, PRODUCTION, checkout, said, settings};
use crate::harness::program::{harmony, run, text};
use serde_json::Value;

#[test]
fn set_get_unset_and_undo_bring_back_every_byte() {
    let folder = checkout();
    let before = folder.read(BASE);
    let (code, written) = settings(&folder, &["set", "brokerconfiguration__port", "5673"]);
    assert_eq!((code, &written["changed"]), (Some(0), &true.into()));
    assert_eq!(folder.read(BASE), before.replace("5672", "5673"));
    assert_eq!(
        settings(&folder, &["get", "BrokerConfiguration:Port"]).1["value"],
        "5673"
    );
    assert_eq!(
        settings(&folder, &["set", "BrokerConfiguration:Port", "5673"]).1["changed"],
        false
    );
    assert_eq!(settings(&folder, &["undo"]).1["changed"], true);
    assert_eq!(folder.read(BASE), before);
    assert_eq!(settings(&folder, &["undo"]).1["changed"], false);

    settings(&folder, &["unset", "BrokerConfiguration:Port"]);
    assert_eq!(
        folder.read(BASE),
        before.replace("    \"Port\": 5672,\n", "")
    );
    settings(&folder, &["undo"]);

    let production = folder.read(PRODUCTION);
    settings(
        &folder,
        &[
            "--environment",
            "Production",
            "set",
            "AllowedHosts",
            "hub.example",
        ],
    );
    assert_eq!(folder.read(BASE), before);
    assert_eq!(
        folder.read(PRODUCTION),
        production.replace("\"*\"", "\"hub.example\"")
    );
}

#[test]
fn two_underscores_in_a_files_key_separate_nothing() {
    let folder = checkout();
    let spelt = "{\"BrokerConfiguration__Host\":\"a\",\"My__Key\":\"m\",\"BrokerConfiguration\":{\"Host\":\"b\",\"Port\":1}}";
    folder.write(BASE, spelt);
    let get = |key: &str| settings(&folder, &["get", key]).1["value"].clone();
    assert_eq!(
        get("BrokerConfiguration__Host"),
        "a",
        "what is spelt so wins"
    );
    assert_eq!(get("BrokerConfiguration:Host"), "b");
    assert_eq!(get("BrokerConfiguration__Port"), "1");
    assert_eq!(get("My__Key"), "m");
    settings(&folder, &["unset", "BrokerConfiguration__Host"]);
    settings(&folder, &["set", "My__Key", "n"]);
    assert_eq!(
        folder.read(BASE),
        "{\"My__Key\":\"n\",\"BrokerConfiguration\":{\"Host\":\"b\",\"Port\":1}}"
    );
    let (code, answer) = settings(&folder, &["validate"]);
    let violation = &answer["violations"][0];
    assert_eq!(
        (code, &violation["key"]),
        (Some(0), &"My__Key".into()),
        "{answer}"
    );
    assert_eq!(
        (&violation["severity"], &violation["suggestion"]),
        (&"warning".into(), &"My:Key".into())
    );
}

#[test]
fn undo_refuses_where_somebody_changed_the_file_since() {
    let folder = checkout();
    settings(&folder, &["set", "AllowedHosts", "a"]);
    let changed = folder.read(BASE).replace("\"a\"", "\"b\"");
    folder.write(BASE, &changed);
    let (code, answer) = settings(&folder, &["undo"]);
    assert_eq!(
        (code, &answer["error"]["code"]),
        (Some(1), &"settingsChanged".into())
    );
    assert_eq!(folder.read(BASE), changed);
}

#[test]
fn what_an_application_could_not_use_is_not_written() {
    let folder = checkout();
    let before = folder.read(BASE);
    let (code, answer) = settings(&folder, &["set", "BrokerConfiguration:Port", "many"]);
    assert_eq!(
        (code, &answer["error"]["code"]),
        (Some(3), &"settingsInvalid".into())
    );
    assert_eq!(folder.read(BASE), before);
}

#[test]
fn sections_and_lists_are_replaced_by_force_only() {
    let folder = checkout();
    let before = folder.read(BASE);
    let (code, answer) = settings(&folder, &["set", "BrokerConfiguration", "foo"]);
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(
        code == Some(3) && message.contains("BrokerConfiguration"),
        "{answer}"
    );
    assert!(
        answer["error"]["fix"].to_string().contains("--force"),
        "{answer}"
    );
    assert_eq!(folder.read(BASE), before);
    settings(&folder, &["set", "Mine:A", "1"]);
    let (code, _) = settings(&folder, &["set", "--force", "Mine", "foo"]);
    assert_eq!(code, Some(0));
    assert_eq!(settings(&folder, &["get", "Mine"]).1["value"], "foo");
}

#[test]
fn a_value_gets_the_type_of_the_schema_or_of_the_old_value() {
    let folder = checkout();
    folder.write(
        BASE,
        "{ \"HubPage\": { \"Enabled\": false }, \"Mine\": { \"On\": true, \"N\": 1.5, \"T\": \"1\" } }",
    );
    for (key, value) in [
        ("HubPage:Enabled", "true"),
        ("BrokerConfiguration:Port", "5673"),
        ("BrokerConfiguration:Password", "12345"),
        ("Mine:On", "FALSE"),
        ("Mine:N", "2.50"),
        ("Mine:T", "2"),
        ("Mine:New", "true"),
    ] {
        let (code, answer) = settings(&folder, &["set", key, value]);
        assert_eq!(code, Some(0), "{key}: {answer}");
    }
    settings(&folder, &["set", "--string", "Limits:Connections", "7"]);
    let document: Value = serde_json::from_str(&folder.read(BASE)).expect("JSON");
    let expected = serde_json::json!({
        "HubPage": { "Enabled": true },
        "Mine": { "On": false, "N": 2.50, "T": "2", "New": "true" },
        "BrokerConfiguration": { "Port": 5673, "Password": "12345" },
        "Limits": { "Connections": "7" },
    });
    assert_eq!(document, expected);
}

#[test]
fn the_layer_that_wins_is_named_and_can_be_edited() {
    let folder = checkout();
    folder.write(PRODUCTION, "{ \"BrokerConfiguration\": { \"Port\": 1 } }");
    let (code, _, err) = said(&folder, &["set", "BrokerConfiguration:Port", "5673"]);
    assert!(
        code == Some(0) && err.contains("appsettings.Production.json:1"),
        "{err}"
    );
    assert!(err.contains("--where-it-wins"), "{err}");
    let (code, _, err) = said(
        &folder,
        &["set", "--where-it-wins", "BrokerConfiguration:Port", "5674"],
    );
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        folder.read(PRODUCTION),
        "{ \"BrokerConfiguration\": { \"Port\": 5674 } }"
    );
    assert!(folder.read(BASE).contains("5673"));
    let mut command = harmony(folder.path());
    command.env("BrokerConfiguration__Port", "9").args([
        "settings",
        "--json",
        "set",
        "BrokerConfiguration:Port",
        "1",
    ]);
    let output = run(&mut command);
    assert!(
        text(&output.stderr).contains("BrokerConfiguration__Port"),
        "{}",
        text(&output.stderr)
    );
    let refused = run(command.arg("--where-it-wins"));
    assert!(text(&refused.stdout).contains("\"overridden\""));
}

#[test]
fn a_fault_that_was_there_before_does_not_stop_another_edit() {
    let folder = checkout();
    let broken = folder.read(BASE).replace("5672", "99999");
    folder.write(BASE, &broken);
    let (code, _) = settings(&folder, &["set", "AllowedHosts", "a"]);
    assert_eq!(code, Some(0));
    assert_eq!(folder.read(BASE), broken.replace("\"*\"", "\"a\""));
    let (code, _) = settings(&folder, &["set", "BrokerConfiguration:Port", "70000"]);
    assert_eq!(code, Some(3), "the edit's own fault does");
}

#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let folder = checkout();
    let before = folder.read(BASE);
    let edit = ["--dry-run", "set", "BrokerConfiguration:Port", "5673"];
    let (code, out, _) = said(&folder, &edit);
    assert!(
        out.contains("-     \"Port\": 5672,") && out.contains("+     \"Port\": 5673,"),
        "{out}"
    );
    let (_, answer) = settings(&folder, &edit);
    assert!(
        answer["differences"][0]["difference"]
            .to_string()
            .contains("5673"),
        "{answer}"
    );
    assert_eq!((code, folder.read(BASE)), (Some(0), before));
}

#[test]
fn near_misses_are_pointed_out() {
    let folder = checkout();
    for command in [&["get"][..], &["unset"], &["set"]] {
        let mut arguments = command.to_vec();
        arguments.push("BrokerConfigration:Hots");
        if command[0] == "set" {
            arguments.push("x");
        }
        let (_, _, err) = said(&folder, &arguments);
        assert!(
            err.contains("BrokerConfiguration:Host"),
            "{command:?}: {err}"
        );
    }
}

#[test]
fn undo_goes_back_over_several_changes() {
    let folder = checkout();
    let before = folder.read(BASE);
    for port in ["1", "2", "3"] {
        settings(&folder, &["set", "BrokerConfiguration:Port", port]);
    }
    let (_, out, _) = said(&folder, &["undo", "--steps", "3", "--dry-run"]);
    assert!(
        out.contains("\"Port\": 3,") && out.contains("\"Port\": 5672,"),
        "{out}"
    );
    let (code, answer) = settings(&folder, &["undo", "--steps", "2"]);
    assert_eq!(
        (code, &answer["error"]["code"]),
        (Some(2), &"confirmationNeeded".into())
    );
    settings(&folder, &["undo", "--steps", "2", "--yes"]);
    assert_eq!(folder.read(BASE), before.replace("5672", "1"));
    settings(&folder, &["undo"]);
    assert_eq!(folder.read(BASE), before);
}

#[test]
fn a_secret_comes_from_standard_input() {
    use std::io::Write;
    let folder = checkout();
    let mut child = harmony(folder.path())
        .args(["settings", "set", "BrokerConfiguration:Password", "--stdin"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a run");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(b"hunter2\r\n").expect("a line");
    drop(input);
    assert!(child.wait().expect("an end").success());
    assert!(folder.read(BASE).contains("\"Password\": \"hunter2\""));
}

#[cfg(unix)]
#[test]
fn files_are_born_private_and_keep_their_mode() {
    use std::os::unix::fs::PermissionsExt;
    let folder = checkout();
    let mode = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    let base = folder.path().join(BASE);
    std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    settings(&folder, &["set", "AllowedHosts", "a"]);
    settings(
        &folder,
        &["--environment", "Staging", "set", "AllowedHosts", "a"],
    );
    assert_eq!(mode(&base), 0o640);
    let staging = base.with_file_name("appsettings.Staging.json");
    assert_eq!(mode(&staging), 0o600);
    let state = folder.path().join("home/.local/state/harmony/harmony");
    let mut folders = vec![state];
    while let Some(next) = folders.pop() {
        assert_eq!(mode(&next), 0o700, "{}", next.display());
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains("backups") {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
}
