//! Bad input: each a clear error that says what, why and what next, and nothing is changed.

use super::checkouts::{new_layout, old_layout};
use crate::harness::parts::is_root;
use crate::harness::program::{HARMONY, harmony, run, text};
use crate::harness::system::install;
use crate::harness::{Folder, free_port};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a failing command said: exit code, error code, the first line for humans, and the whole
/// error.
struct Said {
    exit: Option<i32>,
    code: String,
    first: String,
    whole: String,
}

/// Runs a command that must fail, once for humans and once for scripts.
fn fails(folder: &Folder, arguments: &[&str]) -> Said {
    fails_with(folder, arguments, &[])
}

fn fails_with(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = harmony(folder.path());
    let human = run(command.args(arguments).envs(variables.iter().copied()));
    let mut command = harmony(folder.path());
    let script = run(command
        .args(arguments)
        .arg("--json")
        .envs(variables.iter().copied()));
    assert_eq!(
        human.status.code(),
        script.status.code(),
        "{}",
        text(&human.stderr)
    );
    assert_ne!(human.status.code(), Some(0), "{}", text(&human.stdout));
    let errors = text(&human.stderr);
    let first = errors
        .lines()
        .find(|line| line.starts_with("error:"))
        .unwrap_or_default()
        .to_owned();
    let answer: Value = serde_json::from_slice(&script.stdout).unwrap_or_default();
    let code = answer["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let said = Said {
        exit: human.status.code(),
        code,
        first,
        whole: errors,
    };
    eprintln!(
        "{:<28} exit {:<3} {}",
        said.code,
        said.exit.unwrap_or(-1),
        said.first
    );
    said
}

const EMBEDDED: [&str; 6] = ["up", "--yes", "--redis", "none", "--rabbitmq", "embedded"];
const SETTINGS: &str = "src/Services/Harmony.SignalR/appsettings.json";

fn checkout() -> Folder {
    let folder = Folder::new();
    new_layout(&folder);
    folder
}

#[test]
fn broken_json_is_shown_with_its_place() {
    let folder = checkout();
    folder.write(
        SETTINGS,
        "{\n  \"RedisConnectionString\": \"\"\n  \"AllowedHosts\": \"*\"\n}\n",
    );
    let said = fails(&folder, &EMBEDDED);
    assert_eq!((said.exit, said.code.as_str()), (Some(3), "settingsSyntax"));
    assert!(
        said.first.contains("appsettings.json:3:3"),
        "{}",
        said.whole
    );
    assert!(
        said.whole.contains("\"AllowedHosts\": \"********\""),
        "the line is shown without its value: {}",
        said.whole
    );
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_what_is_allowed() {
    let folder = checkout();
    let settings = folder.read(SETTINGS);
    let broken = settings.replace("5672", "\"many\"");
    folder.write(SETTINGS, &broken);
    let said = fails(&folder, &EMBEDDED);
    assert_eq!(
        (said.exit, said.code.as_str()),
        (Some(3), "settingsInvalid")
    );
    assert!(said.first.contains("appsettings.json:5:13: BrokerConfiguration:Port: \"many\" was found where a port from 1 to 65535 is expected"), "{}", said.whole);
    assert_eq!(folder.read(SETTINGS), broken);
}

#[test]
fn a_settings_file_that_is_read_only_is_left_alone() {
    let folder = Folder::new();
    old_layout(&folder);
    let client = "src/Web/Harmony.Client/wwwroot/appsettings.json";
    let path = folder.path().join(client);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).expect("permissions");
    let before = folder.read(client);
    let url = format!("http://localhost:{}", free_port());
    let said = fails(&folder, &[&EMBEDDED[..], &["--hub-url", &url]].concat());
    assert_eq!(
        (said.exit, said.code.as_str()),
        (Some(1), "settingsNotWritable")
    );
    assert!(
        said.whole.contains("it is read-only") && said.whole.contains("chmod u+w"),
        "{}",
        said.whole
    );
    assert_eq!(folder.read(client), before);
    assert!(
        folder
            .read("src/Web/Harmony.Client/wwwroot/appsettings.Production.json")
            .contains("https://localhost:7262")
    );
}

