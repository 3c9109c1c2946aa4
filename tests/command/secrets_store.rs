//! `up --secrets`: where passwords go, who would not see them there, and what git would publish.

use super::checkouts::new_layout;
use crate::harness::program::{harmony, run, text};
use crate::harness::{Folder, free_port};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

const HUB: &str = "src/Services/Harmony.SignalR";
const SECRET: &str = "hunter2-a-password";
const PLACES: [&str; 2] = [HUB, "src/Services/Harmony.Api"];

/// A checkout whose RabbitMQ has a password, given by the user; nothing has to be started.
fn checkout() -> Folder {
    let folder = Folder::new();
    new_layout(&folder);
    folder
}

fn project(folder: &Folder, place: &str, id: Option<&str>) {
    let id = id.map_or(String::new(), |id| {
        format!("<UserSecretsId>{id}</UserSecretsId>")
    });
    let name = place.rsplit('/').next().expect("a name");
    let text = format!("<Project><PropertyGroup>{id}</PropertyGroup></Project>");
    folder.write(&format!("{place}/{name}.csproj"), &text);
}

/// An `up` that only writes settings: for servers that need not respond.
fn up(folder: &Folder, more: &[&str]) -> Output {
    let url = format!("http://localhost:{}", free_port());
    let port = free_port();
    let (redis, rabbitmq) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
    let mut command = harmony(folder.path());
    command
        .env("HARMONY_PASSWORD", SECRET)
        .args(["up", "--yes", "--json", "--use-anyway"]);
    command.args([
        "--hub=none",
        "--hub-url",
        &url,
        "--redis",
        &redis,
        "--rabbitmq",
        &rabbitmq,
    ]);
    command.args([
        "--redis-password-env=HARMONY_PASSWORD",
        "--rabbitmq-user=harmony",
    ]);
    run(command
        .arg("--rabbitmq-password-env=HARMONY_PASSWORD")
        .args(more))
}

fn error(output: &Output) -> (String, String) {
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let part = |name: &str| {
        answer["error"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (part("code"), part("message"))
}

fn get(folder: &Folder, key: &str, more: &[&str]) -> String {
    let mut command = harmony(folder.path());
    command.args(["settings", "get", key, "--show-secrets"]);
    text(&run(command.args(more)).stdout).trim_end().to_owned()
}

/// The files of the checkout that hold the password.
fn holders(folder: &Folder) -> String {
    let mut command = Command::new("grep");
    command
        .args(["-rl", SECRET, "src"])
        .current_dir(folder.path());
    text(&run(&mut command).stdout)
}

const KEYS: [&str; 2] = ["RedisConnectionString", "BrokerConfiguration:Password"];

#[test]
fn user_secrets_hold_the_passwords_where_every_reader_sees_them() {
    let folder = checkout();
    let development = ["--secrets=user-secrets", "--environment=Development"];
    let refused = up(&folder, &development);
    let (code, message) = error(&refused);
    assert_eq!(code, "secretsNotRead", "{}", text(&refused.stdout));
    assert!(
        message.contains("Harmony.SignalR") && message.contains("csproj"),
        "{message}"
    );
    project(&folder, HUB, Some("a-hub"));
    project(&folder, PLACES[1], None);
    let (_, message) = error(&up(&folder, &development));
    assert!(
        message.contains("Harmony.Api") && message.contains("UserSecretsId"),
        "{message}"
    );
    project(&folder, PLACES[1], Some("an-api"));
    let (_, message) = error(&up(&folder, &["--secrets=user-secrets"]));
    assert!(message.contains("Development only"), "{message}");
    assert_eq!(holders(&folder), "", "nothing was written");
    let done = up(&folder, &development);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stdout));
    assert_eq!(holders(&folder), "");
    for id in ["a-hub", "an-api"] {
        let path = folder
            .path()
            .join(format!("home/.microsoft/usersecrets/{id}/secrets.json"));
        assert!(
            std::fs::read_to_string(&path)
                .expect("secrets")
                .contains(SECRET)
        );
        let mode = std::fs::metadata(&path)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0);
    }
    let more = ["--environment=Development"];
    assert!(
        KEYS.iter()
            .all(|key| get(&folder, key, &more).contains(SECRET))
    );
    // .NET reads them in Development only, and so do we.
    assert!(
        !KEYS
            .iter()
            .any(|key| get(&folder, key, &[]).contains(SECRET))
    );
}

#[test]
fn a_user_secrets_id_leads_nowhere_else() {
    let folder = checkout();
    project(&folder, PLACES[1], Some("an-api"));
    for id in ["../../outside", "/etc", "..", "a/b", ""] {
        project(&folder, HUB, Some(id));
        let more = ["--secrets=user-secrets", "--environment=Development"];
        assert_eq!(error(&up(&folder, &more)).0, "secretsNotRead", "{id}");
    }
}

#[test]
fn a_file_of_ours_hands_the_passwords_over_as_variables() {
    let folder = checkout();
    let done = up(&folder, &["--secrets=environment"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stdout));
    let said = text(&done.stderr);
    assert!(
        said.contains("Harmony.Api") && said.contains("status --format dotnet-env"),
        "{said}"
    );
    assert_eq!(holders(&folder), "");
    let variables = folder
        .path()
        .join("home/.local/state/harmony/harmony/secrets.env");
    let listed = std::fs::read_to_string(&variables).expect("variables");
    assert!(
        listed.contains(&format!("BrokerConfiguration__Password={SECRET}\n")),
        "{listed}"
    );
    let mode = std::fs::metadata(&variables)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
    assert!(
        KEYS.iter()
            .all(|key| get(&folder, key, &[]).contains(SECRET))
    );
    let again = up(&folder, &["--dry-run"]);
    assert_eq!(
        holders(&folder),
        "",
        "the store is remembered: {}",
        text(&again.stdout)
    );
    let back = up(&folder, &["--secrets=files"]);
    assert_eq!(back.status.code(), Some(0), "{}", text(&back.stdout));
    assert!(
        holders(&folder).contains("Harmony.SignalR"),
        "{}",
        holders(&folder)
    );
    assert!(!variables.exists());
}

#[test]
fn up_says_once_that_git_tracks_a_file_with_passwords() {
    let folder = checkout();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments);
        let output = run(command
            .current_dir(folder.path())
            .env("HOME", folder.path()));
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "src"]);
    git(&["commit", "-qm", "a checkout"]);
    let warns = |more: &[&str]| {
        let said = text(&up(&folder, more).stderr);
        said.matches("git tracks").count()
    };
    assert_eq!(warns(&["--secrets=environment"]), 0);
    assert_eq!(warns(&["--secrets=files"]), 1);
}

/// What the hub reads in the background, and a secret that was in a file before.
#[test]
fn a_hub_of_ours_reads_what_we_keep() {
    let folder = Folder::new();
    let settings = json!({ "BrokerConfiguration": { "Host": "127.0.0.1" } });
    folder.write("Harmony.SignalR/appsettings.json", &settings.to_string());
    let done = up(&folder, &["--secrets=environment"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stdout));
    assert_eq!(get(&folder, "BrokerConfiguration:Password", &[]), SECRET);
    let why = run(harmony(folder.path()).args(["settings", "why", KEYS[1]]));
    assert!(
        text(&why.stdout).contains("secrets.json"),
        "{}",
        text(&why.stdout)
    );
}
