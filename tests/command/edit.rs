//! `settings edit` on a real pseudo-terminal: choosing, every kind of question, the difference,
//! writing.

use crate::harness::Folder;
use crate::harness::program::{harmony, run, text};
use crate::harness::terminal::{CONTROL_C, ENTER, ESCAPE, Shape, Terminal, UP, is_on_terminal};
use harmony::appsettings::layers::{Layers, ProcessInputs};
use harmony::appsettings::{Links, SettingsFile};
use harmony::form::draft::FileDraft;
use harmony::schema::interview::questions;

const HUB: &str = "Harmony.SignalR/appsettings.json";
const BEFORE: &str = "{\n  // mine\n  \"BrokerConfiguration\": {\n    \"Host\": \"localhost\",\n    \
    \"Port\": 5672,\n    \"Password\": \"secret1\"\n  }\n}\n";

fn made() -> Folder {
    let folder = Folder::new();
    folder.write(HUB, BEFORE);
    folder.write(
        "Harmony.Client/wwwroot/appsettings.json",
        "{ \"signalrHostUrl\": \"http://localhost:7262\" }\n",
    );
    folder
}

fn edit(folder: &Folder, arguments: &[&str], shape: Shape) -> Terminal {
    let mut command = harmony(folder.path());
    command
        .args(["settings", "edit"])
        .args(arguments)
        .current_dir(folder.path());
    Terminal::start(&command, shape)
}

#[test]
fn one_key_is_asked_for_shown_and_written() {
    let folder = made();
    let mut terminal = edit(&folder, &["BrokerConfiguration:Port"], Shape::columns(80));
    terminal.sees("(appsettings.json:5)");
    terminal.answer("? RabbitMQ port [5672]:", "99999\r");
    terminal.sees("! expected a port from 1 to 65535");
    terminal.answer("? RabbitMQ port [5672]:", "5673\r");
    terminal.sees("+     \"Port\": 5673");
    terminal.answer("? Write", ENTER);
    let ended = terminal.end();
    assert_eq!((ended.code, ended.echo), (0, true), "{}", ended.screen);
    assert_eq!(folder.read(HUB), BEFORE.replace("5672", "5673"));
    assert!(!ended.bytes.contains("secret1"), "{}", ended.bytes);
}