#[test]
fn a_folder_in_a_settings_files_place_is_said_to_be_one() {
    let folder = checkout();
    std::fs::remove_file(folder.path().join(SETTINGS)).expect("removed");
    std::fs::create_dir(folder.path().join(SETTINGS)).expect("a folder");
    let said = fails(&folder, &EMBEDDED);
    assert_eq!((said.exit, said.code.as_str()), (Some(3), "settingsFolder"));
}

#[test]
fn a_checkout_without_settings_is_not_taken_for_one() {
    let folder = checkout();
    std::fs::remove_file(folder.path().join(SETTINGS)).expect("removed");
    let path = folder.path().to_str().expect("text").to_owned();
    let said = fails(&folder, &["up", "--yes", "--checkout", &path]);
    assert_eq!((said.exit, said.code.as_str()), (Some(2), "notACheckout"));
    let said = fails(&folder, &["up", "--yes", "--checkout", "/nowhere/at/all"]);
    assert_eq!(
        (said.exit, said.code.as_str()),
        (Some(2), "checkoutMissing")
    );
}

#[test]
fn of_two_checkouts_in_reach_neither_is_guessed() {
    let folder = checkout();
    folder.write("src/Web/Harmony.SignalR/appsettings.json", "{}");
    let said = fails(&folder, &EMBEDDED);
    assert_eq!(
        (said.exit, said.code.as_str()),
        (Some(2), "severalCheckouts")
    );
    assert!(
        said.whole.contains("src/Services/Harmony.SignalR") && said.whole.contains("--checkout"),
        "{}",
        said.whole
    );
}

#[test]
fn docker_that_is_not_there_not_running_or_not_permitted_is_told_apart() {
    let folder = Folder::new();
    let up = ["up", "--yes", "--redis", "container"];
    let socket = folder.path().join("docker.sock");
    let host = format!("unix://{}", socket.display());
    let said = fails_with(&folder, &up, &[("DOCKER_HOST", &host)]);
    assert_eq!((said.exit, said.code.as_str()), (Some(6), "dockerNotFound"));
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    let said = fails_with(&folder, &up, &[("DOCKER_HOST", &host)]);
    assert_eq!(
        (said.exit, said.code.as_str()),
        (Some(6), "dockerNotRunning")
    );
    assert!(said.whole.contains("start it"), "{}", said.whole);
    let said = fails_with(&folder, &up, &[("DOCKER_HOST", "tcp://127.0.0.1:1")]);
    assert_eq!(
        (said.exit, said.code.as_str()),
        (Some(6), "dockerNotRunning")
    );
    assert!(said.whole.contains("check the address"), "{}", said.whole);
    for (socket, fix) in [
        ("podman/podman.sock", "sudo systemctl start podman.socket"),
        ("home/.colima/default/docker.sock", "colima start"),
        ("home/.orbstack/run/docker.sock", "start OrbStack"),
    ] {
        let host = format!("unix://{}", folder.path().join(socket).display());
        let said = fails_with(&folder, &up, &[("DOCKER_HOST", &host)]);
        assert_eq!((said.exit, said.code.as_str()), (Some(6), "dockerNotFound"));
        assert!(said.whole.contains(fix), "{}", said.whole);
    }
    let host = "unix:///run/user/4711/docker.sock";
    let said = fails_with(&folder, &up, &[("DOCKER_HOST", host)]);
    assert!(
        said.whole.contains("systemctl --user start docker"),
        "{}",
        said.whole
    );
    let said = fails_with(&folder, &up, &[("DOCKER_CONTEXT", "nope")]);
    assert_eq!((said.exit, said.code.as_str()), (Some(6), "dockerContext"));
    if is_root() && Path::new("/usr/bin/setpriv").exists() {
        // As another user, before a socket that only root may use.
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("root.sock"))
            .expect("a socket");
        std::fs::set_permissions(
            folder.path().join("root.sock"),
            std::fs::Permissions::from_mode(0o600),
        )
        .expect("permissions");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
            .expect("permissions");
        let copy = folder.path().join("harmony-copy");
        install(HARMONY.as_ref(), &copy);
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(up)
            .arg("--json");
        command
            .current_dir(folder.path())
            .env("HOME", folder.path().join("home-of-nobody"));
        command.env(
            "DOCKER_HOST",
            format!("unix://{}", folder.path().join("root.sock").display()),
        );
        let output = run(&mut command);
        assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
        assert!(
            text(&output.stdout).contains("dockerNotPermitted")
                && text(&output.stdout).contains("docker group"),
            "{}",
            text(&output.stdout)
        );
    }
}

