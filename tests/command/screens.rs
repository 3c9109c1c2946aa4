//! Every screen of the wizard, the advanced part included, at three widths: nothing is cut, torn or
//! out of sight. `HARMONY_SCREENS=1 cargo test command::screens -- --nocapture` prints them.

mod walk;

use super::bare::Down;
use super::docker::{docker, down, leftovers};
use super::setup::{made, wizard};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::harmony;
use crate::harness::terminal::{CONTROL_C, DOWN, ENTER, ESCAPE, Shape, Terminal, UP};
use crate::harness::{Folder, unique};
use harmony::schema::interview::questions;
use harmony::schema::question::{AnswerKind, SettingQuestion};
use harmony::schema::{self, Application};
use walk::Walk;

const WIDTHS: [u16; 3] = [60, 80, 140];
/// What the short way asks for.
const SHORT_WAY: [&str; 6] = ["redis", "rabbitmq", "hub", "hubUrl", "logLevel", "settings"];

/// What is asked about how the services run.
fn request_questions() -> Vec<SettingQuestion> {
    let mut all = questions(&schema::answers());
    all.retain(|question| !SHORT_WAY.contains(&question.key.as_str()));
    let password = |name: &str| SettingQuestion {
        key: name.to_owned(),
        titles: vec![name.to_owned()],
        description: "Containers get a generated one otherwise.".into(),
        kind: AnswerKind::Text,
        default: None,
        examples: Vec::new(),
        allowed: None,
        secret: true,
    };
    all.extend(["Redis password", "RabbitMQ password"].map(password));
    all
}

fn settings_questions(application: &str) -> Vec<SettingQuestion> {
    questions(
        &Application::named(application)
            .expect("an application")
            .schema(),
    )
}

/// A server elsewhere that does not respond, and back to having none.
fn server_elsewhere(walk: &mut Walk, name: &str, asked: &[&str], none: &str) {
    let (address, password) = (format!("? {name} address"), format!("? {name} password:"));
    let choice = format!("? {name}:");
    walk.step(
        &[
            "Containers listen on 127.0.0.1",
            &choice,
            "a server elsewhere",
            none,
        ],
        &[UP, ENTER],
    );
    walk.step(&["HOST:PORT of the server.", &address], &[ENTER]);
    for question in asked {
        walk.step(&[question], &[ENTER]);
    }
    walk.step(&[&password], &["<", "p", ENTER]);
    let offers = [
        "cannot be used",
        "try again",
        "another address",
        "use it anyway",
    ];
    walk.step(&offers, &[ESCAPE]);
    walk.step(&[&address], &[ESCAPE]);
    walk.step(&[&choice, "a server elsewhere", none], &[DOWN, ENTER]);
}

fn every_screen(columns: u16) {
    let folder = Folder::new();
    let url = made(&folder);
    let terminal = wizard(&folder, &["--dry-run"], Shape::columns(columns));
    let mut walk = Walk::new(terminal, columns);
    let found =
        "Press Enter to accept the default. Esc goes back. Ctrl-C leaves everything as it is.";
    walk.step(&["Found", "Docker", "RabbitMQ no response", found], &[]);
    let lone = "none: one hub alone needs no Redis";
    server_elsewhere(&mut walk, "Redis", &[], lone);
    let by_http = "none: notifications come by HTTP, for trying it out";
    server_elsewhere(
        &mut walk,
        "RabbitMQ",
        &["? RabbitMQ user [guest]:"],
        by_http,
    );
    let address = format!("? Hub address [{url}]:");
    walk.step(
        &["Where browsers find the hub; it listens there.", &address],
        &["ftp://x", ENTER],
    );
    walk.step(&["! only http and https are possible", &address], &[ENTER]);
    let hub = [
        "It serves clients",
        "? Hub:",
        "in the background",
        "not started",
    ];
    walk.step(&hub, &[ENTER]);

    let review = [
        "Redis none",
        &format!("Hub address {url}"),
        "? Review:",
        "Start now",
        "More settings ...",
        "Change an answer",
        "Show the files",
        "Leave everything as it is",
    ];
    walk.step(&review, &[DOWN, DOWN, DOWN, ENTER]);
    let again = [
        "+ Review: Show the files",
        "? Review:",
        "Leave everything as it is",
    ];
    walk.step(&again, &[DOWN, DOWN, ENTER]);
    let change = [
        "? Change an answer:",
        "Redis: none",
        "Hub: in the background",
    ];
    walk.step(&change, &[ESCAPE]);
    let again = [
        "+ Review: Change an answer",
        "? Review:",
        "Leave everything as it is",
    ];
    walk.step(&again, &[DOWN, ENTER]);

    let more = [
        "? More settings:",
        "How Redis, RabbitMQ and the hub run",
        "Settings of Harmony.SignalR",
        "Settings of Harmony.Client",
        "Back to the review",
    ];
    walk.step(&more, &[ENTER]);
    walk.sweep(&request_questions());
    walk.step(&more, &[DOWN, ENTER]);
    walk.sweep(&settings_questions("Harmony.SignalR"));
    walk.step(&more, &[DOWN, DOWN, ENTER]);
    walk.sweep(&settings_questions("Harmony.Client"));

    // A list and a map, item by item.
    walk.step(&more, &[DOWN, ENTER]);
    walk.step(&["Type to filter"], &["cors", ENTER]);
    walk.step(&["Origins of the pages", "add", "> done"], &[UP, ENTER]);
    walk.step(
        &["Cors:Origins:0 is not set.", "? Web pages: CORS origins:"],
        &["https://a", ENTER],
    );
    walk.step(&["0: https://a", "add", "> done"], &[UP, UP, ENTER]);
    walk.step(&["? 0:", "change", "remove"], &[ESCAPE]);
    walk.step(&["0: https://a", "add", "> done"], &[ENTER]);
    walk.step(&["> Done: review 1 edited setting"], &["log levels", ENTER]);
    walk.step(&["add", "> done"], &[UP, ENTER]);
    walk.step(&["? Name:"], &["Microsoft", ENTER]);
    walk.step(
        &["Microsoft", "Information", "not set (default:"],
        &[ESCAPE],
    );
    walk.step(&["add", "> done"], &[ENTER]);
    walk.step(&["> Done: review 1 edited setting"], &[ENTER]);
    walk.step(&more, &[ESCAPE]);
    walk.step(
        &["SignalR 1 edited", "? Review:", "Leave everything"],
        &[ENTER],
    );
    let plan = "edit Harmony.SignalR/appsettings.json: Cors (Origins:0)";
    walk.step(&[plan, "launch hub (not running)"], &[]);
    assert_eq!(walk.end(), 0);
}