#[test]
fn a_key_is_found_by_typing_and_several_are_written_at_once() {
    let folder = made();
    let mut terminal = edit(&folder, &[], Shape::columns(80));
    terminal.sees("RabbitMQ host");
    terminal.answer("localhost", "elastic");
    terminal.answer("Elasticsearch address", ENTER);
    terminal.answer("? Elasticsearch address", "http://logs:9200\r");
    terminal.answer("Done: review 1 edited setting", "detailed");
    terminal.answer("Detailed errors", ENTER);
    terminal.answer("Detailed errors", "y");
    terminal.answer("Done: review 2 edited settings", ENTER);
    terminal.sees("\"DetailedErrors\": true");
    terminal.answer("? Write", ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    let after = folder.read(HUB);
    assert!(after.starts_with("{\n  // mine\n"), "{after}");
    for text in ["\"Uri\": \"http://logs:9200\"", "\"DetailedErrors\": true"] {
        assert!(after.contains(text), "{after}");
    }
}

#[test]
fn escape_goes_back_to_the_list_and_control_c_writes_nothing() {
    let folder = made();
    let mut terminal = edit(&folder, &["BrokerConfiguration"], Shape::columns(80));
    terminal.answer("RabbitMQ host", ENTER);
    terminal.answer("? RabbitMQ host [localhost]:", ESCAPE);
    terminal.answer("Type to filter", ENTER);
    terminal.answer("? RabbitMQ host [localhost]:", "other\r");
    terminal.answer("Done: review 1", ENTER);
    terminal.answer("? Write", ESCAPE);
    terminal.answer("Done: review 1", CONTROL_C);
    let ended = terminal.end();
    assert_eq!((ended.code, ended.echo), (130, true), "{}", ended.screen);
    assert_eq!(folder.read(HUB), BEFORE);
}

#[test]
fn a_map_is_edited_item_by_item_and_a_secret_is_hidden() {
    let folder = made();
    let mut terminal = edit(&folder, &["Logging:LogLevel"], Shape::columns(80));
    terminal.answer("add", UP);
    terminal.press(ENTER);
    terminal.answer("? Name:", "Microsoft\r");
    terminal.sees("Trace");
    terminal.answer("not set", &UP.repeat(5));
    terminal.press(ENTER);
    terminal.answer("Microsoft: Warning", ENTER);
    terminal.answer("? Write", ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(folder.read(HUB).contains("\"Microsoft\": \"Warning\""));

    let mut terminal = edit(
        &folder,
        &["BrokerConfiguration__Password"],
        Shape::columns(80),
    );
    terminal.answer("? RabbitMQ password:", "<hunter2\r");
    terminal.answer("? Write", ENTER);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    assert!(folder.read(HUB).contains("\"Password\": \"<hunter2\""));
    for secret in ["secret1", "hunter2"] {
        assert!(!ended.bytes.contains(secret), "{}", ended.bytes);
    }
}

#[test]
fn a_layer_that_wins_is_named() {
    let folder = made();
    folder.write(
        "Harmony.SignalR/appsettings.Production.json",
        "{ \"BrokerConfiguration\": { \"Host\": \"prod\" } }\n",
    );
    let mut terminal = edit(&folder, &["BrokerConfiguration:Host"], Shape::columns(80));
    terminal.sees("(Production.json:1)");
    terminal.answer("? RabbitMQ host [prod]:", "other\r");
    terminal.sees_words("sets BrokerConfiguration:Host too, and wins");
    terminal.answer("? Write", "n");
    let ended = terminal.end();
    assert_eq!(ended.code, 1, "{}", ended.screen);
    assert_eq!(folder.read(HUB), BEFORE);
}

#[test]
fn without_a_terminal_the_command_for_scripts_is_named() {
    let folder = made();
    let output = run(harmony(folder.path()).args(["settings", "edit"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("settings set KEY VALUE"));
    let unknown = run(harmony(folder.path()).args(["settings", "edit", "NoSuchKey"]));
    assert!(text(&unknown.stderr).contains("NoSuchKey"));
}

#[test]
fn every_row_of_the_list_fits_every_width() {
    for columns in [60, 80, 140] {
        let folder = made();
        let mut terminal = edit(&folder, &[], Shape::columns(columns));
        terminal.sees("Web pages");
        let screen = terminal.text();
        terminal.press(CONTROL_C);
        assert_eq!(terminal.end().code, 130);
        assert!(screen.lines().count() <= 24, "{screen}");
        for value in ["localhost", "5672", "********", "RabbitMQ password"] {
            assert!(screen.contains(value), "{columns}: {screen}");
        }
    }
}

const INJECTED: &str = "command::edit::edits_by_a_schema_of_another_test";
const FILE: &str = "HARMONY_TEST_FILE";
const SCHEMA: &str = "HARMONY_TEST_SCHEMA";

/// A program for the test below: edits a file by a schema that no line of the product knows.
#[test]
#[ignore = "runs on the pseudo-terminal of another test"]
fn edits_by_a_schema_of_another_test() {
    if !is_on_terminal() {
        return;
    }
    let variable = |name| std::env::var(name).expect("a variable");
    let schema = serde_json::from_str(&variable(SCHEMA)).expect("a schema");
    let path = std::path::PathBuf::from(variable(FILE));
    let file = SettingsFile::read(&path, Links::Followed)
        .expect("settings")
        .expect("a file");
    let folder = path.parent().expect("a folder");
    let layers = Layers::load(
        folder,
        Links::Followed,
        "Production",
        &ProcessInputs::default(),
    )
    .expect("layers");
    let asked = questions(&schema);
    let mut draft = FileDraft::new("Another.App", schema, layers, file);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let reply = runtime.block_on(harmony::form::edit(&asked, &mut draft));
    std::fs::write(&path, draft.file().document.to_bytes()).expect("a file");
    eprintln!("{reply:?}");
}

#[test]
fn a_key_added_to_a_schema_is_asked_for_without_a_line_of_rust() {
    let folder = Folder::new();
    let path = folder.write(
        "appsettings.json",
        "{\n  \"Retention\": { \"Days\": 7 }\n}\n",
    );
    let schema = serde_json::json!({
        "properties": {
            "Retention": {
                "title": "Retention",
                "properties": {
                    "Days": {
                        "title": "Days to keep",
                        "description": "How long events are kept.",
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 31,
                        "examples": [14],
                    },
                    "Archive": { "title": "Archive", "type": "boolean", "default": false },
                    "Format": { "title": "Format", "enum": ["Json", "Xml"], "default": "Json" },
                },
            },
        },
    });
    let schema = schema.to_string();
    let file = path.to_string_lossy().into_owned();
    let variables = [(SCHEMA, schema.as_str()), (FILE, file.as_str())];
    let mut terminal = Terminal::start_test(INJECTED, &variables, Shape::columns(80));
    terminal.sees("Another.App");
    terminal.answer("Retention: Days to keep", ENTER);
    terminal.sees("How long events are kept.");
    terminal.sees("For example 14.");
    terminal.answer("? Retention: Days to keep [7]:", "32\r");
    terminal.sees("expected a whole number from 1 to 31");
    terminal.answer("? Retention: Days to keep [7]:", "14\r");
    terminal.answer("Done: review 1", "archive");
    terminal.press(ENTER);
    terminal.answer("Retention: Archive", "y");
    terminal.answer("Done: review 2", "format");
    terminal.press(ENTER);
    terminal.answer("not set (default: Json)", UP);
    terminal.press(ENTER);
    terminal.answer("Done: review 3", ENTER);
    let ended = terminal.end();
    assert!(ended.bytes.contains("Given(())"), "{}", ended.screen);
    assert_eq!(
        folder.read("appsettings.json"),
        "{\n  \"Retention\": { \"Days\": 14, \"Archive\": true, \"Format\": \"Xml\" }\n}\n"
    );
}