#[test]
fn a_hub_that_cannot_bind_says_who_holds_the_port() {
    let folder = Folder::new();
    let thief = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = thief.local_addr().expect("an address").port();
    let url = format!("http://localhost:{port}");
    let said = fails(&folder, &[&EMBEDDED[..], &["--hub-url", &url]].concat());
    assert_eq!((said.exit, said.code.as_str()), (Some(1), "portInUse"));
    assert!(
        said.whole.contains(&format!("pid {}", std::process::id())),
        "{}",
        said.whole
    );
    assert!(!folder.path().join("harmony").exists(), "nothing was made");
    let output = run(harmony(folder.path()).args(["hub", "--urls", &url]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains(&format!("pid {}", std::process::id())),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn unknown_flags_and_commands_are_answered_with_the_nearest() {
    let folder = Folder::new();
    let output = run(harmony(folder.path()).args(["statsu"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("'status'"),
        "{}",
        text(&output.stderr)
    );
    let output = run(harmony(folder.path()).args(["up", "--rediss", "none"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("--redis"),
        "{}",
        text(&output.stderr)
    );
    let said = fails(&folder, &["publish", "CardTitelChanged"]);
    assert!(
        said.whole.contains("did you mean CardTitleChanged?"),
        "{}",
        said.whole
    );
}

#[test]
fn without_a_terminal_the_missing_answers_flag_is_named() {
    let folder = Folder::new();
    let url = format!("http://localhost:{}", free_port());
    let said = fails(
        &folder,
        &[
            "up",
            "--redis",
            "none",
            "--rabbitmq",
            "embedded",
            "--hub-url",
            &url,
        ],
    );
    assert_eq!((said.exit, said.code.as_str()), (Some(2), "answerMissing"));
    assert!(said.whole.contains("--yes"), "{}", said.whole);
    assert!(!folder.path().join("harmony").exists());
}

#[test]
fn the_hubs_own_settings_are_checked_before_it_serves() {
    let folder = Folder::new();
    for (argument, expected) in [
        ("--urls=ftp://x", "only http and https"),
        ("--urls=http://localhost:0", "localhost means two addresses"),
        (
            "--BrokerConfiguration:Port=70000",
            "BrokerConfiguration:Port",
        ),
        (
            "--RedisConnectionString=a:1,pasword=x",
            "Did you mean 'password'?",
        ),
        ("--Admin:Url=http://0.0.0.0:1", "this one only"),
        ("--Serilog:MinimumLevel:Default=Loud", "is not a log level"),
    ] {
        let output = run(harmony(folder.path()).args(["hub", argument]));
        assert_eq!(output.status.code(), Some(3), "{argument}");
        assert!(
            text(&output.stderr).contains(expected),
            "{argument}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_publish_nobody_can_take_says_why() {
    let folder = Folder::new();
    let said = fails(&folder, &["publish", "CardTitleChanged"]);
    assert_eq!((said.exit, said.code.as_str()), (Some(2), "noCheckout"));
    let said = fails(
        &folder,
        &["publish", "CardTitleChanged", "--field", "Titel=x"],
    );
    assert!(
        said.whole.contains("it has BoardId, CardId, Title"),
        "{}",
        said.whole
    );
    old_layout(&folder);
    let settings = folder
        .read("src/Web/Harmony.SignalR/appsettings.json")
        .replace("5672", &free_port().to_string());
    folder.write("src/Web/Harmony.SignalR/appsettings.json", &settings);
    let said = fails(&folder, &["publish", "CardTitleChanged"]);
    assert_eq!((said.exit, said.code.as_str()), (Some(5), "brokerUnusable"));
}