#[test]
fn every_screen_of_the_wizard_is_whole_in_60_columns() {
    every_screen(60);
}

#[test]
fn every_screen_of_the_wizard_is_whole_in_80_columns() {
    every_screen(80);
}

#[test]
fn every_screen_of_the_wizard_is_whole_in_140_columns() {
    every_screen(140);
}

/// Enter, six times.
fn short_way(walk: &mut Walk, redis: &str, rabbitmq: &str) {
    for texts in [
        ["? Redis:", redis],
        ["? RabbitMQ:", rabbitmq],
        ["? Hub address", "http"],
        ["? Hub:", "in the background"],
        ["? Review:", "> Start now"],
        ["Open to", "? Go ahead?"],
    ] {
        walk.step(&texts, &[ENTER]);
    }
}

#[test]
fn six_enters_start_a_hub_and_every_step_leaves_a_line() {
    for columns in WIDTHS {
        let folder = Folder::new();
        made(&folder);
        let _down = Down(&folder, vec![]);
        let mut walk = Walk::new(wizard(&folder, &[], Shape::columns(columns)), columns);
        short_way(&mut walk, "> none: one hub", "> none: notifications");
        walk.step(
            &[
                "\u{2714} hub running",
                "hub running http",
                "Next: harmony verify",
            ],
            &[],
        );
        assert_eq!(walk.presses, 6);
        assert_eq!(walk.end(), 0);
    }
}

#[test]
fn lines_of_steps_are_ascii_where_the_locale_is() {
    let folder = Folder::new();
    let url = made(&folder);
    let _down = Down(&folder, vec![]);
    let mut up = harmony(folder.path());
    up.args(["up", "--yes", "--redis", "none", "--rabbitmq", "embedded"]);
    up.args(["--hub-url", &url]).env("LC_ALL", "C");
    let mut terminal = Terminal::start(&up, Shape::columns(80));
    terminal.sees("Next: harmony verify");
    let ended = terminal.end();
    assert!(ended.screen.contains("+ hub"), "{}", ended.screen);
    assert!(ended.bytes.is_ascii(), "{}", ended.bytes);
}

/// The wizard with containers from the local registry.
fn with_containers(folder: &Folder, instance: &str, columns: u16) -> Walk {
    made(folder);
    let mut setup = harmony(folder.path());
    setup.args(["setup", "--instance", instance, "--image-registry"]);
    setup.arg(registry().expect("a registry"));
    setup.current_dir(folder.path()).env("LANG", "C.UTF-8");
    Walk::new(Terminal::start(&setup, Shape::columns(columns)), columns)
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn six_enters_start_containers_and_a_hub() {
    if !has("six_enters_start_containers_and_a_hub", &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = down(&folder, &instance);
    let mut walk = with_containers(&folder, &instance, 80);
    short_way(&mut walk, "> a container (redis", "> a container (rabbitmq");
    let name = |service: &str| format!("\u{2714} container harmony-{instance}-{service}");
    walk.step(
        &[
            &name("redis"),
            &name("rabbitmq"),
            "hub running http",
            "Next: harmony verify",
        ],
        &[],
    );
    assert_eq!(walk.presses, 6);
    assert_eq!(walk.end(), 0);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn control_c_while_containers_start_says_that_they_were_removed() {
    const TEST: &str = "control_c_while_containers_start_says_that_they_were_removed";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let (folder, instance) = (Folder::new(), unique("t"));
    let _down = down(&folder, &instance);
    let mut walk = with_containers(&folder, &instance, 80);
    let before = folder.read(super::setup::HUB);
    short_way(&mut walk, "> a container (redis", "> a container (rabbitmq");
    walk.terminal.sees("waiting for rabbitmq");
    walk.terminal.press(CONTROL_C);
    walk.terminal
        .sees_words("Interrupted; what this run had made was removed");
    assert_eq!(walk.end(), 130);
    assert_eq!(leftovers(&instance), "");
    let running = docker(&["ps", "--format", "{{.Names}}"]);
    assert!(!running.contains(&instance), "{running}");
    assert_eq!(folder.read(super::setup::HUB), before);
}

#[test]
fn the_defaults_that_the_wizard_offers_are_those_of_the_containers() {
    use harmony::containers::Service;
    let answers = schema::answers();
    for (key, service) in [
        ("redisImage", Service::Redis),
        ("rabbitmqImage", Service::RabbitMq),
    ] {
        let offered = &answers["properties"][key]["default"];
        assert_eq!(offered, service.default_image(), "{key}");
    }
}
