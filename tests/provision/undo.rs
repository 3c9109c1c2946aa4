//! A failure stays the first thing that is told, whatever rolling back meets.

use crate::command::bare::{Down, bare};
use crate::harness::installation::{Installation, docker, image_with_script, json};
use crate::harness::parts::{Part, has, registry};
use crate::harness::program::{run, text};
use crate::harness::{Folder, free_port, wait_for};
use harmony::provision::error::Error;
use harmony::secret::{RandomError, Secret};
use serde_json::Value;

#[test]
fn a_failed_rollback_does_not_hide_the_failure() {
    let first = Error::ImageNotHere("redis:9".into());
    let error = first.and_rollback(vec![Error::NoHubUrl, Error::CredentialsRefused]);
    assert!(matches!(error.first(), Error::ImageNotHere(_)));
    assert_eq!(
        error.to_string(),
        "the image redis:9 is not here\n\
         rolling back failed too: there is no address for the hub; \
         RabbitMQ refuses the user or the password"
    );
    let whole = Error::NoHubUrl.and_rollback(Vec::new());
    assert!(matches!(whole, Error::NoHubUrl));
}

#[test]
fn no_password_is_made_without_random_numbers() {
    let nothing = |_: &mut [u8]| Err(RandomError);
    assert_eq!(Secret::generate_from(nothing), Err(RandomError));
    let mut next = 0;
    let counting = |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            next += 1;
            next
        });
        Ok(())
    };
    let made = Secret::generate_from(counting).expect("a password");
    assert_eq!(made.reveal(), "BCDEFGHIJKLMNOPQRSTUVWXYZabcdefg");
}

#[test]
fn a_hub_that_is_replaced_comes_back_where_its_successor_fails() {
    const SETTINGS: &str = "harmony/Harmony.SignalR/appsettings.json";
    let folder = Folder::new();
    let _down = Down(&folder, vec![]);
    let url = format!("http://localhost:{}", free_port());
    let first = json(&mut bare(&folder, &["up", "--yes", "--hub-url", &url]));
    // By HTTP the hub needs no certificate; by HTTPS it does not start with this one.
    let broken = folder.read(SETTINGS).replacen(
        '{',
        r#"{ "Kestrel": { "Certificates": { "Default": { "Path": "missing.pfx" } } },"#,
        1,
    );
    folder.write(SETTINGS, &broken);
    let moved = format!("https://localhost:{}", free_port());
    let output = run(bare(&folder, &["up", "--yes", "--hub-url", &moved]).arg("--json"));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "hubDied", "{answer}");
    assert!(
        answer["error"]["why"].to_string().contains("missing.pfx"),
        "{answer}"
    );
    // The hub that was there runs again, at its address and with its settings.
    let status = json(&mut bare(&folder, &["status"]));
    assert_eq!(
        [&status["hub"]["state"], &status["hub"]["url"]],
        ["running", url.as_str()],
        "{status}"
    );
    assert_ne!(status["hub"]["pid"], first["hub"]["pid"]);
    assert_eq!(folder.read(SETTINGS), broken);
    let client = folder.read("harmony/Harmony.Client/wwwroot/appsettings.json");
    assert!(client.contains(&url), "{client}");
    assert_eq!(json(&mut bare(&folder, &["verify"]))["ok"], true);
}

#[test]
#[ignore = "needs Docker: run tests/run"]
fn what_is_replaced_comes_back_where_its_successor_fails() {
    const TEST: &str = "what_is_replaced_comes_back_where_its_successor_fails";
    if !has(TEST, &[Part::Docker]) {
        return;
    }
    let here = Installation::new();
    let instance = &here.instance;
    let port = free_port().to_string();
    let image = format!("{}/redis:7-alpine", registry().expect("a registry"));
    json(&mut here.up_with_redis(&image, &["--redis-port", &port]));
    let redis = here.container("redis");
    let before = docker(&["inspect", "-f", "{{.Id}} {{.State.Running}}", &redis]);
    let settings = here.folder.read("harmony/Harmony.SignalR/appsettings.json");

    let script = "echo my last words; exit 3";
    let broken = image_with_script(&image, format!("{instance}:broken"), script);
    let moved = free_port().to_string();
    let output = run(here.command(&["up", "--yes", "--json"]).args([
        "--redis-image",
        &broken,
        "--redis-port",
        &moved,
    ]));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["error"]["code"], "containerDied", "{answer}");
    // What failed is not said to be finished.
    let progress = text(&output.stderr);
    let waiting = format!("\"step\":\"waiting for redis at 127.0.0.1:{moved}\"");
    let ended = progress.lines().rfind(|line| line.contains(&waiting));
    assert!(
        ended.is_some_and(|line| line.contains("\"failed\"")),
        "{progress}"
    );
    // The one that was there runs again, with the settings that lead to it, and serves.
    let after = docker(&["inspect", "-f", "{{.Id}} {{.State.Running}}", &redis]);
    assert_eq!(after, before);
    assert_eq!(
        here.folder.read("harmony/Harmony.SignalR/appsettings.json"),
        settings
    );
    wait_for("the hub to reach Redis again", || {
        let verified = run(&mut here.command(&["verify"]));
        verified.status.success().then_some(())
    });
    let label = format!("label=harmony.instance={instance}");
    let all = docker(&["ps", "-aq", "--filter", &label]);
    assert_eq!(all.lines().count(), 1, "nothing else stays: {all}");
    here.remove();
    docker(&["rmi", "-f", &broken]);
    assert_eq!(here.leftovers(), "");
}
